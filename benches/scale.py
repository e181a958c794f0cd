"""What a large installation costs a call: 1,000 random APIs and keys of 10,000 APIs and 100,000 keys against one of each; two
loops on one core against one; and how soon a change is in force, and how long it holds a loop up.

Rounds are interleaved; the servers stay beside each other on their core, warm, and are asked in turn. Ratios are taken within a
round, and their median is quoted.
"""
import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import secrets
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]
import startup  # noqa: E402
from gatehouse import BINARY, Server  # noqa: E402
from gateway import GATEWAY_CORE, Load, free_port, instructions, start_upstream  # noqa: E402

OPERATIONS = 10
# Calls of a round come from so many APIs and keys.
CHOSEN = 1000
# Changes under load follow one another after so many seconds, for so many.
PAUSE = 0.2
LOADED_SECONDS = 10
POLICY = ('<policies><inbound><rate-limit calls="100000000" renewal-period="300" remaining-calls-header-name="X-Remaining" '
          'total-calls-header-name="X-Total" /><quota calls="1000000000" renewal-period="604800" /><base /></inbound></policies>')


class Installation:
    """A folder with so many APIs and keys, of which some are known."""

    def __init__(self, folder, upstream, apis, keys, chosen):
        folder.mkdir()
        self.server = Server(folder, "--loops", "1").start()
        self.names = self.server.demo_names
        self.put("/products/counted", {"properties": {"displayName": "Counted", "state": "published"}})
        self.put("/products/counted/policies/policy", {"properties": {"value": POLICY, "format": "rawxml"}})
        self.server.stop()
        startup.fill(self.server.data, apis, keys - 2 * chosen, OPERATIONS, upstream)
        self.server.start(60)
        self.plain, self.counted = [], []
        # Two keys of each: one that only opens, and one whose calls are counted.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for pair in pool.map(self.open, random.Random(7).sample(range(apis), chosen)):
                self.plain.append(pair[0])
                self.counted.append(pair[1])
        self.server.stop()

    def put(self, path, body):
        done = self.server.management("PUT", path, body, installation=self.names)
        assert done.status in (200, 201), done.text
        return done

    def open(self, number):
        path = f"/bulk-{number}/items-{number % OPERATIONS}/17"
        keys = [secrets.token_hex(16) for _ in range(2)]
        self.put(f"/subscriptions/plain-{number}", {"properties": {
            "displayName": f"plain {number}", "scope": f"/apis/bulk-{number}", "primaryKey": keys[0], "state": "active"}})
        self.put(f"/products/counted/apis/bulk-{number}", None)
        self.put(f"/subscriptions/counted-{number}", {"properties": {
            "displayName": f"counted {number}", "scope": "/products/counted", "primaryKey": keys[1], "state": "active"}})
        return (path, keys[0]), (path, keys[1])


class MixedLoad(Load):
    """GET requests that take their address and key in turn from a list."""

    def calls(self, url, pairs, seconds):
        lines = ",\n".join(f'{{"{path}", "{key}"}}' for path, key in pairs)
        script = self.folder / "mixed.lua"
        script.write_text(f"""local pairs = {{ {lines} }}
local made, place = {{}}, 0
init = function()
  for number, pair in ipairs(pairs) do
    made[number] = wrk.format("GET", pair[1], {{["Ocp-Apim-Subscription-Key"] = pair[2], ["Host"] = "localhost"}})
  end
end
request = function()
  place = place % #made + 1
  return made[place]
end
{Load.DONE}""")
        return self.run(script, url, seconds)

    def measured(self, server, pairs):
        url = server.urls["gateway"]
        return self.over(server.process.pid, lambda: self.calls(url, pairs, self.seconds))


