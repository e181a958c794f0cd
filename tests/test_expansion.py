"""Small documents that would grow without end, and large ones beside which blobs are served as ever."""
import json
import subprocess
import threading
import time

import pytest

from gatehouse import BINARY, call, server
from test_import import PETS, bring
from test_storage import development

HEAD = "openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths: {}\n"


def laughs(levels=9, width=9, kind="list"):
    """Aliases of aliases: 9 levels of 9 are 400 million values."""
    lines = ["x0: &x0 [" + ",".join(["lol"] * width) + "]"]
    for level in range(1, levels):
        names = [f"*x{level - 1}"] * width
        inner = ",".join(names) if kind == "list" else ",".join(f"k{i}: {name} " for i, name in enumerate(names))
        lines.append(f"x{level}: &x{level} " + (f"[{inner}]" if kind == "list" else f"{{{inner}}}"))
    return HEAD + "\n".join(lines) + "\n"


BOMBS = {
    "lists": (laughs(), "aliases stand for more than"),
    "mappings": (laughs(kind="mapping"), "aliases stand for more than"),
    # A key is hashed with all that it holds, where keys may be anything.
    "keys": (laughs(8) + "? *x7\n: 1\n? [1]\n: 2\n", "aliases stand for more than"),
    "keys that are lists": (HEAD + "? [1, 2]\n: 3\n", "A name must be a text"),
    "merges": (HEAD + "a0: &a0 {k: v}\n" + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}, l: *a{i - 1} }}\n" for i in range(1, 30)), "aliases stand for more than"),
    "many aliases": (HEAD + "a: &a 1\nb: [" + "*a ," * 10_001 + "1]\n", "more than 10000 aliases"),
    "deep by aliases": (HEAD + "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [[*a{i - 1} ]]\n" for i in range(1, 40)), "nested deeper than 64"),
    "deep": (HEAD + "a: " + "[" * 5000 + "]" * 5000 + "\n", "nested deeper than 64"),
    "deep mappings": (HEAD + "a: " + "{b: " * 500 + "1" + "}" * 500 + "\n", "nested deeper than 64"),
    "deep blocks": (HEAD + "".join(" " * level + "a:\n" for level in range(200)), "nested deeper than 64"),
    "many values": (HEAD + "a: [" + "1," * 600_000 + "1]\n", "more than 500000 values"),
    "itself": (HEAD + "a: &a [*a ]\n", "has no anchor before it"),
    "nothing": (HEAD + "a: *none\n", "has no anchor before it"),
    "twice": (HEAD + "a: 1\na: 2\n", "appears twice"),
    "two documents": (HEAD + "---\na: 1\n", "more than one document"),
    "no YAML": (HEAD + "a: [1\n", "line"),
}


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        yield fresh


@pytest.mark.parametrize("name", BOMBS)
def test_yaml_that_expands_is_refused_at_once(own, name):
    text, message = BOMBS[name]
    began = time.monotonic()
    answer = own.management("PUT", "/apis/bomb", {"properties": {"path": "bomb", "format": "openapi", "value": text}})
    taken = time.monotonic() - began
    detail = answer.json()["error"]["details"][0]
    assert (answer.status, detail["target"]) == (400, "value") and message in detail["message"], answer.text[:500]
    # Without bounds these are minutes; a debug build reads half a million values in some seconds.
    assert taken < (10 if name == "many values" else 2), taken
    assert own.management("GET", "/apis/bomb").status == 404


def test_yaml_with_aliases_is_read(own):
    text = PETS.replace("Pet: {type: object,", "Pet: &pet {type: object,") + "    Again: *pet\n    Other: {allOf: [*pet , *pet ]}\n"
    text += '    Words: {type: string, enum: [yes, "1", 0x1F, 0o17, 1e3, -2, +3, .5, ~, 12:30:45, 1_000, .inf, !!str 7, "no", True, 0123]}\n'
    bring(own, "aliases", text, "openapi")
    types = own.management("GET", "/apis/aliases/schemas/imported").json()["properties"]["document"]["components"]["schemas"]
    assert types["Again"] == types["Pet"] == types["Other"]["allOf"][1]
    assert types["Words"]["enum"] == ["yes", "1", 31, 15, 1000, -2, 3, 0.5, None, "12:30:45", "1_000", ".inf", "7", "no", True, 123]


