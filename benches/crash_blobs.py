"""What clients of the blob store do while the server is killed, and what must be found of it afterwards."""
import datetime
import hashlib
import http.client
import os
import pathlib
import random
import sqlite3
import urllib.parse
import zlib

from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

CONTAINER = "crash"
# Around the bounds of what rests in the index, of one checksum and of one piece.
SIZES = (0, 100, 8192, 8193, 65536, 70_000, 600_000, 1_300_000)


class Storage:
    """Calls by an account signature on a connection of its own."""

    def __init__(self, server, storage, container=CONTAINER):
        self.container = container
        self.account = storage["account"]
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=12)
        self.token = generate_account_sas(storage["account"], storage["key"], ResourceTypes(container=True, object=True),
                                          AccountSasPermissions(read=True, write=True, create=True, list=True, delete=True, add=True), end)
        parts = urllib.parse.urlsplit(server.urls["blobs"])
        self.base = server.urls["blobs"]
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)

    def call(self, method, name, query="", body=None, headers=None):
        path = f"/{self.account}/{self.container}{'/' + name if name else ''}?{query}{'&' if query else ''}{self.token}"
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()


class Client:
    """One client with blobs of its own: for each name what was acknowledged, and what was under way when the server died."""

    def __init__(self, number):
        self.number = number
        self.rng = random.Random()
        # name -> bytes, or None for a blob that is deleted
        self.acknowledged = {}
        self.pending = {}
        self.count = 0
        self.problem = None

    def data(self):
        return os.urandom(self.rng.choice(SIZES))

    def work(self, server, storage, stop):
        try:
            calls = Storage(server, storage)
            while not stop.is_set():
                self.one(calls)
        except (OSError, http.client.HTTPException):
            return
        except AssertionError as problem:
            self.problem = problem

    def one(self, calls):
        name = f"client-{self.number}-{self.rng.randrange(12)}"
        known = self.acknowledged.get(name)
        kind = self.rng.choice(("put", "put", "blocks", "append", "delete", "copy"))
        if kind == "put":
            data = self.data()
            self.change(name, data, [("PUT", "", data, {"x-ms-blob-type": "BlockBlob"}, 201)], calls)
        elif kind == "blocks":
            parts = [self.data() or b"x" for _ in range(self.rng.randrange(1, 5))]
            steps = [("PUT", f"comp=block&blockid={number:08}", part, {}, 201) for number, part in enumerate(parts)]
            listed = "".join(f"<Latest>{number:08}</Latest>" for number in range(len(parts)))
            steps.append(("PUT", "comp=blocklist", f"<BlockList>{listed}</BlockList>".encode(), {}, 201))
            self.change(name, b"".join(parts), steps, calls)
        elif kind == "append":
            name += "-append"
            known = self.acknowledged.get(name)
            if known is None:
                self.change(name, b"", [("PUT", "", b"", {"x-ms-blob-type": "AppendBlob"}, 201)], calls)
            elif len(known) < 3_000_000:
                data = self.data() or b"x"
                self.change(name, known + data, [("PUT", "comp=appendblock", data, {}, 201)], calls)
        elif kind == "delete" and known is not None:
            self.change(name, None, [("DELETE", "", None, {}, 202)], calls)
        elif kind == "copy" and known is not None:
            source = f"{calls.base}/{calls.account}/{CONTAINER}/{name}?{calls.token}"
            self.change(f"{name}-copy", known, [("PUT", "", b"", {"x-ms-copy-source": source}, 202)], calls)

    def change(self, name, data, steps, calls):
        self.pending[name] = data
        for method, query, body, headers, expected in steps:
            status, answer = calls.call(method, name, query, body, headers)
            assert status == expected, (method, name, query, status, answer[:300])
        self.acknowledged[name] = data
        del self.pending[name]
        self.count += 1

    def verify(self, calls, turn):
        """Every acknowledged state is there whole; what was under way happened whole or not at all."""
        assert self.problem is None, f"round {turn}: {self.problem}"
        for name in set(self.acknowledged) | set(self.pending):
            status, found = calls.call("GET", name)
            found = found if status == 200 else None
            assert status in (200, 404), f"round {turn}: {name}: {status} {found}"
            allowed = [self.acknowledged.get(name)]
            if name in self.pending:
                allowed.append(self.pending[name])
            assert any(same(found, one) for one in allowed), (
                f"round {turn}: {name} has {describe(found)}, acknowledged is {describe(allowed[0])}")
            self.acknowledged[name] = found
        self.pending.clear()


def same(left, right):
    if left is None or right is None:
        return left is right
    return hashlib.sha256(left).digest() == hashlib.sha256(right).digest()


def describe(data):
    return "nothing" if data is None else f"{len(data)} bytes, crc {zlib.crc32(data):08x}"


def orphans(data_folder):
    """Files that the index does not name, and names without a file; none of either may be left after a start."""
    with sqlite3.connect(f"file:{data_folder}/work.sqlite?mode=ro", uri=True) as index:
        named = {number for (number,) in index.execute("SELECT id FROM contents WHERE bytes IS NULL")}
        used = {number for (number,) in index.execute(
            "SELECT content FROM extents UNION SELECT content FROM blocks")}
        rows = {number for (number,) in index.execute("SELECT id FROM contents")}
    # What the start put aside is no longer among them.
    files = {int(path.name, 16) for path in pathlib.Path(data_folder, "blobs").glob("*/*") if path.parent.name != "orphans"}
    return files - named, named - files, rows - used, used - rows
