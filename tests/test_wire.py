"""What the gateway and its upstreams say to one another, byte by byte: framing, fields in several lines, times, attempts."""
import concurrent.futures
import contextlib
import itertools
import json
import socket
import threading
import time
import urllib.parse

import pytest

from gatehouse import rrs_path, server, table
from test_policies import Managed, sections
from test_websocket import read_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATH = "/items/7?lang=en"


class Wire:
    """An upstream that a test plays itself: `serve` gets each connection with its number, from 0 on."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.requests, self.open = [], []
        self.serve = serve
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        for number in itertools.count():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self.run, args=(connection, number), daemon=True).start()

    def run(self, connection, number):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(20)
            self.serve(self, connection, number)

    def read(self, connection):
        """The next request with its body, as it came; empty where the gateway has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(1)
            if not piece:
                return b""
            data += piece
        lower = data.lower()
        if b"content-length: " in lower:
            count = int(lower.split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(data.split(b"\r\n\r\n", 1)[1]) < count:
                data += connection.recv(65536)
        elif b"transfer-encoding: chunked" in lower:
            while not data.split(b"\r\n\r\n", 1)[1].endswith(b"0\r\n\r\n") and b"\r\n\r\n" not in data.split(b"\r\n\r\n", 1)[1][-64:]:
                data += connection.recv(65536)
        self.requests.append(data)
        return data

    def play(self, serve):
        """Goes on in another way, on new connections."""
        self.serve = serve
        while self.open:
            with contextlib.suppress(OSError):
                self.open.pop().shutdown(socket.SHUT_RDWR)
        time.sleep(0.05)

    def close(self):
        # Whoever waits for a connection holds it open otherwise.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.play(self.serve)


def answering(*answers):
    """Answers each request with the next of these, again and again."""
    turns = itertools.cycle(answers)

    def serve(wire, connection, _):
        while wire.read(connection):
            connection.sendall(next(turns))
    return serve


@pytest.fixture
def wired(live, request):
    """Makes a managed API before an upstream of the test's own."""
    made = []

    def make(serve, policy=None):
        wire = Wire(serve)
        name = f"wire-{request.node.originalname.replace('_', '-')[:40]}-{len(made)}"
        managed = Managed(live, wire.url, name)
        for method in ("HEAD", "PUT", "DELETE"):
            managed.put(f"/apis/{name}/operations/{method.lower()}", {
                "displayName": method, "method": method, "urlTemplate": "/items/{id}?lang={lang}",
                "templateParameters": [{"name": "id", "type": "string"}, {"name": "lang", "type": "string"}]})
        if policy:
            managed.set(policy)
        made.append((wire, managed))
        return wire, managed
    yield make
    for wire, managed in made:
        wire.close()
        live.management("DELETE", f"/apis/{managed.name}", headers={"If-Match": "*"})
        live.management("DELETE", f"/products/{managed.name}?deleteSubscriptions=true", headers={"If-Match": "*"})


def connect(managed):
    parts = urllib.parse.urlsplit(managed.live.urls["gateway"])
    return socket.create_connection((parts.hostname, parts.port), 20)


def head(managed, *fields, method="GET", version="1.1"):
    lines = [f"{method} /{managed.name}{PATH} HTTP/{version}", "Host: a", f"Ocp-Apim-Subscription-Key: {managed.keys['products']}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def ask(managed, *pieces, pause=0.05, most=20):
    """Sends the pieces one after another, and reads until one answer is whole or the connection ends: head, body."""
    with connect(managed) as stream:
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(pause)
            with contextlib.suppress(OSError):
                stream.sendall(piece)
        stream.settimeout(most)
        try:
            answer = read_head(stream)
        except ConnectionError:
            return "", b""
        body = b""
        lower = answer.lower()
        count = int(lower.split("content-length: ")[1].split("\r\n")[0]) if "content-length: " in lower else 0
        with contextlib.suppress(ConnectionResetError):
            if "transfer-encoding: chunked" in lower:
                while not body.endswith(b"0\r\n\r\n") and (piece := stream.recv(65536)):
                    body += piece
            while len(body) < count and (piece := stream.recv(65536)):
                body += piece
        return answer, body


def status(answer):
    return int(answer[0].split(" ")[1]) if answer[0] else 0


# Empty bodies in chunks

EMPTY = {"with the head": lambda head: [head + b"0\r\n\r\n"], "later": lambda head: [head, b"0\r\n\r\n"],
         "with a trailer": lambda head: [head + b"0\r\nX-End: 1\r\n\r\n"], "in pieces": lambda head: [head, b"0", b"\r\n", b"\r\n"],
         "with an extension": lambda head: [head, b"000 ; a = b\r\n\r\n"]}
BACKENDS = {"buffer": '<forward-request buffer-request-body="true" />', "follow": '<forward-request follow-redirects="true" />',
            "retry": '<retry condition="@(context.Response.StatusCode == 503)" count="2" interval="0"><forward-request /></retry>',
            "both": '<retry condition="@(context.Response.StatusCode == 503)" count="2" interval="0">'
                    '<forward-request buffer-request-body="true" follow-redirects="true" /></retry>'}


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_empty_body_in_chunks_goes_on(wired, backend):
    retries = backend in ("retry", "both")
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    wire, managed = wired(answering(*([busy, OK] if retries else [OK])), sections(backend=BACKENDS[backend]))
    for name, pieces in EMPTY.items():
        for method in ("POST", "PUT", "GET"):
            seen = len(wire.requests)
            answer = ask(managed, *pieces(head(managed, "Transfer-Encoding: chunked", method=method)), most=5)
            assert status(answer) == 200, (name, method, answer)
            for request in wire.requests[seen:]:
                top, body = request.lower().split(b"\r\n\r\n", 1)
                assert (b"content-length: 0" in top and not body) or (b"transfer-encoding: chunked" in top and body.startswith(b"0")), request
            assert len(wire.requests) == seen + (2 if retries else 1)
    # An answer that points elsewhere, with a method that keeps its body.
    if backend in ("follow", "both"):
        wire.play(answering(b"HTTP/1.1 307 T\r\nLocation: /base/there\r\nContent-Length: 0\r\n\r\n", OK))
        assert status(ask(managed, *EMPTY["later"](head(managed, "Transfer-Encoding: chunked", method="POST")))) == 200
        assert wire.requests[-1].startswith(b"POST /base/there ")


# Fields in several lines

def sent(wire, name):
    """All values of a field in the last request."""
    lines = wire.requests[-1].split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return [line.split(": ", 1)[1] for line in lines if line.lower().startswith(name.lower() + ":")]


@pytest.mark.parametrize("policy", [None, sections(inbound='<base /><set-header name="X-More"><value>1</value></set-header>')])
def test_all_lines_of_a_field_count(wired, policy):
    wire, managed = wired(answering(OK), policy)
    ask(managed, head(managed, "X-Forwarded-For: 6.6.6.6", "X-Other: 1", "x-forwarded-for: 10.1.1.1, 10.1.1.2", "X-FORWARDED-FOR:", "X-Forwarded-For: 10.1.1.3"))
    assert sent(wire, "X-Forwarded-For") == ["6.6.6.6, 10.1.1.1, 10.1.1.2, 10.1.1.3, 127.0.0.1"]
    # What Connection names is of this hop, in whichever line.
    ask(managed, head(managed, "Connection: X-A", "X-A: 1", "X-B: 1", "X-C: 1", "Connection: keep-alive , X-B", "Keep-Alive: 5", "TE: gzip", "TE: trailers"))
    assert [sent(wire, name) for name in ("X-A", "X-B", "X-C", "TE", "Keep-Alive", "Connection")] == [[], [], ["1"], [], [], []]
    # One caller is part of one trace: of two, none is believed, and the state of none goes on.
    one = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    two = one.replace("4bf9", "5bf9")
    ask(managed, head(managed, f"traceparent: {one}", "tracestate: a=1", "tracestate: b=2"))
    assert one[:35] == sent(wire, "traceparent")[0][:35] and sent(wire, "tracestate") == ["a=1", "b=2"]
    ask(managed, head(managed, f"traceparent: {one}", f"Traceparent: {two}", "tracestate: a=1"))
    assert len(sent(wire, "traceparent")) == 1 and sent(wire, "traceparent")[0][3:35] not in one + two and not sent(wire, "tracestate")
    # What is none of this hop's goes on line by line.
    ask(managed, head(managed, "Cookie: a=1", "Cookie: b=2", "Accept: a/b", "Accept: c/d", "Via: 1.1 x", "Via: 1.1 y", "Forwarded: for=1.1.1.1",
                      "Forwarded: for=2.2.2.2", "Cache-Control: no-cache", "Cache-Control: max-age=0"))
    assert [sent(wire, name) for name in ("Cookie", "Accept", "Via", "Forwarded", "Cache-Control")] == [
        ["a=1", "b=2"], ["a/b", "c/d"], ["1.1 x", "1.1 y"], ["for=1.1.1.1", "for=2.2.2.2"], ["no-cache", "max-age=0"]]


def test_two_authorizations_are_none(live):
    """At the services door, and behind the gateway on the way to it."""
    guide = live.guide
    body = json.dumps(table([["a"]])).encode()
    for door, path in (("services", rrs_path(guide)), ("gateway", "/azureml-demo" + rrs_path(guide))):
        parts = urllib.parse.urlsplit(live.urls[door])
        for words, expected in ((["Bearer " + guide["apiKey"]], "200"), (["Bearer " + guide["apiKey"]] * 2, "401"),
                                (["Bearer " + guide["apiKey"], "Bearer x"], "401"), (["Basic eA==", "Bearer " + guide["apiKey"]], "401")):
            lines = "".join(f"Authorization: {word}\r\n" for word in words)
            with socket.create_connection((parts.hostname, parts.port), 20) as stream:
                stream.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\n{lines}Ocp-Apim-Subscription-Key: {guide['subscriptionKey']}\r\n"
                               f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                assert read_head(stream).split(" ")[1] == expected, (door, words)


def test_two_keys_are_none(wired):
    """Which of two keys is meant would be read in two ways: none is, wherever the right one stands."""
    wire, managed = wired(answering(OK))
    key = managed.keys["products"]
    for _ in range(2):
        assert status(ask(managed, head(managed))) == 200
        for fields in ([f"Ocp-Apim-Subscription-Key: {key}"], ["ocp-apim-subscription-key: wrong"], ["OCP-APIM-SUBSCRIPTION-KEY:"]):
            answer = ask(managed, head(managed, *fields))
            assert status(answer) == 401 and b"invalid subscription key" in answer[1], (fields, answer)


def test_policies_read_all_lines(wired):
    inbound = ('<base /><set-header name="X-Seen"><value>@(context.Request.Headers.GetValueOrDefault("X-Many", "") + "/" +'
               ' context.Request.Headers.GetValueOrDefault("Accept", ""))</value></set-header>')
    outbound = '<base /><set-header name="X-Vary"><value>@(context.Response.Headers.GetValueOrDefault("Vary", ""))</value></set-header>'
    wire, managed = wired(answering(b"HTTP/1.1 200 OK\r\nVary: A\r\nX-Forwarded-For: 1.2.3.4\r\nVary: B\r\nContent-Length: 0\r\n\r\n"),
                          sections(inbound=inbound, outbound=outbound))
    answer, _ = ask(managed, head(managed, "X-Many: a", "Accept: x/y", "X-Many: b", "Accept: z/z"))
    assert sent(wire, "X-Seen") == ["a,b/x/y,z/z"] and "X-Vary: A,B\r\n" in answer + "\r\n"
    assert "X-Forwarded-For: 1.2.3.4" in answer and answer.count("Vary: ") == 3
    managed.set(sections(inbound='<base /><cors><allowed-origins><origin>http://good.test</origin></allowed-origins></cors>'))
    allowed = "Access-Control-Allow-Origin"
    assert allowed in ask(managed, head(managed, "Origin: http://good.test"))[0]
    for lines in (["http://good.test", "http://evil.test"], ["http://evil.test", "http://good.test"]):
        assert allowed not in ask(managed, head(managed, *[f"Origin: {line}" for line in lines]))[0]
    # Where an answer points to two places, neither is gone to.
    wire.play(answering(b"HTTP/1.1 302 F\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"))
    managed.set(sections(backend=BACKENDS["follow"]))
    assert status(ask(managed, head(managed))) == 302 and wire.requests[-1].startswith(b"GET /base/items/")


def test_a_proxy_is_believed_for_what_it_said_itself(tmp_path):
    (tmp_path / "settings.yaml").write_text("gateway-trusted-proxies: 127.0.0.1\n")
    with server("--config", str(tmp_path / "settings.yaml")) as running:
        wire = Wire(answering(OK))
        managed = Managed(running, wire.url, "proxied")
        managed.put("/apis/proxied", {"displayName": "proxied", "path": "proxied", "protocols": ["https"], "serviceUrl": wire.url})
        for lines, expected in ((["https"], 200), (["http"], 404), (["http", "https"], 200), (["https", "http"], 404), (["https, http"], 404),
                                (["http,\thttps "], 200), ([], 404), ([""], 404)):
            assert status(ask(managed, head(managed, *[f"X-Forwarded-Proto: {line}" for line in lines]))) == expected, lines
        wire.close()


# Answers without a body, and answers that break

@pytest.mark.parametrize("policy", [None, sections(outbound='<base /><set-header name="X-More"><value>1</value></set-header>')])
def test_a_status_without_a_body_says_nothing_of_one(wired, policy):
    wire, managed = wired(answering(OK), policy)
    for line in ("204 No Content", "304 Not Modified"):
        for fields in ("Transfer-Encoding: chunked\r\n", "transfer-encoding: Chunked\r\nX-Forwarded-For: 9.9.9.9\r\n", "Content-Length: 7\r\n"):
            for tail in (b"", b"0\r\n\r\n"):
                wire.play(answering(f"HTTP/1.1 {line}\r\n{fields}ETag: x\r\n\r\n".encode() + tail))
                with connect(managed) as stream:
                    stream.settimeout(5)
                    for _ in range(2):
                        stream.sendall(head(managed, "If-None-Match: x"))
                        answer = read_head(stream)
                        assert f"HTTP/1.1 {line}" in answer and "transfer-encoding" not in answer.lower() and "ETag: x" in answer
                        assert ("content-length: 7" in answer.lower()) == (line.startswith("304") and "Length" in fields)
                        assert ("9.9.9.9" in answer) == ("9.9.9.9" in fields)
    # However it is written.
    for fields in ("Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity", "Transfer-Encoding: gzip",
                   "Transfer-Encoding: chunked\r\nContent-Length: 0", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
                   "Content-Length: x", "Content-Length: 1\r\nContent-Length: 2"):
        for line in ("204 No Content", "304 Not Modified"):
            wire.play(answering(f"HTTP/1.1 {line}\r\n{fields}\r\nETag: x\r\n\r\n".encode()))
            answer = ask(managed, head(managed))[0]
            assert f"HTTP/1.1 {line}" in answer and "ETag: x" in answer, (fields, answer)
            assert "transfer-encoding" not in answer.lower() and "content-length" not in answer.lower(), (fields, answer)
        wire.play(answering(f"HTTP/1.1 103 Early Hints\r\n{fields}\r\nLink: x\r\n\r\n".encode() + OK))
        answer = ask(managed, head(managed))
        assert answer[0].startswith("HTTP/1.1 200 ") and answer[1] == b"ok" and "transfer-encoding" not in answer[0].lower()


def test_a_status_without_a_body_that_policies_set_says_nothing_of_one(wired):
    wire, managed = wired(answering(OK))
    for code in (204, 304):
        managed.set(sections(outbound=f'<base /><set-status code="{code}" />'))
        for line in ("200 OK", "304 Not Modified", "204 No Content", "404 Not Found"):
            body = "" if line[:3] in ("304", "204") else "1234567"
            wire.play(answering(f"HTTP/1.1 {line}\r\nContent-Length: 7\r\n\r\n{body}".encode()))
            for method in ("GET", "HEAD"):
                if method == "HEAD" and body:
                    wire.play(answering(f"HTTP/1.1 {line}\r\nContent-Length: 7\r\n\r\n".encode()))
                with connect(managed) as stream:
                    stream.settimeout(5)
                    stream.sendall(head(managed, method=method))
                    answer = read_head(stream)
                    assert f"HTTP/1.1 {code} " in answer, answer
                    if f"{code}" != line[:3] or code == 204:
                        assert "content-length" not in answer.lower(), (code, line, method, answer)
                    stream.settimeout(0.02)
                    with pytest.raises(TimeoutError):
                        stream.recv(1)


FIRST = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OUTBOUND = {"none": None, "outbound": sections(outbound='<base /><set-header name="X-More"><value>1</value></set-header>'),
            "status": sections(outbound='<base /><set-status code="201" />'),
            "waiting": sections(outbound='<base /><retry condition="true" count="1" interval="1"><set-variable name="a" value="b" /></retry>'),
            "cached": sections(inbound='<base /><cache-lookup vary-by-developer="false" vary-by-developer-groups="false" />',
                               outbound='<base /><cache-store duration="60" />')}


@pytest.mark.parametrize("policy", OUTBOUND)
def test_a_body_that_breaks_is_an_error_or_is_cut(wired, policy):
    def serve(wire, connection, _):
        wire.read(connection)
        for piece in wire.pieces:
            connection.sendall(piece)
            time.sleep(0.15)
    wire, managed = wired(serve, OUTBOUND[policy])
    # Nothing of it was told yet: the caller learns what happened.
    for broken in (b"X\r\nhello", b"5 \r\nhello", b"5\nhello", b"5\r\nhelloX\r\n0\r\n\r\n", b"-1\r\n", b"5;\r\nhello"):
        wire.pieces = [FIRST + broken]
        answer, body = ask(managed, head(managed))
        assert answer.startswith("HTTP/1.1 500 ") and b'"activityId"' in body, (broken, answer, body)
    # Later the answer is cut, so that nobody takes it for whole; where policies still have it, it is an error.
    for pieces in ([FIRST + b"5\r\nhello\r\n", b"X\r\n"], [FIRST + b"5\r\nhello\r\n", b"5\r\nhel"], [FIRST, b"zz"],
                   [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"]):
        wire.pieces = pieces
        answer, body = ask(managed, head(managed))
        if policy == "waiting":
            assert answer.startswith("HTTP/1.1 500 "), (pieces, answer)
        else:
            assert answer.startswith("HTTP/1.1 20") and not body.endswith(b"0\r\n\r\n") and len(body) < 20, (pieces, answer, body)
    # And the gateway goes on.
    wire.play(answering(OK))
    assert ask(managed, head(managed, "X-Again: 1"))[1] == b"ok"


# Times

def slow_sender(managed, seconds, *fields):
    """Sends a body over some seconds, well above the least rate: how long the answer took after its last byte, and its status."""
    with connect(managed) as stream:
        stream.sendall(head(managed, f"Content-Length: {seconds * 4000}", *fields, method="POST"))
        for _ in range(seconds * 4):
            time.sleep(0.25)
            stream.sendall(bytes(1000))
        began = time.monotonic()
        answer = read_head(stream)
        return time.monotonic() - began, int(answer.split(" ")[1])


def silent(seconds, *pieces):
    """Reads a request, says these pieces some time apart, and then nothing for a while before an answer."""
    def serve(wire, connection, _):
        while wire.read(connection):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.4)
            time.sleep(seconds)
            connection.sendall(OK)
    return serve


FORWARD = '<forward-request {} />'


LIMITS = [('timeout="1"', 1), ('timeout-ms="500"', 0.5), ('timeout-ms="2500"', 2.5), ('timeout="3"', 3)]
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
PARTS = [(), (HINTS,) * 3, (HINTS,) * 9, (b"HTTP/1.1 20",), (b"H", b"T", b"T", b"P", b"/", b"1", b".", b"1", b" "),
         (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", b"A: b\r\n")]


def test_the_time_of_a_call_begins_when_its_request_is_whole(wired):
    """All at once, since each of them waits."""
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        # However long the request takes, it is no time of the backend's.
        waits = []
        for attributes, limit in LIMITS:
            _, managed = wired(silent(0), sections(backend=FORWARD.format(attributes)))
            waits.append((pool.submit(slow_sender, managed, int(limit) + 2), 200, 0, attributes))
            # From its last byte on it is.
            _, managed = wired(silent(limit + 2), sections(backend=FORWARD.format(attributes)))
            waits.append((pool.submit(slow_sender, managed, 1), 500, limit, attributes))
            # Half a head and interim answers do not end it.
            for pieces in PARTS:
                _, managed = wired(silent(limit + 2, *pieces), sections(backend=FORWARD.format(attributes)))
                waits.append((pool.submit(timed, managed), 500, limit, pieces))
            # Once the head is there, the body may take longer.
            _, managed = wired(drips(limit + 0.7), sections(backend=FORWARD.format(attributes)))
            waits.append((pool.submit(timed, managed), 200, limit + 0.7, attributes))
        for wait, expected, limit, what in waits:
            late, code = wait.result()
            assert code == expected and limit - 0.05 < late < limit + 0.6, (what, limit, late)


def drips(seconds):
    """Takes its time between head and body."""
    def serve(wire, connection, _):
        wire.read(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        time.sleep(seconds)
        connection.sendall(b"ok")
    return serve


def timed(managed):
    """How long a call took, and its status."""
    began = time.monotonic()
    answer = ask(managed, head(managed))
    assert len(answer[1]) >= 2
    return time.monotonic() - began, status(answer)


def test_a_backend_that_takes_a_body_late_is_not_late_itself(wired):
    """Until all of the request is with the backend, its time has not begun."""
    size = 24 << 20

    def serve(wire, connection, _):
        time.sleep(3)
        data = 0
        while data < size and (piece := connection.recv(1 << 20)):
            data += len(piece)
        connection.sendall(OK)
    wire, managed = wired(serve, sections(backend=FORWARD.format('timeout="1"')))
    with connect(managed) as stream:
        sender = threading.Thread(target=lambda: stream.sendall(head(managed, f"Content-Length: {size}", method="POST") + bytes(size)), daemon=True)
        sender.start()
        assert read_head(stream).startswith("HTTP/1.1 200 ")


def test_a_client_that_drips_is_bounded_by_the_door(tmp_path):
    (tmp_path / "settings.yaml").write_text("gateway-body-seconds: 1\n")
    with server("--config", str(tmp_path / "settings.yaml")) as running:
        wire = Wire(answering(OK))
        managed = Managed(running, wire.url, "dripping")
        managed.set(sections(backend=FORWARD.format('timeout="60"')))
        with connect(managed) as stream:
            stream.sendall(head(managed, "Content-Length: 10", method="POST") + b"1")
            began = time.monotonic()
            assert stream.recv(100) == b"" and time.monotonic() - began < 5
        wire.close()


# Attempts

def failing(times, answer=OK, resets=True):
    """Breaks the first connections off once a request has come, then answers."""
    def serve(wire, connection, number):
        if not wire.read(connection):
            return
        if number >= times:
            connection.sendall(answer)
            return wire.read(connection)
        if resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return serve


RETRY = '<retry condition="{}" count="3" interval="{}"><forward-request {} /></retry>'


@pytest.mark.parametrize("condition", ["@(context.Response.StatusCode == 500)", "@(context.Response == null || context.Response.StatusCode == 429)",
                                       "@(context.Response != null && context.Response.StatusCode >= 500)", "@(context.LastError != null)", "true"])
def test_retry_tries_a_connection_that_failed_again(wired, condition):
    times = 3 if condition == "true" else 2
    for method, body in (("GET", b""), ("POST", b"hello"), ("PUT", b"0\r\n\r\n")):
        for flag in ('buffer-request-body="true"', ""):
            wire, managed = wired(failing(times), sections(backend=RETRY.format(condition, 0, flag)))
            field = {"GET": [], "POST": ["Content-Length: 5"], "PUT": ["Transfer-Encoding: chunked"]}[method]
            answer = ask(managed, head(managed, *field, method=method) + body)
            assert status(answer) == 200 and len(wire.requests) == times + 1, (method, flag, answer, wire.requests)
            bodies = {request.split(b"\r\n\r\n", 1)[1] for request in wire.requests}
            assert len(bodies) == 1 and (method != "POST" or bodies == {b"hello"})


def test_retry_ends_and_asks_its_condition(wired):
    wire, managed = wired(failing(99), sections(
        backend=RETRY.format("@(context.Response.StatusCode >= 500)", 0, ""),
        on_error='<base /><set-header name="X-Error"><value>@($"{context.LastError.Source}/{context.LastError.Reason}")</value></set-header>'))
    answer = ask(managed, head(managed))
    assert status(answer) == 500 and "X-Error: forward-request/BackendConnectionFailure" in answer[0] and len(wire.requests) == 4
    managed.set(sections(backend=RETRY.format("@(context.Response.StatusCode == 429)", 0, "")))
    seen = len(wire.requests)
    assert status(ask(managed, head(managed))) == 500 and len(wire.requests) == seen + 1
    # A connection that is refused, and one that is there later; a body that is on its way meanwhile.
    managed.set(sections(backend=RETRY.format("@(context.Response.StatusCode == 500)", 1, "")))
    port = wire.listener.getsockname()[1]
    wire.close()
    again = []

    def open_again():
        time.sleep(0.5)
        again.append(socket.create_server(("127.0.0.1", port)))
        connection, _ = again[0].accept()
        with connection:
            wire.read(connection)
            connection.sendall(OK)
    threading.Thread(target=open_again, daemon=True).start()
    answer = ask(managed, head(managed, "Content-Length: 10", method="POST") + b"12345", b"67", b"890", pause=0.2)
    assert status(answer) == 200 and wire.requests[-1].endswith(b"\r\n\r\n1234567890")
    again[0].close()
    # A long body that is not buffered has gone with the connection: nothing is waited for in vain.
    wire, managed = wired(failing(99), sections(backend=RETRY.format("@(true)", 30, "")))
    answer = ask(managed, head(managed, "Content-Length: 300000", method="POST") + bytes(300000), most=10)
    assert status(answer) == 500 and len(wire.requests) == 1
    # Where an answer pointed is forgotten with the attempt that went there.
    def elsewhere(wire, connection, number):
        request = wire.read(connection)
        if request.startswith(b"GET /base/items/"):
            connection.sendall(b"HTTP/1.1 302 F\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")
        elif request and number > 2:
            connection.sendall(OK)
    wire, managed = wired(elsewhere, sections(backend=RETRY.format("@(context.Response.StatusCode == 500)", 0, 'follow-redirects="true"')))
    assert status(ask(managed, head(managed))) == 200
    assert [request.split(b" ")[1] for request in wire.requests] == [b"/base/items/7?lang=en", b"/there"] * 2
    # Each time-out is an attempt of its own.
    def slow_once(wire, connection, number):
        wire.read(connection)
        time.sleep(0 if number else 6)
        connection.sendall(OK)
    wire, managed = wired(slow_once, sections(backend=RETRY.format("@(context.Response.StatusCode == 500)", 0, 'timeout-ms="400"')))
    began = time.monotonic()
    assert status(ask(managed, head(managed))) == 200 and 0.4 < time.monotonic() - began < 5


def test_requests_in_one_packet_where_the_upstream_closes_after_the_first(wired):
    """Whatever follows an answer goes on a connection that the upstream has not closed, as long as nothing of it was sent."""
    def serve(wire, connection, _):
        request = wire.read(connection)
        if request:
            connection.sendall(OK.replace(b"ok", b"") if request.startswith(b"HEAD") else OK)
    for policy in (None, OUTBOUND["outbound"]):
        wire, managed = wired(serve, policy)
        post = head(managed, "Content-Length: 5", method="POST") + b"hello"
        for first, second in itertools.product([head(managed, method="HEAD"), head(managed), post], repeat=2):
            for _ in range(3):
                with connect(managed) as stream:
                    stream.settimeout(10)
                    stream.sendall(first + second)
                    for request in (first, second):
                        assert read_head(stream).startswith("HTTP/1.1 200 "), (first[:6], second[:6])
                        if not request.startswith(b"HEAD"):
                            assert stream.recv(2) == b"ok"
        assert len(wire.requests) == 54


def test_what_was_sent_is_repeated_only_where_that_is_safe(wired):
    """A connection that had been idle and is reset by the next request (RFC 9110, 9.2.2)."""
    def serve(wire, connection, number):
        if not wire.read(connection):
            return
        connection.sendall(OK)
        if number % 2 == 0:
            wire.read(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        else:
            connection.close()
    for method, expected in (("GET", 200), ("PUT", 200), ("DELETE", 200), ("HEAD", 200), ("POST", 500)):
        wire, managed = wired(serve)
        field = ["Content-Length: 5"] if method in ("POST", "PUT") else []
        with connect(managed) as stream:
            stream.sendall(head(managed))
            assert read_head(stream).startswith("HTTP/1.1 200 ") and stream.recv(2) == b"ok"
            # Longer than a connection rests before it takes what cannot be sent again.
            time.sleep(0.2)
            stream.sendall(head(managed, *field, method=method) + (b"hello" if field else b""))
            assert int(read_head(stream).split(" ")[1]) == expected, method
        assert len(wire.requests) == (2 if method == "POST" else 3)


def test_bytes_before_a_request_are_no_answer_to_it(wired):
    """An upstream that says good-bye to an idle connection does not answer the next request."""
    late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def serve(wire, connection, _):
        if wire.read(connection):
            connection.sendall(OK)
            time.sleep(0.05)
            connection.sendall(late)
    wire, managed = wired(serve)
    for _ in range(5):
        for pause in (0, 0.02, 0.05, 0.06, 0.1):
            time.sleep(pause)
            assert status(ask(managed, head(managed))) in (200, 408)
    time.sleep(0.2)
    assert status(ask(managed, head(managed, "Content-Length: 2", method="POST") + b"hi")) == 200


# Addresses

BAD = ["http://h:99999", "http://h:0/", "http://h:x", "http://h:", "http://h:-1", "http://a b/", "http://a/x y", " http://a", "http://a ", "http://h/?q=1", "http://h?", "http://h/#f",
       "http://a/x{y}", "http://a/[1]", "http://a/x^y", "http://a/100%", "http://a/%zz", "http://a/x|y", "http://a/x\\y", "http://a/../x", "http://a/x/%2e%2E",
       "http://a/.", "http://a/x%2f..%5cy", "http://a/x/..;a=b/y",
       "http://b\u00fccher.example/", "http://\u70b9.example", "http://u:p@h/", "http://", "http://:80", "http://a/\u00fc", "http://a,b/", "http://a%20b/", "http://[::1", "http://[a]/"]


def test_addresses_that_lead_nowhere_are_refused_by_name(live, wired):
    for url in BAD:
        api = {"displayName": "bad", "path": "bad-address", "protocols": ["http"], "serviceUrl": url}
        for path, properties, name in (("/apis/bad-address", api, "serviceUrl"), ("/backends/bad-address", {"url": url, "protocol": "http"}, "url")):
            done = live.management("PUT", path, {"properties": properties})
            assert done.status == 400, (url, path, done.text)
            detail = done.json()["error"]["details"][0]
            assert detail["target"] == name and detail["message"], (url, detail)
        assert live.management("GET", "/apis/bad-address").status == 404
    words = {"http://h:99999": "port", "http://a b/": "blanks", "http://h/?q=1": "query", "http://b\u00fccher.example/": "ASCII"}
    for url, word in words.items():
        done = live.management("PUT", "/backends/bad-address", {"properties": {"url": url, "protocol": "http"}})
        assert word in done.json()["error"]["details"][0]["message"]
    wire, managed = wired(answering(OK))
    for url in BAD:
        text = url.replace("&", "&amp;")
        done = managed.policy(sections(inbound=f'<base /><set-backend-service base-url="{text}" />'), f"/apis/{managed.name}")
        assert done.status == 400 and '\\"base-url\\"' in done.text, (url, done.text)
        # The same where only the call tells.
        literal = text.replace("\\", "\\\\")
        managed.set(sections(inbound=f'<base /><set-backend-service base-url="@("{literal}" + context.Request.Headers.GetValueOrDefault("X-None", ""))" />'))
        assert status(ask(managed, head(managed))) == 500, url
    for url in (wire.url + "/", wire.url + "/a%20b", wire.url.replace("127.0.0.1", "LOCALHOST")):
        managed.set(sections(inbound=f'<base /><set-backend-service base-url="{url}" />'))
        assert status(ask(managed, head(managed))) == 200, url
