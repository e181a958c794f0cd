"""The blobs door by requests that are made by hand: hashes, errors, names, snapshots, leases, sources and searches by tags."""
import base64
import hashlib
import socket
import time
import urllib.parse
import uuid

import pytest

from blob_wire import Door, code, document
from gatehouse import server

BLOCK = {"x-ms-blob-type": "BlockBlob"}
APPEND = {"x-ms-blob-type": "AppendBlob"}
PAGE = {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "1024"}


@pytest.fixture(scope="module")
def door(live):
    storage = live.guide["storage"]
    door = Door(live.urls["blobs"], storage["account"], storage["key"])
    yield door
    door.tidy()


@pytest.fixture(scope="module", autouse=True)
def leased(door):
    """Blobs whose shortest lease runs out while the other tests of this file run."""
    name, id = door.container(), str(uuid.uuid4())
    for blob in ("written", "named", "kept", "tagged", "block", "staged", "renewed", "snapped"):
        door.put(f"/{name}/{blob}")
        answer = door.call("PUT", f"/{name}/{blob}", "comp=lease", {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "15", "x-ms-proposed-lease-id": id})
        assert answer.status == 201
    return name, id, time.monotonic() + 15.2


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


WRONG = md5(b"something else")


# Hashes


def test_a_wrong_md5_of_the_body_is_refused_on_every_write(door):
    name = door.container()
    door.put(f"/{name}/b")
    door.call("PUT", f"/{name}/a", headers=APPEND)
    door.call("PUT", f"/{name}/p", headers=PAGE)
    block = "comp=block&blockid=" + urllib.parse.quote(base64.b64encode(b"1").decode())
    cors = b"<StorageServiceProperties><Cors></Cors></StorageServiceProperties>"
    writes = [
        (f"/{name}/new", "", BLOCK, b"x"), (f"/{name}/new", "", APPEND, b""), (f"/{name}/new", "", PAGE, b""),
        (f"/{name}/new", block, {}, b"x"), (f"/{name}/new", "comp=blocklist", {}, b"<BlockList></BlockList>"),
        (f"/{name}/a", "comp=appendblock", {}, b"x"),
        (f"/{name}/p", "comp=page", {"x-ms-page-write": "update", "x-ms-range": "bytes=0-511"}, bytes(512)),
        (f"/{name}/b", "comp=tags", {}, b"<Tags><TagSet></TagSet></Tags>"),
        (f"/{name}", "restype=container&comp=acl", {}, b"<SignedIdentifiers></SignedIdentifiers>"),
        ("/", "restype=service&comp=properties", {}, cors),
        (f"/{name}/b", "comp=metadata", {"x-ms-meta-a": "b"}, b""), (f"/{name}/b", "comp=properties", {"x-ms-blob-content-type": "a/b"}, b""),
        (f"/{name}", "restype=container&comp=metadata", {"x-ms-meta-a": "b"}, b""), (f"/{name}/b", "comp=snapshot", {}, b""),
    ]
    for path, query, headers, body in writes:
        for stated, status in ((WRONG, (400, "Md5Mismatch")), ("short", (400, "InvalidMd5"))):
            assert code(door.call("PUT", path, query, {**headers, "Content-MD5": stated}, body)) == status, (path, query)
        if path.endswith("/new"):
            assert door.call("GET", path).status == 404, query
    for path, query, headers, body in writes:
        if path.endswith("/new"):
            door.call("DELETE", path)
        answer = door.call("PUT", path, query, {**headers, "Content-MD5": md5(body)}, body)
        assert answer.status in (200, 201, 202, 204), (path, query, answer.text)


def test_the_md5_of_a_blob_is_compared_where_the_body_is_the_blob(door):
    name = door.container()
    stated = lambda value: {"x-ms-blob-content-md5": value}
    kept = lambda blob: door.call("HEAD", f"/{name}/{blob}").headers.get("Content-MD5")
    assert code(door.call("PUT", f"/{name}/b", headers={**BLOCK, **stated(WRONG)}, body=b"data")) == (400, "Md5Mismatch")
    assert door.call("GET", f"/{name}/b").status == 404
    # Both are judged where both are stated.
    assert code(door.call("PUT", f"/{name}/b", headers={**BLOCK, **stated(WRONG), "Content-MD5": md5(b"data")}, body=b"data")) == (400, "Md5Mismatch")
    assert code(door.call("PUT", f"/{name}/b", headers={**BLOCK, **stated(md5(b"data")), "Content-MD5": WRONG}, body=b"data")) == (400, "Md5Mismatch")
    for value in (md5(b"data"), ""):
        door.put(f"/{name}/b", **stated(value))
        assert kept("b") == md5(b"data")
    # The MD5 of an empty body is not that of what will be appended to it, or written to its pages.
    for headers in (APPEND, PAGE):
        assert door.call("PUT", f"/{name}/e", headers={**headers, "Content-MD5": md5(b"")}, body=b"").status == 201
        assert kept("e") is None
        door.call("DELETE", f"/{name}/e")
    # Stored as it was sent, since the body is not the blob.
    assert door.call("PUT", f"/{name}/l", "comp=blocklist", stated(WRONG), b"<BlockList></BlockList>").status == 201
    assert door.call("PUT", f"/{name}/a", headers={**APPEND, **stated(WRONG)}).status == 201
    assert door.call("PUT", f"/{name}/p", headers={**PAGE, **stated(WRONG)}).status == 201
    assert [kept(blob) for blob in "lap"] == [WRONG] * 3
    for blob in "blap":
        assert door.call("PUT", f"/{name}/{blob}", "comp=properties", stated(WRONG)).status == 200
        assert kept(blob) == WRONG
        assert code(door.call("PUT", f"/{name}/{blob}", "comp=properties", stated("short"))) == (400, "InvalidMd5")
        assert door.call("PUT", f"/{name}/{blob}", "comp=properties", stated("")).status == 200
        assert kept(blob) is None
    for query, headers, body in (("comp=blocklist", {}, b"<BlockList></BlockList>"), ("", APPEND, b""), ("", PAGE, b"")):
        assert door.call("PUT", f"/{name}/empty", query, {**headers, **stated("")}, body).status == 201
        assert kept("empty") is None
        door.call("DELETE", f"/{name}/empty")