def loads(installations, load, options):
    small, large = installations
    many = f"{len(large.plain):,}"
    # Two servers cannot share a folder.
    shutil.copytree(large.server.folder, copy := large.server.folder.with_name("copy"))
    servers = {(folder, loops): Server(folder, "--loops", str(loops), pin=GATEWAY_CORE).start(60)
               for folder, loops in ((small.server.folder, 1), (large.server.folder, 1), (copy, 2))}
    alone, one_loop, two_loops = servers.values()
    random.Random(3).shuffle(large.plain)
    random.Random(3).shuffle(large.counted)
    kinds = {
        "one API, one key": (alone, small.plain[:1]),
        "one of them, large installation": (one_loop, large.plain[:1]),
        f"{many} of them": (one_loop, large.plain),
        "one counted key, one loop": (one_loop, large.counted[:1]),
        "one counted key, two loops": (two_loops, large.counted[:1]),
        f"{many} counted keys, one loop": (one_loop, large.counted),
        f"{many} counted keys, two loops": (two_loops, large.counted),
    }
    rows = {name: [] for name in kinds}
    try:
        for server, pairs in kinds.values():
            load.calls(server.urls["gateway"], pairs, 1)
        for number in range(options.rounds):
            # Forth and back: what the machine does slowly meets neighbours alike.
            for name in list(kinds)[::-1 if number % 2 else 1]:
                rows[name].append(load.measured(*kinds[name]))
    finally:
        for server in servers.values():
            server.stop()
    bases = [next(iter(kinds))] * 3 + ["one counted key, one loop"] * 2 + [f"{many} counted keys, one loop"] * 2
    print("\n| calls | req/s | p50 µs | p99 µs | CPU µs per request | RSS MiB | errors | CPU vs |\n|---|---|---|---|---|---|---|---|")
    for (name, found), base in zip(rows.items(), bases):
        middle = lambda field: statistics.median(row[field] for row in found)
        ratio = statistics.median(row["cpu"] / other["cpu"] for row, other in zip(found, rows[base]))
        print(f"| {name} | {middle('rps'):.0f} | {middle('p50'):.0f} | {middle('p99'):.0f} | {middle('cpu'):.2f} | {middle('rss'):.0f} "
              f"| {sum(row['errors'] for row in found)} | {ratio:.2f} × {base} |", flush=True)


class KeptConnection:
    """One kept connection on which calls are made one after another."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, path, key):
        """The head of the answer, and how many seconds it took."""
        began = time.perf_counter()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nOcp-Apim-Subscription-Key: {key}\r\n\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.socket.recv(65536)
        took = time.perf_counter() - began
        head, _, body = got.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])
        while len(body) < length:
            body += self.socket.recv(65536)
        return head, took


class Turns:
    """The turns of a server's loop, taken down by `turns.c` within its process: what passes between two waits for events."""
    ROOM = 64 << 20
    RECORD = struct.Struct("=III")

    def __init__(self, folder):
        self.library, self.file = folder / "turns.so", folder / "turns"
        subprocess.run(["clang", "-O2", "-shared", "-fPIC", "-o", str(self.library), str(HERE / "turns.c")], check=True)
        with open(self.file, "wb") as file:
            file.truncate(self.ROOM)

    @contextlib.contextmanager
    def loaded(self):
        """Servers that are started meanwhile take their turns down."""
        os.environ |= {"LD_PRELOAD": str(self.library), "TURNS_FILE": str(self.file)}
        try:
            yield
        finally:
            for name in ("LD_PRELOAD", "TURNS_FILE"):
                del os.environ[name]

    def count(self):
        with open(self.file, "rb") as file:
            return int.from_bytes(file.read(8), sys.byteorder)

    def since(self, count, server):
        """Microseconds by the clock and of the processor of each turn that the data path's loop has made since the count stood at this."""
        tasks = pathlib.Path(f"/proc/{server.process.pid}/task")
        # Of the loops the data path's are the first.
        loop = min(int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().startswith("NIO-ELT-"))
        with open(self.file, "rb") as file:
            file.seek(8 + count * self.RECORD.size)
            found = file.read((self.count() - count) * self.RECORD.size)
        return [(wall / 1000, cpu / 1000) for thread, wall, cpu in self.RECORD.iter_unpack(found) if thread == loop]


