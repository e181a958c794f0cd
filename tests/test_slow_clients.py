"""Clients that take their answers slowly, upstreams that take requests slowly, answers that take long: nothing of them is lost, and nothing is held
for ever."""
import concurrent.futures
import contextlib
import http.server
import json
import pathlib
import signal
import socket
import struct
import threading
import time
import urllib.parse

import pytest

from gatehouse import Server, rrs_path, server, table
from test_gateway_tls import trust
from test_policies import Managed, sections
from test_websocket import read_head

ROWS = 8000
SETTINGS = {"gateway-body-seconds": 1, "gateway-idle-seconds": 1, "gateway-write-seconds": 4, "upstream-idle-seconds": 1,
            "upstream-first-byte-seconds": 4}
SIZE = 20 << 20


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    (folder / "settings.yaml").write_text("\n".join(f"{name}: {value}" for name, value in SETTINGS.items()))
    with server("--config", str(folder / "settings.yaml")) as running:
        # Before several ask for it at once.
        running.demo()
        yield running


def ask(running, version="HTTP/1.1", fields="", door="gateway", behind=b""):
    """A connection whose client has asked for more than the system keeps for it, and what it asked for."""
    guide = running.demo()
    parts = urllib.parse.urlsplit(running.urls[door])
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    stream.settimeout(20)
    stream.connect((parts.hostname, parts.port))
    if door == "gateway-tls":
        stream = trust(running).wrap_socket(stream, server_hostname=parts.hostname)
    body = json.dumps(table([["many words to hash " * 30]] * ROWS))
    path = ("" if door == "services" else "/azureml-demo") + rrs_path(guide)
    request = (f"POST {path} {version}\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {guide['apiKey']}\r\n{fields}"
               f"Ocp-Apim-Subscription-Key: {guide['subscriptionKey']}\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
    stream.sendall(request + behind)
    return stream, request


def length(stream):
    head = read_head(stream)
    assert head.startswith("HTTP/1.1 200 "), head
    return int(head.lower().split("content-length: ")[1].split("\r\n")[0])


def read(stream, count):
    received = bytearray()
    while len(received) < count and (piece := stream.recv(min(count - len(received), 1 << 16))):
        received += piece
    return received


def is_whole(body):
    return len(json.loads(body)["Results"]["output1"]["value"]["Values"]) == ROWS


def late(running, version, fields, door, behind=b""):
    """Takes an answer after a while, and another one where the connection is kept; what it saw."""
    stream, request = ask(running, version, fields, door, behind)
    with stream:
        count = length(stream)
        time.sleep(2.5)
        seen = [is_whole(read(stream, count))]
        if fields or version == "HTTP/1.0":
            return seen + [stream.recv(1) == b""]
        stream.sendall(request)
        return seen + [is_whole(read(stream, length(stream)))]


def test_an_answer_is_whole_however_late_it_is_taken(slow):
    close = "Connection: close\r\n"
    kinds = [("HTTP/1.1", close, "services"), ("HTTP/1.0", "", "services"), ("HTTP/1.1", close, "gateway"), ("HTTP/1.0", "", "gateway-tls"),
             ("HTTP/1.1", close, "gateway-tls"), ("HTTP/1.1", close, "gateway", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5000), ("HTTP/1.1", "", "gateway"), ("HTTP/1.1", "", "gateway-tls")]
    with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
        found = {kind: pool.submit(late, slow, *kind) for kind in kinds}
        assert {kind: seen.result() for kind, seen in found.items()} == {kind: [True, True] for kind in kinds}


def test_who_takes_steadily_has_all_the_time_and_who_takes_nothing_has_not(slow):
    stalled, _ = ask(slow)
    stream, _ = ask(slow, fields="Connection: close\r\n")
    with stream, stalled:
        stalled_count, count = length(stalled), length(stream)
        received = bytearray()
        until = time.monotonic() + 2 * SETTINGS["gateway-write-seconds"]
        while time.monotonic() < until:
            received += read(stream, 20_000)
            time.sleep(0.2)
        assert len(received) < count, "there is more to take than was taken"
        assert is_whole(received + read(stream, count))
        with contextlib.suppress(ConnectionResetError):
            assert len(read(stalled, stalled_count)) < stalled_count


class Events(http.server.BaseHTTPRequestHandler):
    """An event each half second."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number in range(8):
            self.wfile.write(f"data: {number}\n\n".encode())
            time.sleep(0.5)

    def log_message(self, *_):
        pass


def test_an_answer_without_a_request_body_may_last(slow):
    """The time for a body is that of the request's, not of the answer's."""
    events = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Events)
    threading.Thread(target=events.serve_forever, daemon=True).start()
    managed = Managed(slow, f"http://127.0.0.1:{events.server_address[1]}", "lasting")
    answer = managed.call()
    events.shutdown()
    events.server_close()
    assert answer.text == "".join(f"data: {number}\n\n" for number in range(8))


def resident(running):
    """MiB that a server holds in memory."""
    status = (pathlib.Path(f"/proc/{running.process.pid}") / "status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


def test_answers_to_requests_sent_ahead_do_not_pile_up(slow):
    count, size = 1500, 100_000
    managed = Managed(slow, "http://127.0.0.1:9", "ahead")
    managed.set(sections(inbound=f"<return-response><set-body>{'x' * size}</set-body></return-response>"))
    parts = urllib.parse.urlsplit(slow.urls["gateway"])
    request = f"GET /ahead/items/1?lang=en HTTP/1.1\r\nHost: a\r\nOcp-Apim-Subscription-Key: {managed.keys['products']}\r\n\r\n".encode()
    assert managed.call().status == 200
    before = resident(slow)
    with socket.create_connection((parts.hostname, parts.port), 20) as stream:
        threading.Thread(target=lambda: stream.sendall(request * count), daemon=True).start()
        time.sleep(1.5)
        assert resident(slow) < before + 20, "a hundred answers would be 10 MiB"
        for _ in range(count):
            assert length(stream) == size and len(read(stream, size)) == size


class Reluctant(http.server.BaseHTTPRequestHandler):
    """Reads no body for some seconds, or never; answers with as much as it was sent."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        kind = self.path.split("/")[-1].split("?")[0]
        if kind == "late":
            time.sleep(3)
        elif kind == "never":
            time.sleep(14)
            return self.connection.close()
        elif kind == "reset":
            time.sleep(1)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return self.connection.close()
        count = int(self.headers["Content-Length"])
        body = self.rfile.read(count)
        self.send_response(200)
        self.send_header("Content-Length", str(count))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def finish(self):
        with contextlib.suppress(OSError, ValueError):
            super().finish()


@pytest.fixture(scope="module")
def reluctant(slow):
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reluctant)
    upstream.daemon_threads = True
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    yield Managed(slow, f"http://127.0.0.1:{upstream.server_address[1]}", "reluctant")
    upstream.shutdown()
    upstream.server_close()


