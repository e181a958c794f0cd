"""Answers, requests and connections that end early, and times that go over several upstreams."""
import itertools
import time

import pytest

from test_policies import sections
from test_wire import FIRST, FORWARD, OK, OUTBOUND, answering, ask, connect, head, status, timed
from test_wire import wired  # noqa: F401 (a fixture)
from test_websocket import read_head

ENDS = {"head": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b""), "part": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"abcd"),
        "chunked": (FIRST, b""), "chunk": (FIRST, b"5\r\nab")}


@pytest.mark.parametrize("policy", ["none", "outbound", "status"])
def test_an_answer_that_ends_early_is_told_as_far_as_it_came(wired, policy):
    """Whenever its end comes: with the head, right behind it or later."""
    def serve(wire, connection, _):
        wire.read(connection)
        for piece in wire.pieces:
            connection.sendall(piece)
            time.sleep(wire.pause)
    wire, managed = wired(serve, OUTBOUND[policy])
    connection_ends = head(managed, "Connection: close")
    for name, (first, rest) in ENDS.items():
        for pieces, pause in (([first + rest], 0), ([first, rest], 0), ([first, rest], 0.01)):
            wire.pieces, wire.pause = [piece for piece in pieces if piece], pause
            for request in [head(managed), connection_ends] * 4:
                answer, body = ask(managed, request)
                assert answer.startswith("HTTP/1.1 201 " if policy == "status" else "HTTP/1.1 200 "), (name, pieces, pause, answer)
                assert body == rest, (name, pieces, pause, body)
    # Where not even the head is whole, nothing of it was told.
    for piece in (b"", b"HTTP/1.1 200 OK\r\nContent-"):
        wire.pieces, wire.pause = [piece], 0
        assert status(ask(managed, head(managed))) == 500


@pytest.mark.parametrize("policy", [None, OUTBOUND["outbound"], sections(inbound="<base /><set-body>new</set-body>"),
                                    sections(backend='<forward-request buffer-request-body="true" />')])
def test_a_broken_chunk_of_a_request_is_refused(wired, policy):
    wire, managed = wired(answering(OK), policy)
    chunked = head(managed, "Transfer-Encoding: chunked", method="POST")
    for broken in (b"3 \r\nabc", b"3\t\r\nabc", b"3;\r\nabc", b"X\r\n", b"3\nabc", b"3\r\nabcd"):
        answer, body = ask(managed, chunked + broken)
        assert status((answer, body)) == 400 and body, (broken, answer)
    # In several pieces too, unless what stands in the body's stead was answered already.
    if policy is None or "set-body" not in policy:
        assert status(ask(managed, chunked, b"3\r\nabc\r\n", b"X\r\n")) == 400


def test_requests_where_the_upstream_closes_soon_after_each_answer(wired):
    """However soon one follows the other, none that cannot be sent again goes on a connection that is about to end."""
    def serve(wire, connection, _):
        request = wire.read(connection)
        if request:
            connection.sendall(OK.replace(b"ok", b"") if request.startswith(b"HEAD") else OK)
            time.sleep(0.02)
    bodies = {"HEAD": [], "PUT": ["Content-Length: 5"], "POST": ["Content-Length: 5"]}
    for policy in (None, OUTBOUND["outbound"]):
        wire, managed = wired(serve, policy)
        texts = {method: head(managed, *fields, method=method) + (b"hello" if fields else b"") for method, fields in bodies.items()}
        for methods in itertools.product(texts, texts, ["POST"]):
            for packets in ([b"".join(texts[method] for method in methods)], [texts[method] for method in methods]):
                with connect(managed) as stream:
                    stream.settimeout(10)
                    for number, method in enumerate(methods):
                        if number < len(packets):
                            stream.sendall(packets[number])
                        assert read_head(stream).startswith("HTTP/1.1 200 "), (methods, number, len(packets))
                        if method != "HEAD":
                            assert stream.recv(2) == b"ok"


def test_connections_are_kept_for_what_is_sent_once(wired):
    wire, managed = wired(answering(OK))
    numbers, serve = set(), wire.serve

    def counting(wire, connection, number):
        numbers.add(number)
        serve(wire, connection, number)
    wire.play(counting)
    post = head(managed, "Content-Length: 2", method="POST") + b"hi"
    with connect(managed) as stream:
        for number in range(30):
            stream.sendall(post)
            assert read_head(stream).startswith("HTTP/1.1 200 ") and stream.recv(2) == b"ok"
            if number == 9:
                numbers.clear()
                time.sleep(0.1)
    assert not numbers, numbers


def test_redirects_have_one_time_together(wired):
    def serve(wire, connection, _):
        while request := wire.read(connection):
            time.sleep(0.3)
            step = int(request.split(b"step=")[1].split(b" ")[0]) if b"step=" in request else 0
            place = f"/a/../hop?step={step + 1}".encode()
            connection.sendall(OK if step == wire.steps else b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n")
    wire, managed = wired(serve)
    for attributes, steps, expected in (('timeout-ms="700"', 1, 200), ('timeout-ms="700"', 6, 500), ('timeout="1"', 6, 500), ("", 2, 200)):
        managed.set(sections(backend=FORWARD.format(f'follow-redirects="true" {attributes}')))
        wire.steps, wire.requests = steps, []
        late, code = timed(managed)
        assert code == expected and late < 1.3, (attributes, steps, late, code)
        # The way to a target is told without its dots.
        assert all(b" /hop?" in request for request in wire.requests[1:])