def changes(installation, load, count):
    """Changes under calls: how soon the gateway acts by them, how long calls take meanwhile, and how long the loop's turns are.

    First the calls are one connection's, so that each waits for nothing but the loop; then those of many callers at once.
    """
    turns = Turns(installation.server.folder)
    with turns.loaded():
        server = Server(installation.server.folder, "--loops", "1", pin=GATEWAY_CORE).start(60)
    path, key = installation.plain[0]
    api = path.split("/")[1]
    number = api.removeprefix("bulk-")
    mock = "<policies><inbound><return-response><set-header name='X-Change'><value>{}</value></set-header></return-response></inbound></policies>"

    def put(path, properties, method="PUT"):
        done = server.management(method, path, {"properties": properties}, {"If-Match": "*"} if method == "PATCH" else None,
                                 installation=installation.names)
        assert done.status in (200, 201), done.text

    def policy(turn):
        put(f"/apis/{api}/policies/policy", {"format": "rawxml", "value": mock.format(turn)})

    def moved(turn):
        put("/apis/moving", {"displayName": "Moving", "path": f"moving-{turn}", "protocols": ["http"], "serviceUrl": "http://127.0.0.1:9"})

    def state(turn):
        put(f"/subscriptions/plain-{number}", {"state": "suspended" if turn % 2 else "active"}, "PATCH")

    policy(0)
    moved(0)
    put("/apis/moving/operations/get", {"displayName": "Get", "method": "GET", "urlTemplate": "/"})
    kinds = {
        "nothing": None,
        "a policy": (policy, lambda turn: path, lambda head, turn: b"X-Change: %d\r\n" % turn in head + b"\r\n"),
        "an API's path": (moved, lambda turn: f"/moving-{turn}/", lambda head, turn: b" 404 " not in head[:14]),
        "a subscription's state": (state, lambda turn: path, lambda head, turn: (b" 401 " in head[:14]) == (turn % 2 == 1)),
    }
    # Python lets a thread wait 5 ms for another one, and that is not to be measured.
    sys.setswitchinterval(1e-4)
    connection = KeptConnection(server.urls["gateway"])

    def stream(kind, turns):
        """Seconds from a change's request to calls by it, those from its answer, and those of each call."""
        whole, late, calls = [], [], []
        if kinds[kind] is None:
            return whole, late, [connection.call(path, key)[1] for _ in range(200 * len(turns))]
        make, where, isInForce = kinds[kind]
        for turn in turns:
            times = {}

            def work():
                times["sent"] = time.perf_counter()
                make(turn)
                times["answered"] = time.perf_counter()

            thread = threading.Thread(target=work)
            thread.start()
            end = time.perf_counter() + 10
            while True:
                head, took = connection.call(where(turn), key)
                calls.append(took)
                if isInForce(head, turn):
                    break
                if time.perf_counter() > end:
                    raise SystemExit(f"{kind} was not in force after 10 s")
            inForce = time.perf_counter()
            thread.join()
            whole.append(inForce - times["sent"])
            late.append(max(0, inForce - times["answered"]))
            calls += [connection.call(where(turn), key)[1] for _ in range(200)]
        return whole, late, calls

    print("\n| change | ms from its request to calls by it, median | most | ms from its answer, most | calls meanwhile, p50 µs | p99 | most "
          "| turns of the loop, µs of the processor, p50 | p99.9 | most | by the clock, p99.9 | most |\n" + "|---" * 12 + "|")
    at = lambda values, part: values[int(len(values) * part)]

    def loaded(kind):
        """Calls of a thousand callers a second, and the processor's µs of the loop's turns, while changes follow one another."""
        isOver = threading.Event()

        def work():
            turn = count
            while kinds[kind] is not None and not isOver.wait(PAUSE):
                turn += 1
                kinds[kind][0](turn)

        thread = threading.Thread(target=work)
        before = turns.count()
        thread.start()
        try:
            found = load.calls(server.urls["gateway"], installation.counted, LOADED_SECONDS)
        finally:
            isOver.set()
            thread.join()
        return found["requests"] / found["us"] * 1e6, sorted(cpu for _, cpu in turns.since(before, server))

    try:
        for kind in kinds:
            before = turns.count()
            whole, late, calls = stream(kind, range(1, count + 1))
            walls, cpus = map(sorted, zip(*turns.since(before, server)))
            calls.sort()
            told = [f"{statistics.median(whole) * 1000:.1f}", f"{max(whole) * 1000:.1f}", f"{max(late) * 1000:.1f}"] if whole else [""] * 3
            told += [f"{value:.0f}" for value in (at(calls, 0.5) * 1e6, at(calls, 0.99) * 1e6, calls[-1] * 1e6, at(cpus, 0.5), at(cpus, 0.999),
                                                  cpus[-1], at(walls, 0.999), walls[-1])]
            print(f"| {kind} | {' | '.join(told)} |", flush=True)
        print(f"\n| change every {PAUSE * 1000:.0f} ms, {len(installation.counted):,} callers on 32 connections | req/s "
              "| turns of the loop, µs of the processor, p50 | p99.9 | most | over 2 ms |\n|---|---|---|---|---|---|")
        for kind in kinds:
            rate, cpus = loaded(kind)
            print(f"| {kind} | {rate:.0f} | {at(cpus, 0.5):.0f} | {at(cpus, 0.999):.0f} | {cpus[-1]:.0f} "
                  f"| {sum(cpu > 2000 for cpu in cpus)} of {len(cpus):,} |", flush=True)
    finally:
        server.stop()