@contextlib.contextmanager
def upload(managed, kind):
    """The connection of a client that is sending more than the system keeps on the way."""
    parts = urllib.parse.urlsplit(managed.live.urls["gateway"])
    head = (f"POST /{managed.name}/items/{kind}?lang=en HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n"
            f"Ocp-Apim-Subscription-Key: {managed.keys['products']}\r\n\r\n").encode()
    with socket.create_connection((parts.hostname, parts.port), 20) as stream:
        sender = threading.Thread(target=lambda: stream.sendall(head + bytes(SIZE)), daemon=True)
        sender.start()
        yield stream, sender


def test_an_upstream_may_begin_late_to_read_and_a_client_to_take(reluctant):
    with upload(reluctant, "late") as (stream, _):
        count = length(stream)
        time.sleep(3)
        assert count == SIZE and read(stream, count) == bytes(SIZE)


@pytest.mark.parametrize("kind,least,most", [("never", 4, 12), ("reset", 1, 6)])
def test_an_upstream_that_never_reads_is_given_up(reluctant, kind, least, most):
    began = time.monotonic()
    with upload(reluctant, kind) as (stream, sender):
        head = read_head(stream)
        assert head.startswith("HTTP/1.1 500 ") and least <= time.monotonic() - began <= most
        # The rest of the request is dropped, and the connection is as good as before.
        read(stream, int(head.lower().split("content-length: ")[1].split("\r\n")[0]))
        sender.join(10)
        assert not sender.is_alive()
        stream.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_head(stream).startswith("HTTP/1.1 404 ")


@pytest.mark.parametrize("fields", ["", "Connection: close\r\n"])
def test_the_end_of_the_server_waits_for_answers_on_their_way(tmp_path, fields):
    running = Server(tmp_path).start()
    stream, _ = ask(running, fields=fields, door="services")
    with stream:
        count = length(stream)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(1.5)
        assert is_whole(read(stream, count)) and stream.recv(1) == b""
    assert running.stop() == 0
