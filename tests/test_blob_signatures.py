"""Who may do what at the blobs door: a matrix of signatures, permissions and operations, and keys of every version."""
import base64
import hashlib
import http.client
import itertools
import urllib.parse

import pytest

from blob_wire import Door, code, document
from gatehouse import server


@pytest.fixture(scope="module")
def door(live):
    storage = live.guide["storage"]
    door = Door(live.urls["blobs"], storage["account"], storage["key"])
    yield door
    door.tidy()


BLOCK = {"x-ms-blob-type": "BlockBlob"}
LEASE = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "15"}
BREAK = {"x-ms-lease-action": "break", "x-ms-lease-break-period": "0"}
ID = base64.b64encode(b"0001").decode()
BLOCK_ID = "comp=block&blockid=" + urllib.parse.quote(ID)
ANY = "racwdltf"

# Each operation: its method, the kind of thing, the path, the query, headers, body, and the letters of which one allows it
# (REST reference, "Create a service SAS" and "Create an account SAS"; the docstrings of BlobSasPermissions and its kind).
OPERATIONS = {
    "list containers": ("GET", "service", "/", "comp=list", {}, None, "l"),
    "get service properties": ("GET", "service", "/", "restype=service&comp=properties", {}, None, "r"),
    "find blobs": ("GET", "find", "/", "comp=blobs&where=a%3D%27b%27", {}, None, "f"),
    "create container": ("PUT", "container", "/{new}", "restype=container", {}, None, "cw"),
    "get container properties": ("GET", "container", "/{c}", "restype=container", {}, None, "r"),
    "head container": ("HEAD", "container", "/{c}", "restype=container", {}, None, "r"),
    "get container metadata": ("GET", "container", "/{c}", "restype=container&comp=metadata", {}, None, "r"),
    "set container metadata": ("PUT", "container", "/{c}", "restype=container&comp=metadata", {"x-ms-meta-a": "b"}, None, "w"),
    "lease container": ("PUT", "container", "/{c}", "restype=container&comp=lease", LEASE, None, "w"),
    "break container lease": ("PUT", "container", "/{c}", "restype=container&comp=lease", BREAK, None, "wd"),
    "get container acl": ("GET", "container", "/{c}", "restype=container&comp=acl", {}, None, ""),
    "set container acl": ("PUT", "container", "/{c}", "restype=container&comp=acl", {}, None, ""),
    "delete container": ("DELETE", "container", "/{gone}", "restype=container", {}, None, "d"),
    "list blobs": ("GET", "blobs", "/{c}", "restype=container&comp=list", {}, None, "l"),
    "list blobs by folder": ("GET", "blobs", "/{c}", "restype=container&comp=list&delimiter=/", {}, None, "l"),
    "find blobs in container": ("GET", "blobs", "/{c}", "restype=container&comp=blobs&where=a%3D%27b%27", {}, None, "f"),
    "get blob": ("GET", "object", "/{c}/b", "", {}, None, "r"),
    "get blob properties": ("HEAD", "object", "/{c}/b", "", {}, None, "r"),
    "get blob metadata": ("GET", "object", "/{c}/b", "comp=metadata", {}, None, "r"),
    "get block list": ("GET", "object", "/{c}/b", "comp=blocklist", {}, None, "r"),
    "get tags": ("GET", "object", "/{c}/b", "comp=tags", {}, None, "t"),
    "get page ranges": ("GET", "object", "/{c}/p", "comp=pagelist", {}, None, "r"),
    "put new blob": ("PUT", "object", "/{c}/n", "", BLOCK, b"x", "cw"),
    "put new page blob": ("PUT", "object", "/{c}/n", "", {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "512"}, None, "cw"),
    "put new append blob": ("PUT", "object", "/{c}/n", "", {"x-ms-blob-type": "AppendBlob"}, None, "cw"),
    "replace blob": ("PUT", "object", "/{c}/b", "", BLOCK, b"x", "w"),
    "put block": ("PUT", "object", "/{c}/b", BLOCK_ID, {}, b"x", "w"),
    "put block list": ("PUT", "object", "/{c}/b", "comp=blocklist", {}, b"<BlockList></BlockList>", "w"),
    "append block": ("PUT", "object", "/{c}/a", "comp=appendblock", {}, b"x", "aw"),
    "put page": ("PUT", "object", "/{c}/p", "comp=page", {"x-ms-page-write": "update", "x-ms-range": "bytes=0-511"}, bytes(512), "w"),
    "clear page": ("PUT", "object", "/{c}/p", "comp=page", {"x-ms-page-write": "clear", "x-ms-range": "bytes=0-511"}, None, "w"),
    "set blob properties": ("PUT", "object", "/{c}/b", "comp=properties", {"x-ms-blob-content-type": "a/b"}, None, "w"),
    "set blob metadata": ("PUT", "object", "/{c}/b", "comp=metadata", {"x-ms-meta-a": "b"}, None, "w"),
    "set tier": ("PUT", "object", "/{c}/b", "comp=tier", {"x-ms-access-tier": "Cool"}, None, "w"),
    "set tags": ("PUT", "object", "/{c}/b", "comp=tags", {}, b"<Tags><TagSet></TagSet></Tags>", "t"),
    "lease blob": ("PUT", "object", "/{c}/b", "comp=lease", LEASE, None, "w"),
    "break blob lease": ("PUT", "object", "/{c}/b", "comp=lease", BREAK, None, "wd"),
    "snapshot blob": ("PUT", "object", "/{c}/b", "comp=snapshot", {}, None, "cw"),
    "copy to new blob": ("PUT", "object", "/{c}/n", "", {"x-ms-copy-source": "{public}"}, None, "cw"),
    "copy over blob": ("PUT", "object", "/{c}/b", "", {"x-ms-copy-source": "{public}"}, None, "w"),
    "delete blob": ("DELETE", "object", "/{c}/d", "", {}, None, "d"),
}
# What a kind of signature reaches at all.
REACH = {"container": {"blobs", "object"}, "blob": {"object"}, "account": {"service", "find", "container", "blobs", "object"}}
TYPES = {"service": "s", "find": "so", "container": "c", "blobs": "c", "object": "o"}


