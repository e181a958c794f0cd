"""Connections of all doors: who holds many, sends slowly or takes slowly gets no more than a share, and nobody else suffers."""
import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import pathlib
import re
import resource
import socket
import time
import urllib.parse
from email.utils import formatdate

import pytest

import gatehouse
from gatehouse import rrs_path, server

ACCOUNT = "devstoreaccount1"
KEY = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
DOORS = ["gateway", "portal", "services", "blobs"]
SHORT = {"head-seconds": 2, "idle-seconds": 2, "body-grace-seconds": 2, "body-rate-min": 1000}


def settings(folder, values):
    path = pathlib.Path(folder) / "settings.yaml"
    path.write_text("\n".join(f"{name}: {value}" for name, value in values.items()))
    return ["--config", str(path)]


def connect(running, door, host=None):
    parts = urllib.parse.urlsplit(running.urls[door])
    stream = socket.create_connection((host or parts.hostname, parts.port), 10)
    stream.settimeout(10)
    return stream


def answer(stream):
    """The status of the next answer, 0 where the connection ended without one; its body is taken too."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while b"\r\n\r\n" not in received and (piece := stream.recv(65536)):
            received += piece
    if b"\r\n\r\n" not in received:
        return 0
    head, rest = received.split(b"\r\n\r\n", 1)
    found = re.search(rb"(?i)content-length: (\d+)", head)
    left = (int(found[1]) if found else 0) - len(rest)
    while left > 0 and (piece := stream.recv(left)):
        left -= len(piece)
    return int(head.split()[1])


def ask(running, door, request, **options):
    with connect(running, door, **options) as stream:
        stream.sendall(request)
        return answer(stream)


def lives(running, doors=DOORS):
    """Whether each door answers somebody who comes now; a door whose every room is at work this moment may ask for another try."""
    def answers(door):
        for _ in range(3):
            if ask(running, door, b"GET /nobody/here HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") >= 400:
                return True
            time.sleep(0.5)
        return False
    return {door: answers(door) for door in doors}


ALL = {door: True for door in DOORS}


def at_every_door(check):
    """Runs a check at all doors side by side: most of its time is waiting."""
    with concurrent.futures.ThreadPoolExecutor(len(DOORS)) as pool:
        for done in [pool.submit(check, door) for door in DOORS]:
            done.result()


def ended(stream, pieces, pause=0.25, limit=12):
    """Seconds until the server ends the connection of who sends these pieces, one after the other."""
    began = time.monotonic()
    stream.settimeout(pause)
    pieces = iter(pieces)
    while time.monotonic() - began < limit:
        piece = next(pieces, b"")
        try:
            if piece:
                stream.sendall(piece)
            if not stream.recv(65536):
                return time.monotonic() - began
        except TimeoutError:
            pass
        except OSError:
            return time.monotonic() - began
    return limit


def blob(running, method, path, body=b"", **fields):
    """A signed call of the blobs door."""
    path, _, query = path.partition("?")
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06", **{k.replace("_", "-"): v for k, v in fields.items()}}
    head = blob_head(method, path, query, len(body), headers)
    stream = connect(running, "blobs")
    with stream:
        stream.sendall(head + body)
        return answer(stream)


def blob_head(method, path, query, length, headers, account=ACCOUNT, key=KEY):
    named = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()) if name.startswith("x-ms-"))
    resource_text = f"/{account}/{account}{path}" + "".join(f"\n{name}:{value}" for name, value in sorted(urllib.parse.parse_qsl(query)))
    text = f"{method}\n\n\n{length or ''}\n\n\n\n\n\n\n\n\n{named}{resource_text}"
    signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    target = f"/{account}{path}" + (f"?{query}" if query else "")
    return (f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: SharedKey {account}:{signature}\r\n{lines}"
            f"Content-Length: {length}\r\n\r\n").encode()


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    folder = tmp_path_factory.mktemp("short")
    with server(*settings(folder, {f"{door}-{name}": value for door in DOORS for name, value in SHORT.items()})) as running:
        running.guide = running.demo()
        yield running


def bodies(running):
    """The head of a request at each door whose body is wanted: it is good, and its key too."""
    guide = running.guide
    rrs = rrs_path(guide)
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06", "x-ms-blob-type": "BlockBlob"}
    assert blob(running, "PUT", "/slow?restype=container") in (201, 409)
    length = 1 << 22
    return {
        "gateway": (f"POST /azureml-demo{rrs} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {guide['apiKey']}\r\n"
                    f"Ocp-Apim-Subscription-Key: {guide['subscriptionKey']}\r\nContent-Length: {length}\r\n\r\n").encode(),
        "services": (f"POST {rrs} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {guide['apiKey']}\r\n"
                     f"Content-Length: {length}\r\n\r\n").encode(),
        "portal": (f"POST /api/workspaces/{guide['workspace']}/datasets?name=slow&dataTypeId=GenericCSV HTTP/1.1\r\nHost: a\r\n"
                   f"Authorization: Bearer {running.token}\r\nContent-Length: {length}\r\n\r\n").encode(),
        "blobs": blob_head("PUT", "/slow/blob", "", length, headers),
    }


def test_every_door_ends_who_rests_drips_or_stops(short):
    heads = bodies(short)
    drip = [b"x"] * 60

    def kinds(door):
        return {
            "idle": [], "half a head": [b"GET / HTTP/1.1\r\nHost: a\r\n"], "a head that drips": [b"GET / HTTP/1.1\r\n"] + [b"X: 1\r\n"] * 60,
            "half a body": [heads[door] + b"x" * 1000], "a body that drips": [heads[door]] + drip,
            # A million bytes at once would buy a quarter of an hour, were it the average that counts.
            "a body that was fast": [heads[door] + b"x" * 1_000_000] + drip,
        }

    def run(door, kind):
        with connect(short, door) as stream:
            return ended(stream, kinds(door)[kind])

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        found = {(door, kind): pool.submit(run, door, kind) for door in DOORS for kind in kinds(door)}
        times = {key: round(value.result(), 1) for key, value in found.items()}
    assert all(1 < seconds < 8 for seconds in times.values()), times
    assert lives(short) == ALL


def test_a_kept_connection_serves_again_and_rests_no_longer_than_it_may(short):
    def check(door):
        with connect(short, door) as stream:
            for _ in range(3):
                stream.sendall(b"GET /nobody/here HTTP/1.1\r\nHost: a\r\n\r\n")
                assert answer(stream) >= 400
            assert 1 < ended(stream, []) < 5, door

    at_every_door(check)


@pytest.mark.parametrize("fields", ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a\r\nX: y\r\nhost: a\r\n", "HOST: a\r\nhOST: \r\n"])
def test_two_hosts_or_none_are_refused_at_every_door(short, fields):
    for door in DOORS:
        for line in ("GET /health/live", "PUT /devstoreaccount1/c", "POST /workspaces/a/services/b/execute", "DELETE /subscriptions/x"):
            assert ask(short, door, f"{line} HTTP/1.1\r\n{fields}\r\n".encode()) == 400, (door, line)


def usage(running):
    """Seconds of processor time so far."""
    words = (pathlib.Path(f"/proc/{running.process.pid}") / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / 100


def descriptors(running):
    return len(list(pathlib.Path(f"/proc/{running.process.pid}/fd").iterdir()))


@contextlib.contextmanager
def limited(count, *flags):
    """A server that may have so many descriptors, half of them at first."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    original = gatehouse.subprocess.Popen

    class Limited(original):
        def __init__(self, *words, **options):
            super().__init__(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count // 2, count)), **options)

    gatehouse.subprocess.Popen = Limited
    try:
        with server(*flags) as running:
            gatehouse.subprocess.Popen = original
            yield running
    finally:
        gatehouse.subprocess.Popen = original
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_half_open_connections_stop_no_door_when_descriptors_are_few():
    with limited(256) as running:
        assert resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE) == (256, 256), "the soft limit is raised"
        for door in DOORS:
            held = []
            for number in range(300):
                stream = connect(running, door)
                held.append(stream)
                with contextlib.suppress(OSError):
                    stream.sendall([b"GET / HTTP/1.1\r\n", b"", b"POST /nobody HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"][number % 3])
            assert lives(running) == ALL
            assert descriptors(running) < 256 - 60, "the stores keep theirs"
            began = time.monotonic()
            for number in range(5):
                assert blob(running, "PUT", f"/{door}{number}?restype=container") == 201
                assert blob(running, "PUT", f"/{door}{number}/b", b"x" * 100_000, x_ms_blob_type="BlockBlob") == 201
            assert running.management("GET", "/apis").status == 200
            assert time.monotonic() - began < 8, "nobody waits for those that do nothing"
            for stream in held:
                stream.close()