# Errors


def test_every_answer_says_whose_it_is(door):
    """An error too carries the client's id, the request's version and what a browser needs to read it."""
    name = door.container()
    cors = b"<StorageServiceProperties><Cors><CorsRule><AllowedOrigins>https://page.example</AllowedOrigins><AllowedMethods>GET,PUT,HEAD,DELETE</AllowedMethods><AllowedHeaders>*</AllowedHeaders><ExposedHeaders>x-ms-*</ExposedHeaders><MaxAgeInSeconds>5</MaxAgeInSeconds></CorsRule></Cors></StorageServiceProperties>"
    assert door.call("PUT", "/", "restype=service&comp=properties", body=cors).status == 202
    try:
        door.put(f"/{name}/b")
        own = {"x-ms-client-request-id": "mine-1", "Origin": "https://page.example"}
        cases = [
            (door.call, "GET", f"/{name}/none", "", {}, 404), (door.call, "HEAD", f"/{name}/none", "", {}, 404),
            (door.call, "GET", f"/{name}/b", "", {"If-None-Match": "*"}, 304), (door.call, "GET", f"/{name}/b", "", {"x-ms-range": "bytes=9-"}, 416),
            (door.call, "PUT", f"/{name}/b", "", {}, 400), (door.call, "DELETE", f"/{name}/b", "", {"If-Match": "no"}, 412),
            (door.call, "PUT", f"/{name}", "restype=container", {}, 409), (door.call, "GET", f"/{name}/b", "comp=nothing", {}, 400),
            (door.send, "GET", f"/{name}/b", "", {}, 404), (door.send, "GET", f"/{name}/b", "sv=2020-02-10&sig=no&se=no", {}, 403),
            (door.send, "GET", f"/{name}/%ff%zz", "", {}, 400), (door.call, "GET", f"/{name}/b", "", {}, 200),
            (door.call, "PUT", f"/{name}/n", "comp=incrementalcopy", {}, 501),
        ]
        for how, method, path, query, headers, status in cases:
            answer = how(method, path, query, {**own, "x-ms-version": "2019-12-12", **headers}, **({"version": "2019-12-12"} if how == door.call else {}))
            shown = {key: answer.headers.get(key) for key in ("x-ms-client-request-id", "x-ms-version", "Access-Control-Allow-Origin")}
            assert (answer.status, shown) == (status, {"x-ms-client-request-id": "mine-1", "x-ms-version": "2019-12-12", "Access-Control-Allow-Origin": "https://page.example"}), (method, path, query)
            assert answer.headers["x-ms-request-id"] and answer.headers["Date"]
            assert answer.headers["Access-Control-Expose-Headers"] == "x-ms-*"
            if status >= 400:
                assert answer.headers["x-ms-error-code"]
        # A version that is none, and another page.
        answer = door.send("GET", f"/{name}/b", "", {**own, "x-ms-version": "none"})
        assert (answer.status, answer.headers["x-ms-client-request-id"]) == (400, "mine-1") and answer.headers["x-ms-version"]
        other = door.call("GET", f"/{name}/none", "", {"Origin": "https://other.example"})
        assert "Access-Control-Allow-Origin" not in other.headers and other.headers["Vary"] == "Origin"
        # What is no request at all.
        odd = door.send("PUT", f"/{name}/x", "", {"Content-Length": "1", "content-length": "2"})
        assert odd.status == 400 and odd.headers["x-ms-request-id"] and odd.headers["x-ms-version"]
        own = {"x-ms-client-request-id": "mine-2", "x-ms-version": "2019-12-12", "Origin": "https://page.example"}
        for fields, status in ({"content-length": "-1"}, 400), ({"Content-Length": "1", "Transfer-Encoding": "chunked"}, 400), ({"host": "a"}, 400), ({"X": "a\x01b"}, 400), ({"X": "a" * 40_000}, 431):
            odd = door.send("PUT", f"/{name}/x", "", {**own, **fields})
            assert (odd.status, odd.headers["x-ms-client-request-id"], odd.headers["x-ms-version"]) == (status, "mine-2", "2019-12-12"), fields
            shared = [odd.headers.get(f"Access-Control-{name}") for name in ("Allow-Origin", "Expose-Headers")]
            assert shared == ["https://page.example", "x-ms-*"], fields
        # By the method and the account that the head names, as far as it can be read; a HEAD has no body all the same.
        two = "X: a\x01b"
        origin = "Origin: https://page.example"
        for line, fields, shared in (
            (f"HEAD /{door.account}/{name}/x HTTP/1.1", ["Host: a", origin, two], "https://page.example"),
            (f"DELETE http://a:1/{door.account}/{name}/x?y HTTP/1.1", ["Host: b", origin], "https://page.example"),
            (f"GET /{name}/x HTTP/1.1", [f"Host: {door.account}.blob.test", origin, two], "https://page.example"),
            (f"GET /{door.account}/{name}/x HTTP/3.1", ["Host: a", origin], "https://page.example"),
            (f"GET /{door.account}/x y HTTP/1.1", ["Host: a", origin], "https://page.example"),
            (f"POST /{door.account}/{name}/x HTTP/1.1", ["Host: a", origin, two], None), ("GET /other/x HTTP/1.1", ["Host: a", origin, two], None),
            (f"GET /{door.account}/{name}/x HTTP/1.1", ["Host: a", "Origin: https://other.example", two], None),
            (f"G@T /{door.account}/{name}/x HTTP/1.1", ["Host: a", origin], None), ("nothing", [origin], None), ("", ["", origin], None),
        ):
            head, body = door.raw("\r\n".join([line, *fields, "", ""]).encode())
            assert head.split(" ")[1] in ("400", "505") and "x-ms-request-id: " in head, (line, head)
            assert (f"Access-Control-Allow-Origin: {shared}\r\n" in head) if shared else "Access-Control-Allow-Origin" not in head, (line, head)
            assert bool(body) == (not line.startswith("HEAD")), line
        # A body that breaks.
        head, _ = door.raw(f"PUT /{door.account}/{name}/x HTTP/1.1\r\nHost: a\r\n{origin}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".encode())
        assert head.startswith("HTTP/1.1 4") and "Access-Control-Allow-Origin: https://page.example\r\n" in head
    finally:
        door.call("PUT", "/", "restype=service&comp=properties", body=b"<StorageServiceProperties><Cors></Cors></StorageServiceProperties>")