def allowed(kind, letters, operation):
    _, thing, _, _, _, _, needed = OPERATIONS[operation]
    return thing in REACH[kind] and any(letter in needed for letter in letters)


def attempt(door, name, operation, token_of):
    """Makes the operation possible, and tries it by a signature."""
    method, _, path, query, headers, body, _ = OPERATIONS[operation]
    names = {"c": name, "new": f"{name}-new", "gone": f"{name}-gone"}
    where = path.format(**names)
    if operation == "delete container":
        door.call("PUT", where, "restype=container")
    if operation == "create container":
        door.call("DELETE", where, "restype=container")
    if path.endswith("/n"):
        door.call("DELETE", where)
    if path.endswith("/d"):
        door.put(where)
    if operation.startswith("break"):
        door.call("PUT", where, query, {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1"})
    headers = {key: value.replace("{public}", door.public) for key, value in headers.items()}
    answer = door.signed(token_of(where), method, where, query, {"x-ms-version": "2021-12-02", **headers}, body)
    if operation.startswith(("lease ", "break ")):
        door.call("PUT", where, query, BREAK)
    return answer


@pytest.fixture(scope="module")
def matrix(door):
    """A container with a blob of each type, and a blob that anybody may read."""
    name, public = door.container(), door.container(public="blob")
    door.put(f"/{public}/source")
    door.public = f"http://{door.host}:{door.port}/{door.account}/{public}/source"
    door.put(f"/{name}/b")
    door.call("PUT", f"/{name}/a", headers={"x-ms-blob-type": "AppendBlob"})
    door.call("PUT", f"/{name}/p", headers={"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "512"})
    return name


@pytest.mark.parametrize("kind", ["container", "blob", "account"])
def test_each_permission_allows_what_the_reference_says_and_nothing_else(door, matrix, kind):
    wrong = []
    for operation, letter in itertools.product(OPERATIONS, ANY):
        if kind == "blob" and OPERATIONS[operation][1] != "object":
            token_of = lambda where: door.service_sas(letter, matrix, "b")
        elif kind == "blob":
            token_of = lambda where: door.service_sas(letter, matrix, where.split("/", 2)[2])
        elif kind == "container":
            token_of = lambda where: door.service_sas(letter, where.split("/")[1] or matrix)
        else:
            token_of = lambda where: door.account_sas(letter)
        answer = attempt(door, matrix, operation, token_of)
        good = answer.status < 300 if allowed(kind, letter, operation) else answer.status == 403
        if not good:
            wrong.append((operation, letter, answer.status, answer.headers.get("x-ms-error-code")))
    assert wrong == []


def test_all_letters_of_a_service_signature_do_not_reach_the_container(door, matrix):
    """The container stays, as it was."""
    before = door.call("GET", f"/{matrix}", "restype=container")
    for operation, (_, thing, *_) in OPERATIONS.items():
        if thing in ("container", "service", "find"):
            for token in (lambda where: door.service_sas("racwdxyltfmeop", where.split("/")[1] or matrix), lambda where: door.service_sas("racwdxyltmeop", matrix, "b")):
                assert attempt(door, matrix, operation, token).status == 403, operation
    after = door.call("GET", f"/{matrix}", "restype=container")
    assert after.headers["ETag"] == before.headers["ETag"] and after.headers["x-ms-lease-state"] in ("available", "broken")


def test_an_account_signature_reaches_its_resource_types_only(door, matrix):
    for operation, types in itertools.product(OPERATIONS, ("s", "c", "o")):
        thing, needed = OPERATIONS[operation][1], OPERATIONS[operation][6]
        if not needed:
            continue
        answer = attempt(door, matrix, operation, lambda where: door.account_sas(ANY, types=types))
        reached = types in TYPES[thing] or (needed == "f" and types in "o" + TYPES[thing])
        assert (answer.status < 300) == reached, (operation, types, answer.status, answer.text)
        if not reached:
            assert answer.status == 403
    for operation in ("get blob", "list blobs", "list containers"):
        answer = attempt(door, matrix, operation, lambda where: door.account_sas(ANY).replace("ss=b", "ss=f"))
        assert answer.status == 403


def test_a_snapshots_signature_opens_that_snapshot_only(door):
    name = door.container()
    door.put(f"/{name}/b", b"old")
    first, second = (door.call("PUT", f"/{name}/b", "comp=snapshot").headers["x-ms-snapshot"] for _ in range(2))
    token = door.service_sas("rwd", name, "b", snapshot=first)
    time = urllib.parse.quote(first)
    assert door.signed(token, "GET", f"/{name}/b", f"snapshot={time}").body == b"old"
    assert door.signed(token, "HEAD", f"/{name}/b", f"snapshot={time}").status == 200
    for method, query in (("GET", ""), ("GET", "snapshot=" + urllib.parse.quote(second)), ("DELETE", ""), ("PUT", "comp=metadata")):
        assert door.signed(token, method, f"/{name}/b", query).status == 403, (method, query)
    assert door.signed(token, "GET", f"/{name}", "restype=container&comp=list").status == 403
    assert door.signed(token, "DELETE", f"/{name}/b", f"snapshot={time}").status == 202
    assert door.call("GET", f"/{name}/b", f"snapshot={time}").status == 404
    assert door.call("GET", f"/{name}/b").body == b"old"
    # Before 2018-11-09 the kind was not signed: a blob's signature must not become a snapshot's.
    old = door.service_sas("r", name, "b", version="2015-04-05").replace("sr=b", "sr=bs")
    assert door.signed(old, "GET", f"/{name}/b", "snapshot=" + urllib.parse.quote(second)).status == 403


def test_tags_have_a_permission_of_their_own(door):
    name = door.container(public="container")
    door.put(f"/{name}/b", **{"x-ms-tags": "a=b"})
    tagged = {**BLOCK, "x-ms-tags": "a=c"}
    for letters, status in (("cw", 403), ("cwt", 201)):
        answer = door.signed(door.service_sas(letters, name), "PUT", f"/{name}/n", "", tagged, b"x")
        assert answer.status == status, letters
    for letters, status in (("l", 403), ("lt", 200)):
        answer = door.signed(door.service_sas(letters, name), "GET", f"/{name}", "restype=container&comp=list&include=tags")
        assert answer.status == status, letters
    # Nobody in particular reads a public container's blobs, and not their tags.
    assert door.send("GET", f"/{name}/b").body == b"data"
    assert door.send("GET", f"/{name}/b", "comp=tags").status == 404
    assert door.send("GET", f"/{name}", "restype=container&comp=blobs&where=a%3D%27b%27").status == 404


def test_overrides_of_answers_are_signed_or_without_effect(door):
    name = door.container()
    door.put(f"/{name}/b", **{"x-ms-blob-content-type": "text/plain"})
    forged = urllib.parse.urlencode({"rsct": "text/html", "rscd": "attachment; filename=x.exe", "rscc": "public", "rsce": "gzip", "rscl": "xx"})
    for query, path in (("", f"/{name}/b"), ("snapshot=" + urllib.parse.quote(door.call("PUT", f"/{name}/b", "comp=snapshot").headers["x-ms-snapshot"]), f"/{name}/b")):
        for token in (f"{door.account_sas('r')}&{forged}", f"{forged}&{door.account_sas('r')}"):
            answer = door.signed(token, "GET", path, query)
            assert answer.status == 200 and answer.headers["Content-Type"] == "text/plain"
            for header in ("Content-Disposition", "Cache-Control", "Content-Encoding", "Content-Language"):
                assert header not in answer.headers
    assert door.signed(f"{door.service_sas('r', name, 'b')}&{forged}", "GET", f"/{name}/b").status == 403
    signed = door.signed(door.service_sas("r", name, "b", rsct="text/html", rscd="inline"), "GET", f"/{name}/b")
    assert (signed.headers["Content-Type"], signed.headers["Content-Disposition"]) == ("text/html", "inline")
    # Before 2013-08-15 a service SAS signed none either.
    answer = door.signed(f"{door.service_sas('r', name, 'b', version='2012-02-12')}&rsct=text/html", "GET", f"/{name}/b")
    assert answer.headers["Content-Type"] == "text/plain"
    assert door.call("GET", f"/{name}/b", "rsct=text%2Fhtml").headers["Content-Type"] == "text/plain"


SECURE = {"X-Forwarded-Proto": "https"}


SANDBOXED = ["text/html", "TEXT/HTML; charset=utf-8", " text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/xml", "text/javascript", "html",
             "image/png, text/html", "text/plain;a=b,text/html", "multipart/x-mixed-replace", "x/y"]
INERT = ["text/plain", "text/csv; charset=utf-8", "application/json", "image/png", "IMAGE/JPEG", "video/mp4", "application/pdf", "application/octet-stream"]


@pytest.mark.parametrize("kind", SANDBOXED + INERT)
def test_what_a_browser_would_run_is_sandboxed(door, stored, kind):
    """Also under the name that a signature gives it, and in every way of reading it."""
    expected = "sandbox" if kind in SANDBOXED else None
    assert door.call("PUT", stored, "comp=properties", {"x-ms-blob-content-type": kind}).status == 200
    reads = [door.call("GET", stored), door.call("GET", stored, headers={"x-ms-range": "bytes=0-2"}), door.call("HEAD", stored)]
    assert [(read.status, read.headers.get("Content-Security-Policy")) for read in reads] == [(200, expected), (206, expected), (200, expected)]
    assert reads[0].headers["Content-Type"].strip() == kind.strip(), "it is served as it was stored"
    door.call("PUT", stored, "comp=properties", {"x-ms-blob-content-type": "text/plain"})
    container, name = stored[1:].split("/")
    answer = door.signed(door.service_sas("r", container, name, rsct=kind), "GET", stored)
    assert (answer.status, answer.headers.get("Content-Security-Policy")) == (200, expected)


@pytest.fixture(scope="module")
def stored(door):
    path = f"/{door.container()}/page"
    door.put(path, b"<script>top.location = 'http://elsewhere'</script>")
    return path


def test_only_a_trusted_proxy_says_that_a_call_was_secure(door, tmp_path):
    name = door.container()
    door.put(f"/{name}/b")
    secure = [door.service_sas("r", name, "b", spr="https"), door.account_sas("r", spr="https")]
    for token in secure:
        assert door.signed(token, "GET", f"/{name}/b").status == 403
        assert code(door.signed(token, "GET", f"/{name}/b", headers=SECURE)) == (403, "AuthorizationProtocolMismatch")
    config = tmp_path / "settings.yaml"
    config.write_text("gateway-trusted-proxies: '127.0.0.1'\n")
    with server("--config", str(config)) as behind:
        storage = behind.demo()["storage"]
        door = Door(behind.urls["blobs"], storage["account"], storage["key"])
        name = door.container()
        door.put(f"/{name}/b")
        token = door.service_sas("r", name, "b", spr="https")
        assert door.signed(token, "GET", f"/{name}/b", headers=SECURE).body == b"data"
        for word in ("http", "https, http", ""):
            assert door.signed(token, "GET", f"/{name}/b", headers={"X-Forwarded-Proto": word}).status == 403
        # The caller's own line before the proxy's.
        parts = urllib.parse.urlsplit(behind.urls["blobs"])
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        connection.putrequest("GET", f"/{door.account}/{name}/b?{token}")
        for word in ("https", "http"):
            connection.putheader("X-Forwarded-Proto", word)
        connection.endheaders()
        assert connection.getresponse().status == 403
        connection.close()


# Keys and versions


@pytest.mark.parametrize("lite", [False, True])
@pytest.mark.parametrize("version", ["2012-02-12", "2013-08-15", "2014-02-14", "2015-02-20", "2015-02-21", "2019-12-12", "2023-11-03"])
def test_every_versions_key_signs_reads_lists_and_writes(door, version, lite):
    """A length that is not sent is signed as nothing in every version; one that is sent as 0 as "0" before 2015-02-21."""
    name = f"era-{version}-{'lite' if lite else 'key'}".replace("-", "x")
    signed = lambda *words, **named: door.call(*words, version=version, lite=lite, **named)
    assert signed("PUT", f"/{name}", "restype=container").status in (201, 409)
    answer = signed("PUT", f"/{name}/a%20b", headers={**BLOCK, "Content-Type": "text/plain", "Content-MD5": base64.b64encode(hashlib.md5(b"hello").digest()).decode()}, body=b"hello")
    assert answer.status == 201, answer.text
    assert signed("PUT", f"/{name}/empty", headers=BLOCK, body=b"").status == 201
    found = signed("GET", f"/{name}/a%20b")
    assert (found.status, found.body, found.headers["x-ms-version"]) == (200, b"hello", version)
    assert signed("GET", f"/{name}/a%20b", headers={"Range": "bytes=1-2"}).body == b"el"
    assert signed("HEAD", f"/{name}/a%20b").headers["Content-Length"] == "5"
    assert signed("GET", f"/{name}/empty").body == b""
    listed = document(signed("GET", f"/{name}", "restype=container&comp=list&prefix=a+b"))
    assert [blob.find("Name").text for blob in listed.iter("Blob")] == ["a b"]
    assert name in [found.find("Name").text for found in document(signed("GET", "/", "comp=list")).iter("Container")]
    assert signed("GET", f"/{name}", "restype=container").status == 200
    assert signed("PUT", f"/{name}/a%20b", "comp=metadata", {"x-ms-meta-m": "1"}).status == 200
    # A GET that does send its length of 0 signs it.
    assert signed("GET", f"/{name}/a%20b", headers={"Content-Length": "0"}).status == 200
    assert signed("DELETE", f"/{name}/a%20b").status == 202
    assert signed("DELETE", f"/{name}", "restype=container", {"Content-Length": "0"}).status == 202


@pytest.mark.parametrize("version", ["2012-02-12", "2013-08-15", "2014-02-14", "2015-04-05", "2018-11-09", "2020-12-06", "2023-11-03"])
def test_service_signatures_of_every_version(door, matrix, version):
    assert door.signed(door.service_sas("r", matrix, "b", version=version), "GET", f"/{matrix}/b").status == 200
    assert door.signed(door.service_sas("l", matrix, version=version), "GET", f"/{matrix}", "restype=container&comp=list").status == 200
    assert door.signed(door.service_sas("w", matrix, version=version), "GET", f"/{matrix}/b").status == 403
    assert door.signed(door.service_sas("racwdl", matrix, version=version), "DELETE", f"/{matrix}", "restype=container").status == 403


def test_a_plus_in_a_query_is_a_blank_but_not_in_a_signature(door):
    name = door.container()
    for blob in ("sp%20ace/1", "plus%2B/2", "other"):
        door.put(f"/{name}/{blob}")
    shown = lambda answer: [blob.find("Name").text for blob in document(answer).iter("Blob")]
    for prefix, names in (("sp+ace/", ["sp ace/1"]), ("sp%20ace/", ["sp ace/1"]), ("plus%2B", ["plus+/2"]), ("plus+", [])):
        query = f"restype=container&comp=list&prefix={prefix}"
        assert shown(door.call("GET", f"/{name}", query)) == names, prefix
        assert shown(door.signed(door.service_sas("l", name), "GET", f"/{name}", query)) == names, prefix
    # In a path a plus is itself.
    assert door.call("GET", f"/{name}/plus+/2").body == b"data"
    # Signatures that were copied without being encoded.
    seen = 0
    for number in range(200):
        token = urllib.parse.parse_qs(door.service_sas("r", name, "other", rscc=f"max-age={number}"))
        if "+" not in token["sig"][0]:
            continue
        seen += 1
        encoded = "&".join(f"{key}={urllib.parse.quote(value[0]) if key != 'sig' else value[0]}" for key, value in token.items())
        assert door.send("GET", f"/{name}/other", encoded).status == 200
        if seen == 5:
            break
    assert seen > 0
