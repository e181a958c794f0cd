"""Requests that could be read in two ways: none reaches an upstream, and the connection ends (RFC 9112)."""
import itertools
import socket
import threading

import pytest

KEY = b"Ocp-Apim-Subscription-Key"


@pytest.fixture(scope="module")
def counted(live):
    """An API before an upstream that counts what it is asked."""
    seen = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        with connection:
            data = b""
            while piece := connection.recv(65536):
                data += piece
                while b"\r\n\r\n" in data:
                    head, data = data.split(b"\r\n\r\n", 1)
                    seen.append(head.split(b"\r\n")[0])
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    threading.Thread(target=serve, daemon=True).start()
    live.management("PUT", "/apis/counted", {"properties": {
        "displayName": "C", "path": "counted", "protocols": ["http"], "subscriptionRequired": False,
        "serviceUrl": f"http://127.0.0.1:{listener.getsockname()[1]}"}})
    for method in ("GET", "POST"):
        live.management("PUT", f"/apis/counted/operations/{method}", {"properties": {
            "displayName": "O", "method": method, "urlTemplate": "/*"}})
    live.seen = seen
    yield live
    live.management("DELETE", "/apis/counted", headers={"If-Match": "*"})
    listener.close()


def ask(live, data):
    """Sends bytes and reads until the gateway ends the connection or is silent for a while."""
    host, port = live.urls["gateway"].split("//")[1].split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(data)
        connection.settimeout(0.6)
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except TimeoutError:
            return received, False
        except ConnectionResetError:
            pass
        return received, True


def head(*lines, line=b"POST /counted/x HTTP/1.1", host=b"Host: a"):
    return b"\r\n".join([line, *([host] if host else []), *lines]) + b"\r\n\r\n"


BLANKS = [b" ", b"\t", b"\x0b", b"\x0c"]
LENGTHS = [b"+5", b"-5", b"5 5", b"5,5", b"5, 5", b"0x5", b"5.0", b"", b"five", b"5;", b"99999999999999999999999", b"\"5\"", b"5\x0b", b"1e1"]
CODINGS = [b"gzip", b"identity", b"chunked, chunked", b"gzip, chunked", b"chunked;q=1", b"xchunked", b"\"chunked\"", b"chunked,", b", chunked",
           b"chunked, identity", b"chun ked", b"", b"Chunked\x0b", b"deflate", b"chunked\x00"]
NAMES = [b"A B", b"A\x00", b"A\x7f", b"A(", b"A)", b"A<", b"A>", b"A@", b"A,", b"A;", b"A\\", b"A\"", b"A/", b"A[", b"A]", b"A?", b"A=", b"A{", b"A}",
         b"\xc3\xa4", b""]