def test_settings_that_expand_are_refused_at_the_start(tmp_path):
    for text, message in ((laughs(), "aliases stand for more"), ("a: " + "[" * 3000, "nested deeper"), ("a: b\n" * 200_001, "twice"), ("#" * (1 << 20) + "\n", "longer than")):
        (tmp_path / "settings.yaml").write_text(text)
        began = time.monotonic()
        done = subprocess.run([BINARY, "serve", "--data", str(tmp_path / "data"), "--config", str(tmp_path / "settings.yaml")],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and "settings.yaml" in done.stderr and message in done.stderr, done.stderr
        assert time.monotonic() - began < 5


def big(count):
    return {"type": "object", "properties": {f"property{i}": {"type": "string", "description": "d" * 80} for i in range(count)}}


def described(paths, **components):
    return {"openapi": "3.0.3", "info": {"title": "T", "version": "1"}, "paths": paths, "components": components}


def many(operation, count=1000):
    return {f"/p{i}": {"get": operation} for i in range(count)}


# Each is small, and a gigabyte where every reference is written out.
REFERENCES = {
    "a parameter": described(many({"parameters": [{"$ref": "#/components/parameters/p"}], "responses": {}}),
                             parameters={"p": {"name": "p", "in": "query", "schema": {"type": "string", "enum": ["w" * 1000 for _ in range(100)]}}}),
    "an answer": described(many({"responses": {str(status): {"$ref": "#/components/responses/r"} for status in range(200, 220)}}, 500),
                           responses={"r": {"description": "d" * 9000}}),
    "an example": described(many({"responses": {"200": {"$ref": "#/components/responses/r"}}}),
                            responses={"r": {"description": "", "content": {"application/json": {"example": {"a": "e" * 200_000}}}}}),
    "a type without a name": described(many({"responses": {"200": {"description": "", "content": {"application/json": {"schema": {"$ref": "#/x-types/big"}}}}}}),
                                       responses={}) | {"x-types": {"big": big(1000)}},
    "a header": described(many({"responses": {"200": {"$ref": "#/components/responses/r"}}}),
                          responses={"r": {"description": "", "headers": {f"h{i}": {"description": "h" * 5000} for i in range(20)}}}),
    "a chain": described(many({"parameters": [{"$ref": "#/components/parameters/a0"}], "responses": {}}), parameters={
        **{f"a{i}": {"$ref": f"#/components/parameters/a{i + 1}"} for i in range(10)},
        "a10": {"name": "p", "in": "query", "description": "d" * 10_000, "schema": {"type": "string", "enum": ["w" * 100_000]}}}),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_references_that_multiply_are_refused(own, name):
    began = time.monotonic()
    answer = own.management("PUT", "/apis/bomb", {"properties": {"path": "bomb", "format": "openapi+json", "value": json.dumps(REFERENCES[name])}})
    assert answer.status == 400 and "32 MiB" in answer.json()["error"]["details"][0]["message"], answer.text[:300]
    assert time.monotonic() - began < 20


def test_other_ways_to_grow(own):
    def refused(document, message, format="openapi+json"):
        began = time.monotonic()
        value = document if isinstance(document, str) else json.dumps(document)
        answer = own.management("PUT", "/apis/bomb", {"properties": {"path": "bomb", "format": format, "value": value}})
        assert answer.status == 400 and message in answer.text, answer.text[:300]
        assert time.monotonic() - began < 10

    # Parameters are compared with one another.
    refused(described({"/p": {"get": {"parameters": [{"name": f"n{i}", "in": "query"} for i in range(40_000)]}}}), "500 parameters")
    # Variables of addresses that hold variables are texts.
    document = described({"/p": {"get": {"responses": {}}}})
    document["servers"] = [{"url": "https://{v0}", "variables": {f"v{i}": {"default": f"{{v{i + 1}}}" * 10} for i in range(30)}}]
    answer = own.management("PUT", "/apis/grown", {"properties": {"path": "grown", "format": "openapi+json", "value": json.dumps(document)}})
    assert answer.status == 201 and not answer.json()["properties"].get("serviceUrl"), answer.text[:300]
    assert own.management("DELETE", "/apis/grown", None, {"If-Match": "*"}).status in (200, 204)
    head, tail = '<application xmlns="http://wadl.dev.java.net/2009/02"><resources base="http://w.example/">', "</resources></application>"
    method = '<method id="m" name="GET"><doc title="' + "d" * 200_000 + '"/></method>'
    refused(head + '<resource path="a"><method href="#m"/></resource>' * 1001 + tail[:-14] + method.replace("d" * 200_000, "d") + "</application>", "1000 operations", "wadl-xml")
    refused(head + '<resource path="a"><method href="#m"/></resource>' * 900 + tail[:-14] + method + "</application>", "32 MiB", "wadl-xml")


def test_examples_by_types_that_name_types(own):
    """`mock-response` makes its answers by schemas: a few types in which each names the next ten times."""
    types = {f"t{i}": {"type": "object", "properties": {f"p{j}": {"$ref": f"#/components/schemas/t{i + 1}"} for j in range(10)}} for i in range(11)}
    types["t11"] = {"type": "string", "example": "e" * 100_000}
    document = described({f"/p{i}": {"get": {"responses": {"200": {"description": "", "content": {
        "application/json": {"schema": {"$ref": f"#/components/schemas/t{i % 12}"}}}}}}} for i in range(300)}, schemas=types)
    bring(own, "mocked", document, "openapi+json", protocols=["http"], subscriptionRequired=False)
    began = time.monotonic()
    policy = own.management("PUT", "/apis/mocked/policies/policy", {"properties": {"format": "rawxml", "value":
        "<policies><inbound><base /><mock-response status-code=\"200\" /></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"}})
    assert policy.status == 201, policy.text
    assert time.monotonic() - began < 20
    answer = call(own.urls["gateway"], "GET", "/mocked/p11")
    assert answer.status == 200 and answer.text == "e" * 100_000
    for path in ("/mocked/p0", "/mocked/p5", "/mocked/p10"):
        answer = call(own.urls["gateway"], "GET", path)
        assert answer.status == 200 and len(answer.body) < 2 << 20


def heavy(count=900):
    """A legal description of nearly all that may be: operations of their own, each with a type without a name."""
    return json.dumps(described({f"/items{i}": {"get": {"operationId": f"get{i}", "responses": {"200": {"description": "d" * 100, "content": {
        "application/json": {"schema": big(5)}}}}}} for i in range(count)}))


def times_beside(own, seconds, asks, works):
    """How long requests take, by name and in order, while others keep management busy."""
    ended, done = threading.Event(), []

    def keep(work):
        while not ended.is_set():
            work()
            done.append(work)

    threads = [threading.Thread(target=keep, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    times = {name: [] for name in asks}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, ask in asks.items():
            began = time.monotonic()
            answer = ask()
            times[name].append(time.monotonic() - began)
            assert answer.status == 200, answer.text
        time.sleep(0.005)
    ended.set()
    for thread in threads:
        thread.join()
    assert len(done) >= len(works)
    return {name: sorted(taken) for name, taken in times.items()}


def test_blobs_are_served_beside_heavy_imports(own):
    """Imports, policies and runs compute on threads of their own: none of them where blobs are served."""
    text = heavy()
    development(own).create_container("beside", public_access="blob").upload_blob("small", b"small")

    def bring(name):
        return lambda: own.management("PUT", f"/apis/{name}", {"properties": {"path": name, "format": "openapi", "value": text}})

    for name in ("heavy0", "heavy1", "heavy2"):
        assert bring(name)().status == 201
    times = times_beside(own, 5, {"blob": lambda: call(own.urls["blobs"], "GET", "/devstoreaccount1/beside/small")},
                         [bring("heavy0"), bring("heavy1"), bring("heavy2")])["blob"]
    # Milliseconds; where an import holds the threads of the blobs door it is as long as the import.
    assert times[len(times) // 2] < 0.02 and times[int(len(times) * 0.99)] < 0.25, times[-20:]
