"""Cookies know no ports: what browsers send of the portal's cookies to the other doors is seen by nobody there, and nobody there sets one."""
import contextlib
import json
import socket
import ssl
import time
import urllib.parse

import pytest

from gatehouse import call, rrs_path, server, table
from test_policies import Managed, sections
from test_websocket import EchoSockets, read_head
from test_wire import Wire

SECRET = "s3ss10n-v4lu3"
LINES = ["Cookie: a=1; gatehouse-session=" + SECRET + "; b=2", "X-Cookie: left", 'cookie: __Host-gatehouse-session="' + SECRET + '"; $Path="/"',
         "COOKIE: c=3, Gatehouse-Guest=" + SECRET]
LEFT = ["Cookie: a=1; b=2", "X-Cookie: left", "COOKIE: c=3"]
OWN = ("gatehouse-session=x; Path=/", "__Host-Gatehouse-Session=x; Secure; Path=/", "__secure-gatehouse-x=x; Secure", "=gatehouse-session=x", "GATEHOUSE-theme")


def mirror(wire, connection, _):
    """Answers a request with its own head, and tries to set cookies."""
    while data := wire.read(connection):
        head = data.split(b"\r\n\r\n")[0]
        own = "".join(f"Set-Cookie: {value}\r\n" for value in OWN).encode()
        status = b"503 Busy" if b"GET /base/items/busy" in head and wire.requests.count(data) < 2 else b"200 OK"
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nSet-Cookie: sid=1; Path=/\r\n" + own + b"Content-Length: %d\r\n\r\n" % len(head) + head)


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    """A server that logs all it can, with an API before a mirror; at the end its whole folder is searched for the cookies' value."""
    folder = tmp_path_factory.mktemp("cookies")
    settings, log = folder / "settings.yaml", folder / "access.jsonl"
    settings.write_text(f"access-log: {log}\nlog-level: trace\nservices-tls-port: 0\nblobs-tls-port: 0\n")
    with server("--config", str(settings)) as running:
        running.guide = running.demo()
        wire = Wire(mirror)
        running.managed = Managed(running, wire.url, "mirror")
        running.management("PATCH", "/apis/mirror", {"properties": {"protocols": ["http", "https"]}}, {"If-Match": "*"})
        running.wire = wire
        yield running
        wire.close()
        running.stop()
        assert log.read_text().count("\n") > 3
        for path in [*running.folder.rglob("*"), log]:
            if path.is_file():
                assert SECRET.encode() not in path.read_bytes(), path


def request(running, target, *lines, method="GET", body=""):
    key = running.managed.keys["products"]
    length = [f"Content-Length: {len(body)}"] if body else []
    return ("\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", f"Ocp-Apim-Subscription-Key: {key}", *lines, *length]) + "\r\n\r\n" + body).encode()


def read(stream):
    head = read_head(stream)
    count = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
    body = b""
    while len(body) < count:
        body += stream.recv(count - len(body))
    return head, body.decode()


def dial(running, door):
    parts = urllib.parse.urlsplit(running.urls[door])
    stream = socket.create_connection((parts.hostname, parts.port), 20)
    if parts.scheme == "https":
        stream = ssl.create_default_context(cafile=str(running.data / "tls" / "authority.pem")).wrap_socket(stream, server_hostname=parts.hostname)
    return stream


def cookies(text):
    return [line for line in text.split("\r\n") if "ookie: " in line.lower()]


PATH = "/mirror/items/7?lang=en"


@pytest.mark.parametrize("door", ["gateway", "gateway-tls"])
@pytest.mark.parametrize("policy", ["", '<base /><set-header name="X-New"><value>1</value></set-header>'])
def test_backends_see_none_and_set_none(doors, door, policy):
    doors.managed.set(sections(inbound=policy or "<base />"))
    with dial(doors, door) as stream:
        for _ in range(2):
            # Two at once, then the connection goes on.
            stream.sendall(request(doors, PATH, *LINES, method="POST", body="hello") + request(doors, PATH, LINES[0]))
            for wanted in LEFT, LEFT[:1]:
                head, body = read(stream)
                assert cookies(body) == wanted
                assert cookies(head) == ["Set-Cookie: sid=1; Path=/"]
        stream.sendall(request(doors, PATH, "Cookie: gatehouse-session=" + SECRET))
        assert cookies(read(stream)[1]) == [], "an empty field is none"


