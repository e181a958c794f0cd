"""Backends by name: credentials, pools, circuits; documents by link; revisions that are offline; upstreams that fail."""
import contextlib
import http.client
import http.server
import json
import pathlib
import socket
import struct
import tempfile
import threading
import time

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from gatehouse import call, server
from test_gateway import NOT_FOUND
from test_management import client  # noqa: F401
from test_policies import GLOBAL, Managed, sections


class Named(http.server.BaseHTTPRequestHandler):
    """Says who it is and what it was sent; fails where its server is told to."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.calls += 1
        status = self.server.status
        answer = json.dumps({"name": self.server.name, "path": self.path, "size": len(body),
                             "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(status)
        if status == 503 and self.server.retry_after:
            self.send_header("Retry-After", str(self.server.retry_after))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, *_):
        pass


def serve(name, kind=Named):
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    running.daemon_threads = True
    running.name, running.status, running.calls, running.retry_after = name, 200, 0, None
    running.url = f"http://127.0.0.1:{running.server_address[1]}"
    threading.Thread(target=running.serve_forever, daemon=True).start()
    return running


@pytest.fixture
def two():
    made = serve("first"), serve("second")
    yield made
    for running in made:
        running.shutdown()
        running.server_close()


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def managed(live, two, request):
    name = "b" + request.node.name.replace("_", "-")[-40:].lower().strip("-[]")
    made = Managed(live, two[0].url, name)
    yield made
    live.management("DELETE", f"/apis/{name}", headers={"If-Match": "*"})
    live.management("DELETE", f"/products/{name}?deleteSubscriptions=true", headers={"If-Match": "*"})


def use(managed, backend, forward="<forward-request />"):
    managed.set(sections(inbound=f'<base /><set-backend-service backend-id="{backend}" />', backend=forward))


def test_backends_through_the_sdk(client, managed, two):  # noqa: F811
    sdk, at = client
    document = {"title": "First", "url": two[1].url + "/v2", "protocol": "http", "credentials": {
        "header": {"X-Key": ["{{backend-secret}}"]}, "query": {"sv": ["1", "2"]},
        "authorization": {"scheme": "Basic", "parameter": "c2VjcmV0"}}, "tls": {"validateCertificateChain": True}}
    managed.live.management("PUT", "/namedValues/backend-secret", {"properties": {
        "displayName": "backend-secret", "value": "from-named-value", "secret": True}})
    made = sdk.backend.create_or_update(*at, "sdk-backend", document)
    assert made.url == two[1].url + "/v2" and made.credentials.authorization.parameter == "c2VjcmV0"
    found = sdk.backend.get(*at, "sdk-backend")
    assert found.credentials.header == {"X-Key": ["{{backend-secret}}"]} and found.credentials.query == {"sv": ["1", "2"]}
    assert "sdk-backend" in [item.name for item in sdk.backend.list_by_service(*at)]
    use(managed, "sdk-backend")
    answer = managed.call().json()
    assert answer["name"] == "second" and answer["path"] == "/v2/items/7?lang=en&sv=1&sv=2"
    assert answer["headers"]["x-key"] == "from-named-value" and answer["headers"]["authorization"] == "Basic c2VjcmV0"
    # What is sealed is in no file as it is.
    for file in managed.live.data.glob("configuration.sqlite*"):
        assert b"c2VjcmV0" not in file.read_bytes()
    sdk.backend.update(*at, "sdk-backend", "*", {"title": "Renamed"})
    assert managed.call().json()["headers"]["x-key"] == "from-named-value", "a change of something else keeps credentials"
    managed.live.management("PUT", "/namedValues/backend-secret", {"properties": {
        "displayName": "backend-secret", "value": "changed", "secret": True}})
    assert managed.call().json()["headers"]["x-key"] == "changed"
    sdk.backend.create_or_update(*at, "sdk-backend", {"url": two[1].url, "protocol": "http"})
    headers = managed.call().json()["headers"]
    assert "x-key" not in headers and "authorization" not in headers
    with pytest.raises(HttpResponseError) as used:
        sdk.backend.delete(*at, "sdk-backend", "*")
    assert "is used by" in used.value.message
    managed.set(GLOBAL)
    sdk.backend.delete(*at, "sdk-backend", "*")
    with pytest.raises(ResourceNotFoundError):
        sdk.backend.get(*at, "sdk-backend")
    assert managed.policy(sections(inbound='<set-backend-service backend-id="sdk-backend" />'), f"/apis/{managed.name}").status == 400
    for wrong, target in [({"protocol": "http"}, "url"), ({"url": "ftp://x"}, "url"),
                          ({"url": two[0].url, "credentials": {"header": {"X": ["a\r\nb"]}}}, "credentials.header"),
                          ({"url": two[0].url, "credentials": {"certificateIds": ["a"]}}, "credentials.certificateIds"),
                          ({"type": "Pool", "pool": {"services": []}}, "pool.services"),
                          ({"type": "Pool", "pool": {"services": [{"id": "/backends/none"}]}}, "pool.services")]:
        done = managed.live.management("PUT", "/backends/wrong", {"properties": wrong})
        assert done.status == 400 and done.json()["error"]["details"][0]["target"] == target, done.text


def pool(managed, *services):
    for name, url, weight, priority in services:
        managed.put(f"/backends/{name}", {"url": url, "protocol": "http"})
    managed.put("/backends/pool", {"type": "Pool", "pool": {"services": [
        {"id": f"/backends/{name}", "weight": weight, "priority": priority} for name, _, weight, priority in services]}})
    use(managed, "pool")


def test_a_pool_shares_calls_by_weight(managed, two):
    pool(managed, ("one", two[0].url, 3, 1), ("two", two[1].url, 1, 1))
    counts = {"first": 0, "second": 0}
    for _ in range(200):
        counts[managed.call().json()["name"]] += 1
    assert 115 <= counts["first"] <= 185 and counts["second"] >= 15, counts


def test_a_member_that_cannot_be_reached_is_passed_over(managed, two):
    gone = f"http://127.0.0.1:{closed_port()}"
    pool(managed, ("one", gone, 1, 1), ("two", two[1].url, 1, 2))
    for method, body in [("GET", None), ("POST", "x" * 200_000), ("POST", "y")] * 4:
        answer = managed.call(method, body=body)
        assert answer.status == 200 and answer.json()["size"] == len(body or ""), answer.text
    pool(managed, ("one", gone, 1, 1), ("two", f"http://127.0.0.1:{closed_port()}", 1, 2))
    assert managed.call().status == 500


def test_a_circuit_opens_and_closes(managed, two):
    rule = {"name": "broken", "tripDuration": "PT2S", "acceptRetryAfter": False, "failureCondition": {
        "count": 3, "interval": "PT10S", "statusCodeRanges": [{"min": 500, "max": 599}]}}
    managed.put("/backends/fragile", {"url": two[0].url, "protocol": "http", "circuitBreaker": {"rules": [rule]}})
    use(managed, "fragile")
    assert managed.call().status == 200
    two[0].status = 503
    assert [managed.call().status for _ in range(3)] == [503] * 3
    before = two[0].calls
    refused = managed.call()
    assert (refused.status, refused.text) == (503, '{ "statusCode": 503, "message": "Service Unavailable" }')
    assert two[0].calls == before, "an open circuit asks nobody"
    two[0].status = 200
    time.sleep(2.1)
    assert managed.call().status == 200
    two[0].status, two[0].retry_after = 503, 4
    managed.put("/backends/fragile", {"url": two[0].url, "protocol": "http",
                                      "circuitBreaker": {"rules": [{**rule, "acceptRetryAfter": True}]}})
    for _ in range(3):
        managed.call()
    two[0].status = 200
    time.sleep(2.5)
    assert managed.call().status == 503, "the backend asked for more time than the rule"
    time.sleep(2)
    assert managed.call().status == 200
    # A pool goes past a member whose circuit is open.
    two[0].status, two[0].retry_after = 503, None
    managed.put("/backends/other", {"url": two[1].url, "protocol": "http"})
    managed.put("/backends/pool", {"type": "Pool", "pool": {"services": [
        {"id": "/backends/fragile", "priority": 1}, {"id": "/backends/other", "priority": 2}]}})
    use(managed, "pool")
    statuses = [managed.call().status for _ in range(6)]
    assert statuses == [503] * 3 + [200] * 3


def test_a_base_url_does_not_override_a_backend(managed, two):
    managed.put("/backends/chosen", {"url": two[1].url, "protocol": "http"})
    managed.set(sections(inbound='<set-backend-service backend-id="chosen" /><base />'), f"/products/{managed.name}")
    managed.set(sections(inbound=f'<base /><set-backend-service base-url="{two[0].url}" />'))
    assert managed.call().json()["name"] == "second"
    managed.set(sections(inbound='<base /><set-backend-service backend-id="@(context.Request.Headers.GetValueOrDefault("x-to", "none"))" />'))
    assert managed.call(**{"x-to": "chosen"}).json()["name"] == "second"
    assert managed.call().status == 500


def test_a_document_by_link(tmp_path):
    documents = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Files", (Named,), {
        "do_GET": lambda self: (self.send_response(200 if "good" in self.path else 404), self.send_header("Content-Length", "%d" % len(TEXT)),
                                self.end_headers(), self.wfile.write(TEXT.encode()))}))
    threading.Thread(target=documents.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{documents.server_address[1]}"
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"blob-hosts-allowed: 127.0.0.1:{documents.server_address[1]}\n")
    with server("--config", str(settings)) as running:
        def put(link, format="rawxml-link"):
            return running.management("PUT", "/policies/policy", {"properties": {"value": link, "format": format}})

        assert put(f"{base}/good.xml?sig=secret").status in (200, 201)
        kept = running.management("GET", "/policies/policy?format=rawxml").json()["properties"]
        assert kept == {"value": TEXT, "format": "rawxml"}
        for link, message in [(f"{base}/none?sig=secret", "was answered with 404"), ("http://127.0.0.2:1/x", "is not allowed"),
                              ("file:///etc/passwd", "must be http or https")]:
            done = put(link)
            detail = done.json()["error"]["details"][0]
            assert done.status == 400 and detail["target"] == "value" and message in detail["message"], detail
            assert "secret" not in done.text
    documents.shutdown()


TEXT = GLOBAL.replace("<inbound />", '<inbound><set-variable name="a" value="@("x" == "<y>")" /></inbound>')


def test_a_revision_can_be_taken_offline(managed, two):
    name = managed.name
    managed.put(f"/apis/{name};rev=2", {"displayName": name, "path": name, "protocols": ["http"], "serviceUrl": two[1].url})
    managed.put(f"/apis/{name};rev=2/operations/get", {"displayName": "G", "method": "GET", "urlTemplate": "/two"})
    path = f"/{name};rev=2/two"
    key = {"Ocp-Apim-Subscription-Key": managed.keys["products"]}
    assert call(managed.live.urls["gateway"], "GET", path, None, key).json()["name"] == "second"
    done = managed.live.management("PATCH", f"/apis/{name};rev=2", {"properties": {"isOnline": False}}, {"If-Match": "*"})
    assert done.status == 200, done.text
    answer = call(managed.live.urls["gateway"], "GET", path, None, key)
    assert (answer.status, answer.text) == (404, NOT_FOUND)
    assert managed.call().status == 200
    managed.live.management("PATCH", f"/apis/{name};rev=2", {"properties": {"isOnline": True}}, {"If-Match": "*"})
    assert call(managed.live.urls["gateway"], "GET", path, None, key).status == 200


class Faulty:
    """Answers as badly as the path says."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        with contextlib.suppress(OSError), stream:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += stream.recv(1) or b"\r\n\r\n"
            if b"/items/" not in head:
                return
            fault = head.split(b"/items/")[1].split(b"?")[0].decode()
            good = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
            chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            stream.sendall({
                "reset": b"", "reset-body": good + b"12345", "silent": b"", "slow": good + b"12345", "garbage": b"\x00\xff\x13 nonsense\r\n\r\n",
                "short": good + b"12345", "long": good + b"1234567890EXTRA", "chunk": chunked + b"5\r\n12345\r\nZZ\r\n",
                "chunk-end": chunked + b"5\r\n12345\r\n",
                "chunk-good": chunked.replace(b"\r\n\r\n", b"\r\nTrailer: X-Sum\r\n\r\n") + b"5\r\n12345\r\n3\r\n678\r\n0\r\nX-Sum: 1\r\n\r\n",
                "until-close": b"HTTP/1.1 200 OK\r\n\r\n12345", "until-reset": b"HTTP/1.1 200 OK\r\n\r\n12345", "both": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                "twice": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                "huge": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", "switch": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
                "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + good + b"1234567890"}[fault])
            if fault in ("reset", "reset-body", "until-reset"):
                # A reset that overtakes the bytes before it would take them along.
                time.sleep(0.3)
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif fault in ("silent", "slow"):
                time.sleep(4)
            elif fault in ("garbage", "long", "chunk", "both", "twice", "huge", "switch", "interim"):
                time.sleep(0.3)


def ask_like_1996(managed, fault, method="GET"):
    host, port = managed.live.urls["gateway"].split("//")[1].split(":")
    with socket.create_connection((host, int(port)), 10) as stream:
        stream.sendall(f"{method} /faulty/items/{fault}?lang=en HTTP/1.0\r\nOcp-Apim-Subscription-Key: {managed.keys['products']}\r\n\r\n".encode())
        received = b""
        while piece := stream.recv(65536):
            received += piece
        return received


@pytest.mark.parametrize("with_policies", [False, True])
def test_upstreams_that_fail(with_policies):
    faulty = Faulty()
    with tempfile.TemporaryDirectory() as folder:
        settings = pathlib.Path(folder) / "settings.yaml"
        settings.write_text("upstream-first-byte-seconds: 1\nupstream-idle-seconds: 1\nupstream-connect-seconds: 1\n")
        with server("--config", str(settings)) as running:
            managed = Managed(running, faulty.url, "faulty")
            if with_policies:
                managed.set(sections(outbound='<base /><set-header name="X-Out"><value>1</value></set-header>'))
            for fault in ("reset", "silent", "garbage", "both", "twice", "huge", "switch"):
                answer = managed.call(path=f"/items/{fault}?lang=en")
                document = answer.json()
                assert answer.status == 500 and document["message"] == "Internal server error", (fault, answer.text)
                assert len(document["activityId"]) == 36 and answer.headers["Content-Type"] == "application/json"
            for fault in ("reset-body", "short", "slow", "chunk", "chunk-end", "until-reset"):
                # Cut, never ended cleanly; a fault that comes in one piece with the head is found before the head goes out.
                with contextlib.suppress(OSError, http.client.HTTPException):
                    assert managed.call(path=f"/items/{fault}?lang=en").status == 500, fault
                    assert fault == "chunk", fault
            long = managed.call(path="/items/long?lang=en")
            assert (long.status, long.body) == (200, b"1234567890"), "what comes after the length is nobody's"
            assert managed.call(path="/items/interim?lang=en").body == b"1234567890"
            assert managed.call(path="/items/until-close?lang=en").body == b"12345"
            # Clients of HTTP/1.0 know no chunks: theirs ends with the connection, and one that is cut by a reset.
            old = ask_like_1996(managed, "chunk-good")
            assert old.startswith(b"HTTP/1.1 200 OK\r\n") and old.endswith(b"\r\n\r\n12345678"), old
            assert b"chunked" not in old.lower() and b"trailer" not in old.lower() and b"Connection: close" in old
            assert ask_like_1996(managed, "chunk-good", "HEAD").startswith(b"HTTP/1.1 404 ")
            for fault in ("chunk-end", "until-reset"):
                with pytest.raises(ConnectionResetError):
                    ask_like_1996(managed, fault)
            managed.put("/apis/faulty", {"displayName": "faulty", "path": "faulty", "protocols": ["http"],
                                         "serviceUrl": f"http://127.0.0.1:{closed_port()}"})
            assert managed.call().status == 500
            managed.put("/apis/faulty", {"displayName": "faulty", "path": "faulty", "protocols": ["http"],
                                         "serviceUrl": "http://no-such-name.invalid"})
            assert managed.call().status == 500
            log = (running.folder / "log").read_text()
            assert "BackendConnectionFailure" in log and "Timeout" in log


class Held(Named):
    """Answers once it is let go, or breaks off."""

    def do_GET(self):
        self.server.calls += 1
        self.server.gate.wait(20)
        if self.server.status == 0:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return self.connection.close()
        super().do_GET()

    def finish(self):
        with contextlib.suppress(OSError, ValueError):
            super().finish()


def test_limited_concurrency_is_given_back_however_a_call_ends(live):
    upstream = serve("held", Held)
    upstream.gate = threading.Event()
    managed = Managed(live, upstream.url, "limited")
    limit = '<limit-concurrency key="@(context.Subscription.Id)" max-count="2"><forward-request /></limit-concurrency>'
    managed.set(sections(backend=limit))
    host, port = live.urls["gateway"].split("//")[1].split(":")
    request = f"GET /limited/items/1?lang=en HTTP/1.1\r\nHost: a\r\nOcp-Apim-Subscription-Key: {managed.keys['products']}\r\n\r\n".encode()

    def begin():
        """Two calls that are with the upstream."""
        reached = upstream.calls + 2
        streams = [socket.create_connection((host, int(port)), 10) for _ in range(2)]
        for stream in streams:
            stream.sendall(request)
        until = time.monotonic() + 10
        while upstream.calls < reached and time.monotonic() < until:
            time.sleep(0.01)
        refused = managed.call()
        assert refused.status == 429 and upstream.calls == reached, refused.text
        return streams

    try:
        for end in ("answered", "hung up", "broken"):
            streams = begin()
            upstream.status = 0 if end == "broken" else 200
            if end == "hung up":
                for stream in streams:
                    stream.close()
                # A new call comes through while the upstream still holds those that nobody waits for.
                reached, until = upstream.calls + 1, time.monotonic() + 10
                while upstream.calls < reached:
                    assert time.monotonic() < until, "the places of callers that hung up are not given back"
                    with socket.create_connection((host, int(port)), 10) as stream:
                        stream.sendall(request)
                        time.sleep(0.05)
            upstream.gate.set()
            if end != "hung up":
                expected = b"HTTP/1.1 200" if end == "answered" else b"HTTP/1.1 500"
                assert all(stream.recv(12) == expected for stream in streams), end
            upstream.status = 200
            assert [managed.call().status for _ in range(3)] == [200] * 3, end
            for stream in streams:
                stream.close()
            upstream.gate.clear()
    finally:
        upstream.gate.set()
        upstream.shutdown()
        upstream.server_close()


def test_backends_from_the_command_line(live, two):
    credentials = '{"header": {"X-Key": ["k1"]}}'
    live.command("backend", "create", "cli-one", "--url", two[0].url, "--credentials-file", "-", stdin=credentials)
    live.command("backend", "create", "cli-two", "--url", two[1].url, "--title", "Two")
    live.command("backend", "create", "cli-pool", "--member", "cli-one:3:1", "--member", "cli-two")
    shown = json.loads(live.command("backend", "show", "cli-pool").stdout)["properties"]
    assert shown["pool"]["services"] == [{"id": "/backends/cli-one", "weight": 3, "priority": 1},
                                         {"id": "/backends/cli-two", "weight": 1, "priority": 0}]
    assert json.loads(live.command("backend", "show", "cli-one").stdout)["properties"]["credentials"] == json.loads(credentials)
    listed = live.command("backend", "list").stdout
    assert "cli-pool" in listed and "Two" in listed and "k1" not in listed
    refused = live.command("backend", "delete", "cli-one", check=False)
    assert refused.returncode != 0 and "is used by /backends/cli-pool" in refused.stderr
    assert live.command("backend", "create", "x", "--member", "a:b", check=False).returncode != 0
    for name in ("cli-pool", "cli-one", "cli-two"):
        live.command("backend", "delete", name)