def counted(installations, folder):
    """Instructions of a call with each kind of load, by callgrind."""
    stripped = pathlib.Path(folder) / "gatehouse"
    subprocess.run(["objcopy", "--strip-debug", str(BINARY), str(stripped)], check=True)
    found = []
    for name, installation, pairs in (("one API, one key", installations[0], installations[0].plain[:1]),
                                      (f"{len(installations[1].plain):,} of them", installations[1], installations[1].plain)):
        # Every pair is seen before the calls that count.
        paths = lambda requests: [pairs[number % len(pairs)] for number in range(requests)]
        found.append(instructions(installation.server.folder, stripped, paths(2000), paths(4000)))
        # A call under valgrind takes a millisecond, so that what a subject costs once a second meets every call and not one in fifty.
        steady = found[-1].total - found[-1].handing - (found[-1].recording - found[0].recording)
        first = found[0].total - found[0].handing
        print(f"| {name} | {found[-1].total:.0f} | {found[-1].total / found[0].total:.3f} | {steady:.0f} | {steady / first:.3f} |", flush=True)



def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--seconds", type=int, default=3)
    parse.add_argument("--connections", type=int, default=32)
    parse.add_argument("--apis", type=int, default=10_000)
    parse.add_argument("--keys", type=int, default=100_000)
    parse.add_argument("--changes", type=int, default=50)
    parse.add_argument("--only", choices=("loads", "changes", "callgrind"))
    options = parse.parse_args()
    chosen = min(CHOSEN, options.apis)
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name:
        folder, port = pathlib.Path(name), free_port()
        upstream = start_upstream(folder, port)
        try:
            address = f"http://127.0.0.1:{port}"
            installations = [Installation(folder / "small", address, 1, 3, 1),
                             Installation(folder / "large", address, options.apis, options.keys, chosen)]
            load = MixedLoad(folder, options.connections, options.seconds)
            if options.only in (None, "loads"):
                loads(installations, load, options)
            if options.only in (None, "changes"):
                changes(installations[1], load, options.changes)
            if options.only in (None, "callgrind"):
                print("\n| calls | instructions of the loop per request (callgrind) | of the first | without what each subject costs once a second | of the first |"
                      "\n|---|---|---|---|---|")
                counted(installations, folder)
        finally:
            upstream.terminate()
            upstream.wait()


if __name__ == "__main__":
    main()