def test_rules_of_sharing_hold_after_a_start(fresh):
    storage = fresh.demo()["storage"]
    broken = f"GET /{storage['account']}/c/b HTTP/1.1\r\nHost: a\r\nHost: b\r\nOrigin: https://page.example\r\n\r\n".encode()
    rule = b"<CorsRule><AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET</AllowedMethods><AllowedHeaders></AllowedHeaders><ExposedHeaders></ExposedHeaders><MaxAgeInSeconds>5</MaxAgeInSeconds></CorsRule>"
    for rules, shown in (b"", False), (rule, True):
        answer = Door(fresh.urls["blobs"], storage["account"], storage["key"]).call(
            "PUT", "/", "restype=service&comp=properties", body=b"<StorageServiceProperties><Cors>" + rules + b"</Cors></StorageServiceProperties>")
        assert answer.status == 202, answer.text
        for _ in range(2):
            door = Door(fresh.urls["blobs"], storage["account"], storage["key"])
            assert ("Access-Control-Allow-Origin: *\r\n" in door.raw(broken)[0]) == shown
            answer = door.send("GET", "/none/none", "", {"Origin": "https://page.example"})
            assert answer.headers.get("Access-Control-Allow-Origin") == ("*" if shown else None)
            fresh.stop()
            fresh.start()


# Names


def test_names_that_xml_cannot_write_do_not_break_a_listing(door):
    name = door.container()
    odd = ["a\uFFFEb", "dir\uFFFF/x", "plain", "ümläut & <more>", "%EF%BF%BE"]
    for blob in odd:
        door.put(f"/{name}/" + urllib.parse.quote(blob))
    for number in [*range(1, 32), 127]:
        assert code(door.call("PUT", f"/{name}/x{'%%%02X' % number}", headers=BLOCK, body=b"")) == (400, "InvalidResourceName")

    def shown(query):
        root = document(door.call("GET", f"/{name}", "restype=container&comp=list" + query))
        names = []
        for element in root.iter("Name"):
            text = element.text
            names.append(urllib.parse.unquote(text) if element.get("Encoded") == "true" else text)
        return names, root

    names, root = shown("&include=metadata")
    assert sorted(names) == sorted(odd)
    assert [element.text for element in root.iter("Name") if element.get("Encoded")] == ["a%EF%BF%BEb", "dir%EF%BF%BF%2Fx"]
    assert "dir\uFFFF/" in shown("&delimiter=/")[0]
    # What was asked for is said again, and what cannot be written is said in the same way.
    for part in ("&prefix=a%EF%BF%BE", "&prefix=%01", "&delimiter=%EF%BF%BF", "&prefix=a%EF%BF%BE&maxresults=1"):
        shown(part)
    assert shown("&prefix=a%EF%BF%BE")[0] == ["a\uFFFEb"]
    # Page by page.
    found, marker = [], ""
    while True:
        names, root = shown("&maxresults=1" + (f"&marker={urllib.parse.quote(marker)}" if marker else ""))
        found += names
        marker = root.find("NextMarker").text
        if not marker:
            break
    assert sorted(found) == sorted(odd)
    # Errors and metadata as well.
    door.call("PUT", f"/{name}/plain", "comp=metadata", {"x-ms-meta-odd": "x\uFFFEy".encode().decode("latin-1")})
    shown("&include=metadata")
    document(door.call("GET", f"/{name}", "restype=container&comp=list&marker=%EF%BF%BE"))
    assert code(door.call("PUT", f"/{name}/plain", "comp=tags", body=b"<Tags><TagSet><Tag><Key>&#xFFFE;</Key></Tag></TagSet></Tags>")) == (400, "InvalidXmlDocument")
    assert code(door.call("PUT", f"/{name}", "restype=container&comp=acl", body=b"<SignedIdentifiers><SignedIdentifier><Id>\x01</Id></SignedIdentifier></SignedIdentifiers>")) == (400, "InvalidXmlDocument")


