"""WebSockets through the gateway, and the bounds of its connections."""
import base64
import concurrent.futures
import contextlib
import hashlib
import http.client
import os
import socket
import threading
import time
import urllib.parse

import pytest

from gatehouse import call, server
from test_management import client  # noqa: F401
from test_policies import Managed, sections

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def read_head(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            raise ConnectionError(head)
        head += byte
    return head.decode()


class EchoSockets:
    """Upgrades and sends back every byte; refuses where the path says so."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.heads, self.open = [], 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        with contextlib.suppress(OSError, ConnectionError), stream:
            head = read_head(stream)
            self.heads.append(head)
            if "refuse" in head:
                stream.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
                return
            key = [line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")][0]
            accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
            stream.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\nhello")
            self.open += 1
            try:
                while data := stream.recv(65536):
                    if data == b"bye":
                        return
                    stream.sendall(data)
            finally:
                self.open -= 1


@pytest.fixture(scope="module")
def sockets(live):
    upstream = EchoSockets()
    managed = Managed(live, upstream.url, "sockets")
    yield upstream, managed
    upstream.listener.close()


def dial(live, path, **headers):
    parts = urllib.parse.urlsplit(live.urls["gateway"])
    stream = socket.create_connection((parts.hostname, parts.port), 10)
    fields = {"Host": "gateway", "Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
              "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **headers}
    lines = [f"GET {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields.items()]
    stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return stream, fields["Sec-WebSocket-Key"]


def take(stream, count):
    data = b""
    while len(data) < count and (piece := stream.recv(65536)):
        data += piece
    return data


@pytest.mark.parametrize("with_policies", [False, True])
def test_a_websocket_goes_through(live, sockets, with_policies):
    upstream, managed = sockets
    if with_policies:
        managed.set(sections(inbound='<base /><set-header name="X-In"><value>1</value></set-header>',
                             outbound='<base /><set-header name="X-Out"><value>1</value></set-header>'))
    key = {"Ocp-Apim-Subscription-Key": managed.keys["products"]}
    stream, secret = dial(live, "/sockets/items/1?lang=en", **key)
    with stream:
        head = read_head(stream)
        assert head.startswith("HTTP/1.1 101 ") and "Upgrade: websocket" in head and "Connection: Upgrade" in head
        assert base64.b64encode(hashlib.sha1(secret.encode() + GUID).digest()).decode() in head
        assert ("X-Out: 1" in head) == with_policies
        assert take(stream, 5) == b"hello"
        sent = os.urandom(3 << 20)
        sender = threading.Thread(target=stream.sendall, args=(sent,))
        sender.start()
        assert take(stream, len(sent)) == sent
        sender.join()
        assert "Upgrade: websocket" in upstream.heads[-1] and "Connection: Upgrade" in upstream.heads[-1]
        stream.sendall(b"bye")
        assert stream.recv(10) == b"", "what one side ends, ends for the other"
    stream, _ = dial(live, "/sockets/items/1?lang=en", **key)
    read_head(stream)
    take(stream, 5)
    stream.close()
    deadline = time.monotonic() + 5
    while upstream.open and time.monotonic() < deadline:
        time.sleep(0.05)
    assert upstream.open == 0
    live.management("DELETE", "/apis/sockets/policies/policy", headers={"If-Match": "*"})


def test_an_api_of_websockets_has_its_handshake(live, sockets, client):  # noqa: F811
    """As clients make one: type and schemes of WebSockets, and no operation of their own."""
    upstream, _ = sockets
    sdk, at = client
    made = sdk.api.begin_create_or_update(*at, "live-feed", {
        "display_name": "Feed", "path": "feed", "api_type": "websocket", "type_properties_type": "websocket", "protocols": ["ws", "wss"],
        "service_url": upstream.url.replace("http:", "ws:") + "/base", "subscription_required": False}).result()
    assert made.protocols == ["ws", "wss"]
    assert [operation.name for operation in sdk.api_operation.list_by_api(*at, "live-feed")] == ["onHandshake"]
    for path in ("/feed", "/feed/prices/eur?depth=2"):
        stream, _ = dial(live, path)
        with stream:
            assert read_head(stream).startswith("HTTP/1.1 101 ") and take(stream, 5) == b"hello"
            assert upstream.heads[-1].startswith(f"GET /base{path.removeprefix('/feed')} HTTP/1.1")
    # It may have policies, and is made only once.
    done = live.management("PUT", "/apis/live-feed/operations/onHandshake/policies/policy", {"properties": {
        "value": sections(inbound='<base /><return-response><set-status code="403" /></return-response>'), "format": "rawxml"}})
    assert done.status == 201, done.text
    stream, _ = dial(live, "/feed")
    with stream:
        assert read_head(stream).startswith("HTTP/1.1 403 ")
    assert live.management("PATCH", "/apis/live-feed", {"properties": {"displayName": "Feeds"}}, {"If-Match": "*"}).status == 200
    assert live.management("GET", "/apis/live-feed/operations").json()["count"] == 1
    sdk.api.begin_delete(*at, "live-feed", "*").result()


def test_what_is_not_agreed_on_stays_http(live, sockets):
    upstream, managed = sockets
    key = {"Ocp-Apim-Subscription-Key": managed.keys["products"]}
    stream, _ = dial(live, "/sockets/items/1?lang=en")
    with stream:
        assert read_head(stream).startswith("HTTP/1.1 401 ")
    stream, _ = dial(live, "/sockets/items/refuse?lang=en", **key)
    with stream:
        assert read_head(stream).startswith("HTTP/1.1 403 ") and take(stream, 2) == b"no"
        # The connection is one of HTTP still.
        stream.sendall(b"GET /none HTTP/1.1\r\nHost: g\r\n\r\n")
        assert read_head(stream).startswith("HTTP/1.1 404 ")
    # A field that the connection does not name is nothing that the gateway was told: the upstream's 101 is then garbage.
    stream, _ = dial(live, "/sockets/items/1?lang=en", **key, Connection="keep-alive")
    with stream:
        assert read_head(stream).startswith("HTTP/1.1 500 ")
        assert "Upgrade" not in upstream.heads[-1]


def test_bounds_are_settings(tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("\n".join(f"{name}: {value}" for name, value in {
        "gateway-fields-max": 20, "gateway-head-bytes-max": 4096, "gateway-target-bytes-max": 1024, "gateway-head-seconds": 2,
        "gateway-idle-seconds": 2, "gateway-body-seconds": 20, "gateway-body-grace-seconds": 2, "gateway-body-rate-min": 1000,
        "gateway-body-bytes-max": 5000}.items()))
    with server("--config", str(settings)) as running:
        parts = urllib.parse.urlsplit(running.urls["gateway"])

        def connect():
            stream = socket.create_connection((parts.hostname, parts.port), 10)
            stream.settimeout(10)
            return stream

        def status(request):
            with connect() as stream:
                stream.sendall(request)
                return read_head(stream).split()[1]

        fields = "".join(f"X-{number}: 1\r\n" for number in range(20))
        assert status(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == "404"
        assert status(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()) == "431"
        assert status(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 4096 + b"\r\n\r\n") == "431"
        assert status(b"GET /" + b"x" * 1024 + b" HTTP/1.1\r\nHost: a\r\n\r\n") == "414"

        def lasts(*pieces, pause=0.5, limit=9):
            """Seconds until the gateway lets go of who sends these."""
            with connect() as stream:
                began = time.monotonic()
                stream.settimeout(pause)
                for piece in pieces:
                    with contextlib.suppress(OSError):
                        stream.sendall(piece)
                    try:
                        while stream.recv(4096):
                            pass
                        return time.monotonic() - began
                    except (TimeoutError, socket.timeout):
                        pass
                    except OSError:
                        return time.monotonic() - began
                    if time.monotonic() - began > limit:
                        break
                return limit

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            idle = pool.submit(lasts, *[b""] * 20)
            slow_head = pool.submit(lasts, b"GET / HTTP/1.1\r\n", *[b"X: 1\r\n"] * 20)
            slow_body = pool.submit(lasts, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n", *[b"x"] * 20)
            assert 1 < idle.result() < 5 and 2 <= slow_head.result() < 5 and 1 < slow_body.result() < 6

        upstream = EchoBodies()
        managed = Managed(running, upstream.url, "sized")
        assert managed.call("POST", body="x" * 5000).status == 200
        assert managed.call("POST", body="x" * 5001).status == 413
        managed.put("/apis/sized", {"displayName": "sized", "path": "sized", "protocols": ["http"], "serviceUrl": upstream.url,
                                    "requestBodyBytesMax": 100})
        assert managed.call("POST", body="x" * 100).status == 200
        refused = managed.call("POST", body="x" * 101)
        assert refused.status == 413 and refused.json()["statusCode"] == 413
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        connection.request("POST", "/sized/items/1?lang=en", iter([b"x" * 60] * 4), encode_chunked=True,
                           headers={"Ocp-Apim-Subscription-Key": managed.keys["apis"], "Transfer-Encoding": "chunked"})
        assert connection.getresponse().status == 413
        connection.close()

        wrong = tmp_path / "wrong.yaml"
        wrong.write_text("gateway-fields-max: 5\n")
        with pytest.raises(RuntimeError, match="--gateway-fields-max 5 must be from 16 to 1024"):
            with server("--config", str(wrong)):
                pass


class EchoBodies(EchoSockets):
    def serve(self, stream):
        with contextlib.suppress(OSError, ConnectionError), stream:
            while True:
                head = read_head(stream)
                length = [line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("content-length")]
                if length:
                    take_exactly(stream, int(length[0]))
                elif "chunked" in head.lower():
                    data = b""
                    while not data.endswith(b"0\r\n\r\n"):
                        data += stream.recv(4096) or b"0\r\n\r\n"
                stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def take_exactly(stream, count):
    while count > 0:
        piece = stream.recv(min(count, 65536))
        if not piece:
            raise ConnectionError
        count -= len(piece)