def test_accepting_pauses_without_descriptors_and_goes_on(tmp_path):
    with server() as running:
        pid = running.process.pid
        original = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(running) + 4, original[1]))
        held = [connect(running, DOORS[number % 4]) for number in range(40)]
        time.sleep(0.5)
        before = usage(running)
        time.sleep(2)
        assert usage(running) - before < 0.7, "it does not turn in a circle"
        assert running.process.poll() is None
        resource.prlimit(pid, resource.RLIMIT_NOFILE, original)
        time.sleep(1.5)
        assert lives(running) == ALL
        for stream in held:
            stream.close()


def own_address():
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found = probe.getsockname()[0]
        except OSError:
            return None
    return None if found.startswith("127.") else found


def served(running, door, host, count):
    """How many of so many connections of one address are answered while all are open."""
    held = [connect(running, door, host) for _ in range(count)]
    statuses = []
    for stream in held:
        with contextlib.suppress(OSError):
            stream.sendall(b"GET /nobody/here HTTP/1.1\r\nHost: a\r\n\r\n")
        statuses.append(answer(stream) > 0)
    for stream in held:
        stream.close()
    time.sleep(0.3)
    return sum(statuses)


def test_an_address_has_a_share_but_for_loopback_and_proxies(tmp_path):
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    bounds = {f"{door}-connections-per-address-max": 5 for door in DOORS}
    flags = ["--bind", "0.0.0.0"]
    with server(*settings(tmp_path, bounds), *flags) as running:
        for door in DOORS:
            assert served(running, door, address, 12) == 5, door
            assert served(running, door, address, 5) == 5, "those that ended do not count"
            assert served(running, door, "127.0.0.1", 12) == 12, door
    with server(*settings(tmp_path, bounds | {"gateway-trusted-proxies": address}), *flags) as running:
        assert {door: served(running, door, address, 12) for door in DOORS} == dict.fromkeys(DOORS, 12)