def test_loose_names_between_folders_are_listed(door):
    name = door.container()
    for blob in ("a/1", "b.txt", "c.txt", "d/1", "d/2", "e", "z/1"):
        door.put(f"/{name}/{blob}")
    for size in (1, 2, 3, 7, 5000):
        found, marker = [], ""
        while True:
            query = f"restype=container&comp=list&delimiter=/&maxresults={size}" + (f"&marker={urllib.parse.quote(marker)}" if marker else "")
            root = document(door.call("GET", f"/{name}", query))
            found += [element.text for element in root.iter("Name")]
            marker = root.find("NextMarker").text
            if not marker:
                break
        assert found == ["a/", "b.txt", "c.txt", "d/", "e", "z/"], size


# Snapshots, ranges


def test_a_byte_order_mark_is_part_of_a_name(door):
    name, mark = door.container(), "%EF%BB%BF"
    door.put(f"/{name}/report.csv", b"plain")
    door.put(f"/{name}/{mark}report.csv", b"marked")
    tagged = {"x-ms-tags": "a=b"}
    door.put(f"/{name}/{mark}{mark}", b"two", **tagged)
    assert door.call("GET", f"/{name}/report.csv").body == b"plain"
    assert door.call("GET", f"/{name}/{mark}report.csv").body == b"marked"
    url = f"http://{door.host}:{door.port}/{door.account}/{name}/{mark}report.csv"
    assert door.call("PUT", f"/{name}/copy", headers={"x-ms-copy-source": url}).status == 202
    assert door.call("GET", f"/{name}/copy").body == b"marked"
    names = lambda query: {item.text for item in document(door.call("GET", f"/{name}", f"restype=container&comp=list{query}")).iter("Name")}
    assert names("") == {"report.csv", "copy", "\ufeffreport.csv", "\ufeff\ufeff"}
    assert names(f"&prefix={mark}") == {"\ufeffreport.csv", "\ufeff\ufeff"}
    assert door.call("DELETE", f"/{name}/{mark}report.csv").status == 202
    assert door.call("GET", f"/{name}/report.csv").body == b"plain"
    assert code(door.call("GET", f"/{name}/{mark}report.csv")) == (404, "BlobNotFound")
    token = door.service_sas("r", name, "\ufeff\ufeff")
    assert door.signed(token, "GET", f"/{name}/{mark}{mark}").body == b"two"
    for tags in (f"{mark}a=b", f"a={mark}b", "a=%ff", "a=%zz"):
        assert door.call("PUT", f"/{name}/none", headers={**BLOCK, "x-ms-tags": tags}, body=b"x").status == 400, tags
    for path, query in ((f"/{name}/%ff", ""), (f"/{name}/a%", ""), (f"/{name}", "restype=container&comp=list&prefix=%ff")):
        assert code(door.send("GET", path, query)) == (400, "InvalidUri"), (path, query)


def send_lines(door, method, path, lines, body=b""):
    """A request whose fields stand in lines, in this order and as often as they do; its status."""
    with socket.create_connection((door.host, door.port), 10) as stream:
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        stream.sendall(f"{method} /{door.account}{path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{head}\r\n".encode() + body)
        return int(stream.makefile("rb").readline().split()[1])


@pytest.mark.parametrize("field", ["Content-MD5", "x-ms-blob-content-md5", "x-ms-lease-id", "x-ms-copy-source", "Range", "x-ms-range", "If-Match", "If-None-Match", "x-ms-version", "x-ms-blob-type"])
def test_a_field_of_one_value_does_not_appear_twice(door, field):
    name = door.container()
    token = door.service_sas("rcw", name)
    value = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob", "Range": "bytes=0-1", "x-ms-range": "bytes=0-1"}.get(field, md5(b"x"))
    lines = [] if field == "x-ms-blob-type" else [("x-ms-blob-type", "BlockBlob")]
    assert send_lines(door, "PUT", f"/{name}/b?{token}", [*lines, (field, value), (field.upper(), WRONG)], b"x") == 400
    assert door.call("HEAD", f"/{name}/b").status == 404
    twice = [("x-ms-blob-type", "BlockBlob"), ("x-ms-meta-a", "1"), ("x-ms-meta-a", "2")]
    assert send_lines(door, "PUT", f"/{name}/b?{token}", twice, b"x") == 201
    assert door.call("HEAD", f"/{name}/b").headers["x-ms-meta-a"] == "1,2"


def test_a_clear_of_pages_has_no_source(door):
    name = door.container()
    assert door.call("PUT", f"/{name}/p", headers=PAGE).status == 201
    write = {"x-ms-range": "bytes=0-511", "x-ms-page-write": "update"}
    assert door.call("PUT", f"/{name}/p", "comp=page", write, b"x" * 512).status == 201
    clear = {**write, "x-ms-page-write": "clear", "x-ms-copy-source": "http://127.0.0.1/a/b", "x-ms-source-range": "bytes=0-511"}
    assert code(door.call("PUT", f"/{name}/p", "comp=page", clear)) == (400, "InvalidHeaderValue")
    assert door.call("GET", f"/{name}/p").body[:512] == b"x" * 512