CONTROLS = [bytes([byte]) for byte in range(32) if byte not in (9, 10, 13)] + [b"\x7f"]
LINES = [
    "POST /counted/\u00e9 HTTP/1.1".encode(), b"POST /counted/x?\xff HTTP/1.1",
    b"POST  /counted/x HTTP/1.1", b"POST /counted/x  HTTP/1.1", b" POST /counted/x HTTP/1.1", b"POST /counted/x HTTP/1.1 ", b"POST /counted/x",
    b"POST\t/counted/x HTTP/1.1", b"POST /counted/x\tHTTP/1.1", b"POST /counted/x HTTP/1.2", b"POST /counted/x HTTP/2.0", b"POST /counted/x http/1.1",
    b"POST /counted/x HTTP/1.1.1", b"POST /counted/x HTTP/01.1", b"POST /counted/x HTTP/1", b"POST counted/x HTTP/1.1", b"POST /counted/x y HTTP/1.1",
    b"POST /counted/\x00x HTTP/1.1", b"POST /counted/x#y HTTP/1.1", b"PO ST /counted/x HTTP/1.1", b"PO\x00ST /counted/x HTTP/1.1",
    b"POST http://other/counted/x HTTP/1.1", b"POST http://a@b/counted/x HTTP/1.1", b"POST https://a/counted/x HTTP/1.1", b"POST http:///counted/x HTTP/1.1",
    b"POST http://a HTTP/1.1", b"CONNECT a:80 HTTP/1.1", b"POST //a\x7f/counted HTTP/1.1", b"P(ST /counted/x HTTP/1.1", b"\x16\x03\x01\x02\x00\x01",
    b"POST /counted/x HTTP/1.1\nX: y", b"POST /counted/x HTTP/1.1\rX: y",
    # What an upstream might resolve to another path than the one that was judged.
    *(b"POST /counted/" + path + b" HTTP/1.1" for path in (
        b"..", b"../x", b"a/../x", b"./x", b"%2e%2E/x", b".%2e/x", b"..;a=b/x", b"..%2fx", b"a%2F..%2Fx", b"..%5cx", b"x/..?y=1", b"..;")),
]
BODY = b"0\r\n\r\n"
LENGTH, CHUNKED = b"Content-Length: 5", b"Transfer-Encoding: chunked"
REFUSED = (
    [head(b"Content-Length: " + text) + b"12345" for text in LENGTHS]
    + [head(b"Transfer-Encoding: " + text) + BODY for text in CODINGS]
    + [head(*pair) + BODY for pair in itertools.permutations([LENGTH, CHUNKED])]
    + [head(LENGTH, LENGTH) + b"12345", head(LENGTH, b"Content-Length: 6") + b"12345", head(CHUNKED, CHUNKED) + BODY,
       head(CHUNKED, b"Transfer-Encoding: gzip") + BODY, head(b"Transfer-Encoding: gzip", CHUNKED) + BODY]
    + [head(name + blank + b": " + value) + BODY for blank in BLANKS for name, value in
       ((b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked"), (b"X", b"y"))]
    + [head(blank + b"Content-Length: 5") + b"12345" for blank in BLANKS]
    + [head(b"X: y", blank + b"folded") for blank in BLANKS]
    + [head(name + b": y") for name in NAMES] + [head(b"no colon")]
    + [head(b"X: a" + byte + b"b") for byte in CONTROLS]
    + [head(b"X: a\nb: c"), head(b"X: a\rb: c"), head(b"X: a\n"), head(b"X: a\r")]
    + [head(host=None), head(b"Host: a"), head(b"Host: b"), head(host=b"Host: a, b"), head(host=b"Host: a b"), head(host=b"Host: a/b"),
       head(host=b"Host: u@a"), head(host=b"Host : a"), head(host=b"Host: a\x00")]
    + [head(line=line) for line in LINES]
    # One CRLF may stand before a request line (RFC 9112, 2.2), and nothing else: neither two nor a part of one.
    + [before + head() + BODY for before in (b"\n", b"\r", b"\r\n\r\n", b"\n\r\n", b"\r\n\n", b"\r\n\r", b"\r\r\n", b"\n\n", b" \r\n", b"\r\n ", b"\t\r\n",
                                              b"\r\n\x00", b"\x0b\r\n")]
    # A list by lines that frames, or hides what frames.
    + [head(b"Connection: close", b"Connection: Transfer-Encoding", CHUNKED, LENGTH) + BODY]
    + [b"POST /counted/x HTTP/1.1\nHost: a\n\n", b"POST /counted/x HTTP/1.1\r\nHost: a\n\r\n", b"POST /counted/x HTTP/1.1\r\nHost: a\r\n\n"]
    + [b"POST /counted/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY, head(b"Expect: nothing"), head(b"Expect: 100-continue, x")]
    + [head(b"X: " + b"y" * 40_000), head(*[b"A%d: b" % number for number in range(200)]), head(line=b"POST /counted/" + b"x" * 17_000 + b" HTTP/1.1")]
)


def test_nothing_ambiguous_reaches_an_upstream(counted):
    assert len(REFUSED) >= 150
    smuggled = b"GET /counted/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    for request in REFUSED:
        received, ended = ask(counted, request + smuggled)
        status = received[9:12]
        assert status in (b"400", b"414", b"431", b"505"), (request[:120], received[:200])
        assert received.count(b"HTTP/1.1 ") == 1 and ended, (request[:120], received[:400])
    assert counted.seen == []


@pytest.mark.parametrize("body", [
    b"5\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"\r\nhello",
    b"FFFFFFFFFFFFFFFFF\r\nhello", b"-1\r\nhello", b"5;\x00\r\nhello\r\n0\r\n\r\n",
    b"5;a b\r\nhello\r\n0\r\n\r\n", b"5;\r\nhello\r\n0\r\n\r\n", b"5;a=\"b\r\nhello\r\n0\r\n\r\n", b"5;a=\xff\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nno colon\r\n\r\n", b"0\r\n: x\r\n\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"0\r\ncontent-length: 5\r\n\r\n",
    # Blanks anywhere but around the semicolon and the equals sign of an extension (RFC 9112, 7.1.1).
    b"5\t\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5 5;a\r\nhello\r\n0\r\n\r\n", b"5 a\r\nhello\r\n0\r\n\r\n", b"5; \r\nhello\r\n0\r\n\r\n",
    b"5;a \r\nhello\r\n0\r\n\r\n", b"5;a=b \r\nhello\r\n0\r\n\r\n", b"5;a= \r\nhello\r\n0\r\n\r\n", b"5 \x0b;a\r\nhello\r\n0\r\n\r\n", b"5 ;a\nhello\r\n0\r\n\r\n",
    b"5 ;a=\"b\r\n\"\r\nhello\r\n0\r\n\r\n", b"5;a b=c\r\nhello\r\n0\r\n\r\n", b"0 \r\n\r\n", b"5 =a\r\nhello\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n", b"0\r\nA: b\nC: d\r\n\r\n", b"0\r\n" + b"A: " + b"b" * 10_000 + b"\r\n\r\n"])
def test_broken_chunks_end_the_connection(counted, body):
    before = len(counted.seen)
    received, ended = ask(counted, head(CHUNKED) + body + b"GET /counted/smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    # Nothing of an answer had begun: the caller learns why.
    assert ended and received.startswith(b"HTTP/1.1 400 ") and received.count(b"HTTP/1.1 ") == 1, received
    assert not any(b"smuggled" in line for line in counted.seen[before:])


def test_blanks_of_extensions_and_empty_lines_pass(counted):
    body = b"hello\r\n0 ; last\r\n\r\n"
    for line in (b"5 ;a", b"5\t;a", b"5; a", b"5;a ;b", b"5;a = b", b"5 \t; \ta\t=\t\"x ; y\" \t; c"):
        received, ended = ask(counted, head(CHUNKED) + line + b"\r\n" + body)
        assert received.startswith(b"HTTP/1.1 200 OK") and not ended, (line, received)
    # Before the first request, between others, in pieces, and behind a body as old clients have it.
    get = head(line=b"GET /counted/x HTTP/1.1")
    for data, count in ((b"\r\n" + get, 1), (b"\r\n" + get + b"\r\n" + get + get, 3), (head(LENGTH) + b"12345\r\n", 1),
                        (head(LENGTH) + b"12345\r\n" + get, 2), (head(CHUNKED) + BODY + b"\r\n" + get, 2)):
        received, ended = ask(counted, data)
        assert received.count(b"HTTP/1.1 200 OK") == count and not ended, (data, received)
    host, port = counted.urls["gateway"].split("//")[1].split(":")
    for data in (b"\r\n" + get, get + b"\r\n" + get):
        with socket.create_connection((host, int(port)), 5) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in data:
                connection.sendall(bytes([byte]))
            connection.settimeout(0.6)
            received = b""
            try:
                while piece := connection.recv(65536):
                    received += piece
            except TimeoutError:
                pass
            assert received.count(b"HTTP/1.1 200 OK") == data.count(b"GET ")


def test_what_is_clear_passes(counted):
    before = len(counted.seen)
    for request in (head(LENGTH) + b"12345", head(CHUNKED) + b"5;a=b;c;d=\"e \\\"f;\"\r\nhello\r\n0\r\nTrailer: x\r\n\r\n", head(b"content-LENGTH:5\t ") + b"12345",
                    head(line=b"POST http://A/counted/x?y=1 HTTP/1.1"), head(b"X: \xe4\x80", b"Y:"), b"GET /counted/x HTTP/1.0\r\n\r\n",
                    head(host=b"Host: [::1]:80"),
                    head(line=b"POST /counted/.well-known/a..b/...?x=../y HTTP/1.1"), head(b"Expect: 100-Continue", LENGTH) + b"12345"):
        received, _ = ask(counted, request)
        assert b"HTTP/1.1 200 OK" in received, (request, received)
    assert sum(b" HTTP/1." in line for line in counted.seen[before:]) == 9
    # Several at once are answered in their order.
    received, _ = ask(counted, (head(LENGTH) + b"12345") * 3 + head(line=b"GET /nowhere HTTP/1.1") + head(LENGTH) + b"12345")
    assert [received[place:place + 12] for place in range(len(received)) if received.startswith(b"HTTP/1.1", place)] == [
        b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 404", b"HTTP/1.1 200"]