def test_policies_see_none_and_set_none(doors):
    set_cookie = "".join(f"<value>{value}</value>" for value in ("mine=1", *OWN))
    shown = '@(context.Request.Headers.GetValueOrDefault("Cookie", "") + "|" + context.Response.Headers.GetValueOrDefault("Set-Cookie", ""))'
    for outbound in ("", f'<set-header name="set-cookie" exists-action="override">{set_cookie}</set-header>',
                     f'<set-header name="Set-Cookie" exists-action="append">{set_cookie}</set-header>'):
        doors.managed.set(sections(outbound=f'<base /><set-header name="X-Shown"><value>{shown}</value></set-header>{outbound}'))
        with dial(doors, "gateway") as stream:
            stream.sendall(request(doors, PATH, *LINES))
            head, body = read(stream)
        assert cookies(body) == LEFT
        assert "X-Shown: a=1; b=2,c=3|sid=1; Path=/\r\n" in head
        assert "gatehouse-" not in head.lower() and (not outbound or "ookie: mine=1\r\n" in head)
    answer = f'<return-response><set-status code="200" /><set-header name="Set-Cookie">{set_cookie}</set-header></return-response>'
    doors.managed.set(sections(inbound=answer))
    with dial(doors, "gateway") as stream:
        stream.sendall(request(doors, PATH, *LINES))
        assert cookies(read_head(stream)) == ["Set-Cookie: mine=1"]


def test_a_trace_and_a_second_attempt_have_none(doors):
    doors.management("PATCH", "/subscriptions/mirror-products", {"properties": {"allowTracing": True}}, {"If-Match": "*"})
    doors.managed.set(sections(
        inbound='<base /><trace source="me"><message>@(context.Request.Headers.GetValueOrDefault("Cookie", ""))</message></trace>',
        backend='<retry condition="@(context.Response.StatusCode == 503)" count="3" interval="0"><forward-request buffer-request-body="true" /></retry>'))
    before = len(doors.wire.requests)
    with dial(doors, "gateway") as stream:
        stream.sendall(request(doors, "/mirror/items/busy?lang=en", *LINES, "Ocp-Apim-Trace: true"))
        head, body = read(stream)
    assert head.startswith("HTTP/1.1 200") and len(doors.wire.requests) == before + 2 and cookies(body) == LEFT
    location = head.split("Ocp-Apim-Trace-Location: ")[1].split("\r\n")[0]
    trace = call(location, "GET", "").text
    assert "a=1; b=2" in trace and SECRET not in trace and "gatehouse-session" not in trace.lower()


def test_a_websocket_is_opened_without_them(doors):
    sockets = EchoSockets()
    managed = Managed(doors, sockets.url, "cookie-sockets")
    with contextlib.closing(sockets.listener), dial(doors, "gateway") as stream:
        stream.sendall(("\r\n".join(["GET /cookie-sockets/items/1?lang=en HTTP/1.1", "Host: a", f"Ocp-Apim-Subscription-Key: {managed.keys['products']}",
                                     "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *LINES]) + "\r\n\r\n").encode())
        assert read_head(stream).startswith("HTTP/1.1 101")
        assert cookies(sockets.heads[0]) == LEFT
        stream.sendall(b"gatehouse-session=stays")
        data = b""
        while b"stays" not in data:
            data += stream.recv(100)


@pytest.mark.parametrize("door", ["services", "services-tls"])
def test_services_see_none(doors, door):
    with dial(doors, door) as stream:
        stream.sendall(request(doors, "/echo/resource?a=b", *LINES))
        head, body = read(stream)
    assert head.startswith("HTTP/1.1 200") and SECRET not in head + body
    body = json.dumps(table([["This is a good day"]]))
    with dial(doors, door) as stream:
        stream.sendall(request(doors, rrs_path(doors.guide), "Authorization: Bearer " + doors.guide["apiKey"], *LINES, method="POST", body=body))
        assert read(stream)[0].startswith("HTTP/1.1 200")


@pytest.mark.parametrize("door", ["blobs", "blobs-tls"])
def test_blobs_see_none(doors, door):
    for target in "/none/none/none", "/%ff", "/?comp=list":
        with dial(doors, door) as stream:
            stream.sendall(request(doors, target, *LINES))
            head, body = read(stream)
        assert head.startswith("HTTP/1.1 4") and SECRET not in head + body


def test_a_head_that_is_refused_is_kept_nowhere(doors):
    for door in "gateway", "services", "blobs":
        with dial(doors, door) as stream:
            stream.sendall(request(doors, PATH, *LINES, "Host: b"))
            head = read_head(stream)
            assert head.startswith("HTTP/1.1 400") and SECRET not in head
    time.sleep(0.1)