def test_a_full_door_lets_go_of_who_rests_and_of_nobody_else(tmp_path):
    with server(*settings(tmp_path, {f"{door}-connections-max": 10 for door in DOORS})) as running:
        running.guide = running.demo()
        heads = bodies(running)

        def check(door):
            # At work: their bodies are still to come.
            busy = [connect(running, door) for _ in range(10)]
            for stream in busy:
                stream.sendall(heads[door] + b"x")
            time.sleep(0.5)
            assert served(running, door, None, 3) == 0, door
            busy.pop().close()
            time.sleep(0.3)
            assert served(running, door, None, 1) == 1, door
            for stream in busy:
                stream.close()
            time.sleep(0.3)
            resting = [connect(running, door) for _ in range(10)]
            time.sleep(1.2)
            assert served(running, door, None, 5) == 5, door
            time.sleep(0.2)
            gone = 0
            for stream in resting:
                stream.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    gone += not stream.recv(1)
                stream.close()
            assert gone == 5, (door, gone)

        # One after the other: loops take connections in turns that all doors share, and a loop that got fewer than its part of a door lets
        # newcomers in up to it.
        for door in DOORS:
            check(door)


@pytest.mark.parametrize("kind", ["read slowly", "write slowly"])
def test_slow_clients_do_not_close_the_blobs_door(kind):
    with server() as running:
        assert blob(running, "PUT", "/large?restype=container") == 201
        assert blob(running, "PUT", "/large/blob", bytes(24 << 20), x_ms_blob_type="BlockBlob") == 201
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        if kind == "read slowly":
            request = blob_head("GET", "/large/blob", "", 0, headers)
        else:
            request = blob_head("PUT", "/large/other", "", 1 << 20, headers | {"x-ms-blob-type": "BlockBlob"}) + b"x" * 1000
        held = []
        for _ in range(560):
            stream = socket.socket()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            stream.connect(("127.0.0.1", urllib.parse.urlsplit(running.urls["blobs"]).port))
            stream.sendall(request)
            held.append(stream)
        time.sleep(2)
        for number in range(20):
            assert blob(running, "PUT", f"/large/small{number}", b"x" * 1000, x_ms_blob_type="BlockBlob") == 201
            assert blob(running, "GET", f"/large/small{number}") == 200
        with connect(running, "blobs") as stream:
            stream.sendall(blob_head("GET", "/large/blob", "", 0, headers))
            assert answer(stream) == 200
        # Not a mebibyte for each.
        status = (pathlib.Path(f"/proc/{running.process.pid}") / "status").read_text()
        assert int(status.split("VmRSS:")[1].split()[0]) < 600 << 10
        for stream in held:
            stream.close()


@pytest.mark.parametrize("kind", ["read slowly", "write slowly"])
def test_a_full_door_ends_the_slowest(kind):
    with limited(256) as running:
        assert blob(running, "PUT", "/large?restype=container") == 201
        assert blob(running, "PUT", "/large/blob", bytes(4 << 20), x_ms_blob_type="BlockBlob") == 201
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        if kind == "read slowly":
            request = blob_head("GET", "/large/blob", "", 0, headers)
        else:
            request = blob_head("PUT", "/large/other", "", 4 << 20, headers | {"x-ms-blob-type": "BlockBlob"}) + b"x" * 1000
        held = []
        for _ in range(100):
            stream = socket.socket()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            stream.connect(("127.0.0.1", urllib.parse.urlsplit(running.urls["blobs"]).port))
            with contextlib.suppress(OSError):
                stream.sendall(request)
            held.append(stream)
        began = time.monotonic()
        done = 0
        # Who is slow is known after some seconds; until then newcomers have the room that is left.
        while done < 10:
            assert time.monotonic() - began < 15, "newcomers are kept out"
            if blob(running, "PUT", f"/large/small{done}", b"x" * 1000, x_ms_blob_type="BlockBlob") == 201:
                done += 1
            else:
                time.sleep(0.2)
        for stream in held:
            stream.close()
