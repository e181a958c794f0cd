"""Clients that take their answers slowly, and answers that take long: nothing of them is lost, and nothing is held for ever."""
import contextlib
import http.server
import json
import signal
import socket
import threading
import time
import urllib.parse

import pytest

from gatehouse import Server, rrs_path, server, table
from test_gateway_tls import trust
from test_policies import Managed
from test_websocket import read_head

ROWS = 8000
SETTINGS = {"gateway-body-seconds": 1, "gateway-idle-seconds": 1, "gateway-write-seconds": 4}


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    (folder / "settings.yaml").write_text("\n".join(f"{name}: {value}" for name, value in SETTINGS.items()))
    with server("--config", str(folder / "settings.yaml")) as running:
        yield running


def ask(running, version="HTTP/1.1", fields="", door="gateway"):
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
    stream.sendall(request)
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


@pytest.mark.parametrize("version,fields,door", [
    ("HTTP/1.1", "Connection: close\r\n", "services"), ("HTTP/1.0", "", "services"), ("HTTP/1.1", "Connection: close\r\n", "gateway"),
    ("HTTP/1.1", "Connection: close\r\n", "gateway-tls"), ("HTTP/1.1", "", "gateway"), ("HTTP/1.1", "", "gateway-tls")])
def test_an_answer_is_whole_however_late_it_is_taken(slow, version, fields, door):
    stream, request = ask(slow, version, fields, door)
    with stream:
        count = length(stream)
        time.sleep(2.5)
        assert is_whole(read(stream, count))
        if fields or version == "HTTP/1.0":
            assert stream.recv(1) == b""
        else:
            stream.sendall(request)
            assert is_whole(read(stream, length(stream))), "the connection is as good as before"


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