def test_a_write_of_a_snapshot_is_refused_and_changes_nothing(door):
    name = door.container()
    door.put(f"/{name}/b", b"old")
    door.call("PUT", f"/{name}/a", headers=APPEND)
    door.call("PUT", f"/{name}/p", headers=PAGE)
    times = {blob: door.call("PUT", f"/{name}/{blob}", "comp=snapshot").headers["x-ms-snapshot"] for blob in "bap"}
    before = {blob: door.call("HEAD", f"/{name}/{blob}").headers["ETag"] for blob in "bap"}
    block = "comp=block&blockid=" + urllib.parse.quote(base64.b64encode(b"1").decode())
    source = f"http://{door.host}:{door.port}/{door.account}/{name}/b"
    writes = [
        ("b", "", BLOCK, b"new"), ("b", "", {"x-ms-copy-source": source}, None), ("b", "", {**BLOCK, "x-ms-copy-source": source}, None),
        ("b", block, {}, b"x"), ("b", "comp=blocklist", {}, b"<BlockList></BlockList>"), ("b", "comp=metadata", {"x-ms-meta-a": "b"}, None),
        ("b", "comp=properties", {"x-ms-blob-content-type": "a/b"}, None), ("b", "comp=tags", {}, b"<Tags><TagSet></TagSet></Tags>"),
        ("b", "comp=lease", {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1"}, None), ("b", "comp=snapshot", {}, None),
        ("a", "comp=appendblock", {}, b"x"), ("a", "comp=seal", {}, None),
        ("p", "comp=page", {"x-ms-page-write": "update", "x-ms-range": "bytes=0-511"}, bytes(512)),
        ("p", "comp=properties", {"x-ms-blob-content-length": "512"}, None),
    ]
    for blob, query, headers, body in writes:
        for value in (urllib.parse.quote(times[blob]), ""):
            answer = door.call("PUT", f"/{name}/{blob}", f"{query}&snapshot={value}".lstrip("&"), headers, body)
            assert answer.status == 400, (blob, query, answer.status, answer.text)
    assert {blob: door.call("HEAD", f"/{name}/{blob}").headers["ETag"] for blob in "bap"} == before
    # An empty one must not mean the blob itself.
    assert door.call("DELETE", f"/{name}/b", "snapshot=").status == 400
    time = "snapshot=" + urllib.parse.quote(times["b"])
    assert door.call("PUT", f"/{name}/b", f"comp=tier&{time}", {"x-ms-access-tier": "Cool"}).status == 200
    assert door.call("HEAD", f"/{name}/b", time).headers["x-ms-access-tier"] == "Cool"
    assert door.call("HEAD", f"/{name}/b").headers["x-ms-access-tier"] == "Hot"
    assert door.call("DELETE", f"/{name}/b", time).status == 202
    assert door.call("GET", f"/{name}/b").body == b"old"


def test_the_md5_of_a_range_needs_a_range(door):
    name = door.container()
    door.put(f"/{name}/b", b"hello")
    asked = {"x-ms-range-get-content-md5": "true"}
    assert door.call("GET", f"/{name}/b", headers=asked).status == 400
    assert door.call("GET", f"/{name}/b", headers={**asked, "x-ms-range": "bytes=1-2"}).headers["Content-MD5"] == md5(b"el")
    assert door.call("GET", f"/{name}/b", headers={**asked, "Range": "bytes=1-2"}).headers["Content-MD5"] == md5(b"el")


# Sources


@pytest.fixture(scope="module")
def source(door):
    name = door.container()
    data = bytes(range(256)) * 40
    answer = door.put(f"/{name}/source", data)
    url = f"http://{door.host}:{door.port}/{door.account}/{name}/source"
    return name, data, url, answer.headers["ETag"]


def writes_from(door, name):
    """The three writes of bytes from an address: what they are called with, and how what they wrote is read."""
    door.call("PUT", f"/{name}/a", headers=APPEND)
    door.call("PUT", f"/{name}/p", headers=PAGE)
    block = "comp=block&blockid=" + urllib.parse.quote(base64.b64encode(b"1").decode())

    def read_block():
        list = f"<BlockList><Latest>{base64.b64encode(b'1').decode()}</Latest></BlockList>".encode()
        assert door.call("PUT", f"/{name}/b", "comp=blocklist", body=list).status == 201
        return door.call("GET", f"/{name}/b").body

    return [
        (f"/{name}/b", block, {}, read_block), (f"/{name}/a", "comp=appendblock", {}, lambda: door.call("GET", f"/{name}/a").body),
        (f"/{name}/p", "comp=page", {"x-ms-page-write": "update", "x-ms-range": "bytes=512-1023"}, lambda: door.call("GET", f"/{name}/p").body[512:]),
    ]


def test_blocks_appends_and_pages_are_written_from_an_address(door, source):
    name, data, url, etag = source
    public = door.container(public="blob")
    door.put(f"/{public}/s", data)
    for path, query, headers, read in writes_from(door, door.container()):
        part = data[256:768]
        headers = {**headers, "x-ms-copy-source": url, "x-ms-source-range": "bytes=256-767"}
        refusals = [
            ({"x-ms-source-content-md5": WRONG}, None, (400, "Md5Mismatch")), ({"x-ms-source-content-md5": "short"}, None, (400, "InvalidMd5")),
            ({"x-ms-source-if-match": '"0x1"'}, None, (412, "SourceConditionNotMet")), ({"x-ms-source-if-none-match": etag}, None, (412, "SourceConditionNotMet")),
            ({"x-ms-source-if-modified-since": "Fri, 01 Jan 2999 00:00:00 GMT"}, None, (412, "SourceConditionNotMet")),
            ({"x-ms-source-if-unmodified-since": "Fri, 01 Jan 1999 00:00:00 GMT"}, None, (412, "SourceConditionNotMet")),
            ({"x-ms-source-range": "nonsense"}, None, (400, "InvalidHeaderValue")), ({"x-ms-copy-source": "nonsense"}, None, (400, "InvalidHeaderValue")),
            ({"x-ms-copy-source": url + "-none"}, None, (404, "CannotVerifyCopySource")), ({"x-ms-copy-source": "http://169.254.169.254/x"}, None, (403, "CannotVerifyCopySource")),
            ({"x-ms-source-range": "bytes=20000-20511"}, None, (416, "InvalidRange")), ({}, b"body", (400, "InvalidHeaderValue")),
            ({"x-ms-lease-id": str(uuid.uuid4())}, None, (412, "LeaseNotPresentWithBlobOperation")),
        ]
        for more, body, status in refusals:
            assert code(door.call("PUT", path, query, {**headers, **more}, body)) == status, (query, more)
        answer = door.call("PUT", path, query, {**headers, "x-ms-source-content-md5": md5(part), "x-ms-source-if-match": etag})
        assert (answer.status, answer.headers["Content-MD5"]) == (201, md5(part)), answer.text
        assert read() == part
        # Another account's caller must be able to read the source: by a signature in the address, or since it is public.
        target = path.split("/")[1]
        token = door.service_sas("rwac", target)
        own = {**headers, "x-ms-version": "2021-12-02"}
        assert code(door.signed(token, "PUT", path, query, own)) == (404, "CannotVerifyCopySource")
        own["x-ms-copy-source"] = f"{url}?{door.service_sas('r', name, 'source')}"
        assert door.signed(token, "PUT", path, query, own).status == 201
        own["x-ms-copy-source"] = f"http://{door.host}:{door.port}/{door.account}/{public}/s"
        assert door.signed(token, "PUT", path, query, own).status == 201
        assert door.signed(door.service_sas("r", target), "PUT", path, query, own).status == 403


def test_conditions_of_appends_and_pages_hold_for_those_from_an_address(door, source):
    _, data, url, _ = source
    name = door.container()
    (_, block, append, page) = (None, *[found[:3] for found in writes_from(door, name)])
    path, query, headers = append
    headers = {**headers, "x-ms-copy-source": url}
    assert code(door.call("PUT", path, query, {**headers, "x-ms-blob-condition-appendpos": "5"})) == (412, "AppendPositionConditionNotMet")
    assert code(door.call("PUT", path, query, {**headers, "x-ms-blob-condition-maxsize": "5"})) == (412, "MaxBlobSizeConditionNotMet")
    # Without a range the whole of the source.
    answer = door.call("PUT", path, query, {**headers, "x-ms-blob-condition-appendpos": "0"})
    assert (answer.status, answer.headers["x-ms-blob-append-offset"]) == (201, "0")
    assert door.call("GET", path).body == data
    path, query, headers = page
    headers = {**headers, "x-ms-copy-source": url}
    assert code(door.call("PUT", path, query, headers)) == (400, "MissingRequiredHeader")
    assert code(door.call("PUT", path, query, {**headers, "x-ms-source-range": "bytes=0-1023"})) == (400, "InvalidHeaderValue")
    headers["x-ms-source-range"] = "bytes=0-511"
    assert code(door.call("PUT", path, query, {**headers, "x-ms-if-sequence-number-eq": "5"})) == (412, "SequenceNumberConditionNotMet")
    assert door.call("PUT", path, query, {**headers, "x-ms-if-sequence-number-eq": "0"}).status == 201


def test_a_wrong_hash_of_a_copys_source_is_refused(door, source):
    _, data, url, _ = source
    name = door.container()
    for headers in ({**BLOCK, "x-ms-copy-source": url}, {"x-ms-copy-source": url, "x-ms-requires-sync": "true"}):
        assert code(door.call("PUT", f"/{name}/c", headers={**headers, "x-ms-source-content-md5": WRONG})) == (400, "Md5Mismatch")
        assert door.call("GET", f"/{name}/c").status == 404
        assert door.call("PUT", f"/{name}/c", headers={**headers, "x-ms-source-content-md5": md5(data)}).status in (201, 202)
        assert door.call("GET", f"/{name}/c").body == data
        door.call("DELETE", f"/{name}/c")


def test_ranges_and_conditions_of_sources_elsewhere(door, tmp_path):
    """A second installation is the other account; its host must be allowed."""
    with server() as remote:
        storage = remote.demo()["storage"]
        there = Door(remote.urls["blobs"], storage["account"], storage["key"])
        name = there.container()
        data = bytes(range(256)) * 40_000
        etag = there.put(f"/{name}/s", data).headers["ETag"]
        url = f"{remote.urls['blobs']}/{there.account}/{name}/s?{there.service_sas('r', name, 's')}"
        config = tmp_path / "settings.yaml"
        config.write_text(f"blob-hosts-allowed: '127.0.0.1:{there.port}'\n")
        with server("--config", str(config)) as local:
            storage = local.demo()["storage"]
            here = Door(local.urls["blobs"], storage["account"], storage["key"])
            for path, query, headers, read in writes_from(here, here.container()):
                long = "page" not in query
                first, last = (1000, 9_000_999) if long else (1000, 1511)
                headers = {**headers, "x-ms-copy-source": url, "x-ms-source-range": f"bytes={first}-{last}"}
                part = data[first:last + 1]
                for more, status in (({"x-ms-source-content-md5": WRONG}, (400, "Md5Mismatch")), ({"x-ms-source-if-match": '"0x1"'}, (412, "SourceConditionNotMet")),
                                     ({"x-ms-source-if-none-match": etag}, (412, "SourceConditionNotMet"))):
                    assert code(here.call("PUT", path, query, {**headers, **more})) == status
                assert here.call("PUT", path, query, {**headers, "x-ms-source-content-md5": md5(part), "x-ms-source-if-match": etag}).status == 201
                assert read() == part
    # Where it is not allowed nothing is read.
    for path, query, headers, _ in writes_from(door, door.container()):
        answer = door.call("PUT", path, query, {**headers, "x-ms-copy-source": url, "x-ms-source-range": "bytes=0-511"})
        assert code(answer) == (403, "CannotVerifyCopySource") and "blob-hosts-allowed" in answer.text


def test_what_is_not_built_is_refused_by_its_name(door):
    name = door.container()
    door.put(f"/{name}/b")
    for method, path, query, word in [
        ("PUT", f"/{name}/n", "comp=incrementalcopy", "incremental copies"), ("PUT", f"/{name}/b", "comp=undelete", "undelete"),
        ("POST", f"/{name}/b", "comp=query", "queries"), ("PUT", f"/{name}/b", "comp=expiry", "expiry"),
        ("PUT", f"/{name}/b", "comp=immutabilityPolicies", "immutability"), ("PUT", f"/{name}/b", "comp=legalhold", "legal holds"),
        ("POST", "/", "restype=service&comp=userdelegationkey", "user delegation keys"), ("GET", "/", "restype=service&comp=stats", "statistics"),
    ]:
        answer = door.call(method, path, query)
        assert answer.status == 501 and word in answer.text, (query, answer.text)
    # Who may not ask for it is told just that.
    token = door.service_sas("racwdl", name)
    for method, path, query in [
        ("PUT", f"/{name}", "restype=container&comp=undelete"), ("PUT", f"/{name}", "restype=container&comp=rename"),
        ("GET", "/", "restype=service&comp=stats"), ("POST", "/", "restype=service&comp=userdelegationkey"),
    ]:
        assert door.signed(token, method, path, query).status == 403, query
        assert door.signed(door.account_sas("racwdl"), method, path, query).status == 501, query
    assert door.signed(door.service_sas("r", name), "PUT", f"/{name}/b", "comp=undelete").status == 403
    assert code(door.call("PUT", f"/{name}/b", "comp=nonsense")) == (400, "InvalidQueryParameterValue")


# Tags


def search(door, path, where, size=None, token=None, version="2021-12-02"):
    """All that is found, page by page, as (container, name, tags)."""
    found, marker = [], ""
    while True:
        query = ("restype=container&" if path != "/" else "") + "comp=blobs&where=" + urllib.parse.quote(where)
        query += f"&maxresults={size}" if size else ""
        query += f"&marker={urllib.parse.quote(marker)}" if marker else ""
        answer = door.call("GET", path, query, version=version) if token is None else door.signed(token, "GET", path, query)
        assert answer.status == 200, answer.text
        root = document(answer)
        page = list(root.iter("Blob"))
        assert len(page) <= (size or 5000) and root.find("Where").text == where
        found += [(blob.find("ContainerName").text, blob.find("Name").text, {tag.find("Key").text: tag.find("Value").text or "" for tag in blob.iter("Tag")})
                  for blob in page]
        marker = root.find("NextMarker").text
        if not marker:
            return found


def test_blobs_are_found_by_their_tags(door):
    mine = f"m{uuid.uuid4().hex[:8]}"
    first, second = sorted(door.container() for _ in range(2))
    for container in (first, second):
        for number in range(6):
            door.put(f"/{container}/dir/{number}", **{"x-ms-tags": urllib.parse.urlencode({mine: f"{number:02}", "kind": "even" if number % 2 == 0 else "odd", "a b": "c:d"})})
        door.put(f"/{container}/plain")
    names = lambda found: [(container, name) for container, name, _ in found]
    both = lambda numbers: [(container, f"dir/{number}") for container in (first, second) for number in numbers]
    cases = [
        (f"\"{mine}\" = '03'", [3]), (f"{mine}='03'", [3]), (f"\"{mine}\" > '03'", [4, 5]), (f"{mine} >= '03' and {mine} < '05'", [3, 4]),
        (f"'03' = '03'", None), (f"\"{mine}\" <= '01'", [0, 1]), (f"{mine} >= '00' AND \"kind\" = 'even'", [0, 2, 4]),
        (f"kind = 'odd' AND {mine} > '01' AND \"a b\" = 'c:d'", [3, 5]), (f"{mine} = '99'", []), (f"{mine} > '' AND kind > 'even'", [1, 3, 5]),
    ]
    for where, numbers in cases:
        if numbers is None:
            assert door.call("GET", "/", "comp=blobs&where=" + urllib.parse.quote(where)).status == 400
            continue
        for size in (None, 1, 2, 7):
            assert names(search(door, "/", where, size)) == both(numbers), (where, size)
            assert names(search(door, f"/{first}", where, size)) == [(first, f"dir/{number}") for number in numbers], (where, size)
    assert names(search(door, "/", f"@container = '{second}' AND {mine} = '03'")) == [(second, "dir/3")]
    assert names(search(door, f"/{first}", f"@container = '{second}' AND {mine} = '03'")) == []
    assert names(search(door, "/", f"@container = 'none' AND {mine} = '03'")) == []
    # The tags of the expression, and no others; before 2020-04-08 one value.
    assert search(door, f"/{first}", f"{mine} = '03' AND kind = 'odd'")[0][2] == {mine: "03", "kind": "odd"}
    old = document(door.call("GET", f"/{first}", f"restype=container&comp=blobs&where={mine}%3D%2703%27", version="2019-12-12"))
    assert [value.text for value in old.iter("TagValue")] == ["03"]
    # What changes is found as it is now: tags, copies, other blobs in place, snapshots, deletion.
    door.call("PUT", f"/{first}/dir/3", "comp=snapshot")
    assert len(search(door, f"/{first}", f"{mine} = '03'")) == 1
    door.call("PUT", f"/{first}/dir/3", "comp=tags", body=f"<Tags><TagSet><Tag><Key>{mine}</Key><Value>50</Value></Tag></TagSet></Tags>".encode())
    door.put(f"/{first}/dir/4")
    door.call("DELETE", f"/{first}/dir/5")
    door.call("PUT", f"/{first}/copy", headers={"x-ms-copy-source": f"http://{door.host}:{door.port}/{door.account}/{second}/dir/1", "x-ms-tags": f"{mine}=60"})
    door.call("PUT", f"/{first}/list", "comp=blocklist", {"x-ms-tags": f"{mine}=70"}, b"<BlockList></BlockList>")
    door.call("PUT", f"/{first}/append", headers={**APPEND, "x-ms-tags": f"{mine}=80"})
    assert names(search(door, f"/{first}", f"{mine} > '02'")) == [(first, "append"), (first, "copy"), (first, "dir/3"), (first, "list")]
    door.call("DELETE", f"/{second}", "restype=container")
    assert {container for container, _ in names(search(door, "/", f"{mine} >= '00'"))} == {first}
    # By signature: the account's, or the container's own.
    assert names(search(door, f"/{first}", f"{mine} = '60'", token=door.service_sas("f", first))) == [(first, "copy")]
    assert names(search(door, "/", f"{mine} = '60'", token=door.account_sas("f"))) == [(first, "copy")]
    other = door.signed(door.service_sas("f", first), "GET", f"/{second}", f"restype=container&comp=blobs&where={mine}%3D%2760%27")
    assert other.status == 403


@pytest.mark.parametrize("where", ["", "a", "a =", "a = b", "= 'b'", "a = 'b' OR c = 'd'", "a <> 'b'", "a = 'b", "a = 'b' AND", "AND a = 'b'", "a = 'b' c = 'd'",
                                   "@container = 'x'", "@other = 'x' AND a = 'b'", "@container > 'x' AND a = 'b'", "a > '1' AND a >= '2'", "a = '1' AND a = '2'",
                                   "a-b = 'c'", "1a = 'c'", "a = \"b\"", " AND ".join(f"t{number} = 'x'" for number in range(11)), "(a = 'b')", "a = 'b'; DROP TABLE blobs"])
def test_an_expression_that_means_nothing_is_refused(door, where):
    answer = door.call("GET", "/", "comp=blobs&where=" + urllib.parse.quote(where))
    assert code(answer) in ((400, "InvalidQueryParameterValue"), (400, "MissingRequiredQueryParameter")), answer.text
    assert door.call("GET", "/", "comp=blobs").status == 400


# Leases: last, since they need their time


def test_a_write_after_an_expired_lease_ends_it(door, leased):
    name, id, expires = leased
    time.sleep(max(0, expires - time.monotonic()))
    lease = lambda blob, action, **more: door.call("PUT", f"/{name}/{blob}", "comp=lease", {"x-ms-lease-action": action, "x-ms-lease-id": id, **more})
    state = lambda blob: door.call("HEAD", f"/{name}/{blob}").headers["x-ms-lease-state"]
    assert state("written") == "expired"
    # With the expired id nothing is written, nor read.
    for query, headers, body in (("", BLOCK, b"x"), ("comp=metadata", {"x-ms-meta-a": "b"}, None), ("comp=properties", {}, None), ("comp=tags", {}, b"<Tags><TagSet></TagSet></Tags>")):
        assert code(door.call("PUT", f"/{name}/named", query, {**headers, "x-ms-lease-id": id}, body)) == (412, "LeaseLost"), query
    for method in ("GET", "DELETE"):
        assert code(door.call(method, f"/{name}/named", headers={"x-ms-lease-id": id})) == (412, "LeaseLost")
    other = {"x-ms-lease-id": str(uuid.uuid4())}
    assert code(door.call("GET", f"/{name}/named", headers=other)) == (412, "LeaseIdMismatchWithBlobOperation")
    assert state("named") == "expired"
    # Without it a write makes the blob available, and who held the lease cannot renew it.
    assert door.call("PUT", f"/{name}/written", headers=BLOCK, body=b"x").status == 201
    assert door.call("PUT", f"/{name}/kept", "comp=metadata", {"x-ms-meta-a": "b"}).status == 200
    assert door.call("PUT", f"/{name}/block", "comp=blocklist", body=b"<BlockList></BlockList>").status == 201
    assert door.call("PUT", f"/{name}/staged", "comp=block&blockid=YQ%3D%3D", body=b"x").status == 201
    for blob in ("written", "kept", "block", "staged"):
        assert state(blob) == "available"
        assert code(lease(blob, "renew")) == (409, "LeaseIdMismatchWithLeaseOperation")
        assert code(door.call("GET", f"/{name}/{blob}", headers={"x-ms-lease-id": id})) == (412, "LeaseNotPresentWithBlobOperation")
    # What is no write leaves it to be renewed.
    assert door.call("PUT", f"/{name}/snapped", "comp=snapshot").status == 201
    assert door.call("PUT", f"/{name}/tagged", "comp=tags", body=b"<Tags><TagSet></TagSet></Tags>").status == 204
    assert door.call("GET", f"/{name}/renewed").status == 200
    for blob in ("renewed", "tagged", "snapped", "named"):
        assert lease(blob, "renew").status == 200 and state(blob) == "leased"
