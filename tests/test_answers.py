"""Answers of the cache and of descriptions, redirects, bandwidth, and what a trace tells of a call."""
import gzip
import http.server
import json
import threading
import time

import pytest

from gatehouse import call
from test_policies import Managed, sections

CACHED = '<base /><cache-lookup vary-by-developer="false" vary-by-developer-groups="false" {} />'
FORWARD = '<forward-request {} />'


class Counting(http.server.BaseHTTPRequestHandler):
    """Says how often it was asked, in the manner that the path asks for."""
    protocol_version = "HTTP/1.1"
    count = 0

    def do_GET(self):
        Counting.count += 1
        length = int(self.headers.get("Content-Length") or 0)
        received = self.rfile.read(length)
        path = self.path.split("?")[0].removeprefix("/base/items/")
        body = json.dumps({"count": Counting.count, "method": self.command, "path": self.path,
                           "headers": {k.lower(): v for k, v in self.headers.items()},
                           "received": received.decode()}).encode()
        if path.startswith("go-"):
            status, _, target = path.removeprefix("go-").partition("-")
            self.send_response(int(status))
            self.send_header("Location", {"here": "/base/items/end?from=go", "loop": self.path, "away": self.server.away,
                                          "near": "end?near=1"}[target])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if path == "large":
            body = b"x" * (3 << 20)
        self.send_response(404 if path == "gone" else 200)
        self.send_header("Content-Type", "application/json")
        if path == "cookie":
            self.send_header("Set-Cookie", "a=1")
        if path == "gzip":
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        if path in ("chunks", "broken"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(body), 11):
                piece = body[start:start + 11]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
                if path == "broken":
                    self.close_connection = True
                    self.connection.close()
                    return
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, *_):
        pass


def serve(handler):
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    return running


@pytest.fixture(scope="module")
def upstream():
    first, second = serve(Counting), serve(Counting)
    first.away = f"http://127.0.0.1:{second.server_address[1]}/base/items/end"
    yield f"http://127.0.0.1:{first.server_address[1]}"
    first.shutdown()
    second.shutdown()


@pytest.fixture
def managed(live, upstream, request):
    name = "a" + request.node.name.replace("_", "-")[-40:].lower().strip("-[]")
    made = Managed(live, upstream, name)
    yield made
    live.management("DELETE", f"/apis/{name}", headers={"If-Match": "*"})
    live.management("DELETE", f"/products/{name}?deleteSubscriptions=true", headers={"If-Match": "*"})


def test_answers_are_kept_for_their_time(managed):
    managed.set(sections(inbound=CACHED.format('downstream-caching-type="private"'),
                         outbound='<cache-store duration="2" /><base />'))
    for item in ("plain", "chunks"):
        first = managed.call(path=f"/items/{item}?lang=en")
        again = managed.call(path=f"/items/{item}?lang=en")
        assert again.json() == first.json() and again.headers["Content-Type"] == "application/json"
        assert again.headers["Content-Length"] == str(len(again.body)) and again.headers["Transfer-Encoding"] is None
        assert again.headers["Cache-Control"].startswith("private, max-age=")
        other = managed.call(path=f"/items/{item}?lang=es")
        assert other.json()["count"] > first.json()["count"], "the query tells answers apart"
    time.sleep(2.1)
    assert managed.call(path="/items/plain?lang=en").json()["count"] > first.json()["count"]


def test_an_answer_keeps_its_coding_and_conditions_of_the_caller_stay_behind(managed):
    managed.set(sections(inbound=CACHED.format(""), outbound='<base /><cache-store duration="60" />'))
    first = managed.call(path="/items/gzip?lang=en", **{"If-None-Match": '"old"'})
    assert "if-none-match" not in json.loads(gzip.decompress(first.body))["headers"]
    again = managed.call(path="/items/gzip?lang=en")
    assert again.body == first.body and again.headers["Content-Encoding"] == "gzip"
    assert again.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("item", ["gone", "cookie", "broken", "large", "authorized"])
def test_what_must_not_be_shared_or_is_not_whole_is_not_kept(managed, item):
    managed.set(sections(inbound=CACHED.format(""), outbound='<base /><cache-store duration="60" />'))
    headers = {"Authorization": "Bearer x"} if item == "authorized" else {}
    before = Counting.count
    for _ in range(2):
        try:
            managed.call(path=f"/items/{item}?lang=en", **headers)
        except Exception:
            assert item == "broken"
    assert Counting.count == before + 2


def test_the_cache_is_bounded(managed):
    managed.set(sections(inbound=CACHED.format(""), outbound='<base /><cache-store duration="60" />'))
    before = Counting.count
    for number in range(300):
        assert managed.call(path=f"/items/n{number}?lang=en").status == 200
    assert Counting.count == before + 300
    for number in range(300):
        assert managed.call(path=f"/items/n{number}?lang=en").status == 200
    assert Counting.count == before + 300, "all of them are small"


def test_descriptions_answer_in_the_place_of_a_backend(managed):
    managed.put(f"/apis/{managed.name}/operations/get", {
        "displayName": "GET", "method": "GET", "urlTemplate": "/items/{id}?lang={lang}",
        "templateParameters": [{"name": "id", "type": "string"}, {"name": "lang", "type": "string"}],
        "responses": [
            {"statusCode": 200, "representations": [
                {"contentType": "application/json", "examples": {"default": {"value": {"ok": True}}}},
                {"contentType": "text/plain", "sample": "hello"}]},
            {"statusCode": 418}]})
    before = Counting.count
    managed.set(sections(inbound="<base /><mock-response />"))
    answer = managed.call()
    assert (answer.status, answer.json(), answer.headers["Content-Type"]) == (200, {"ok": True}, "application/json")
    managed.set(sections(inbound='<base /><mock-response content-type="text/plain" />'))
    answer = managed.call()
    assert (answer.text, answer.headers["Content-Type"]) == ("hello", "text/plain")
    # A description that changes is met by the next call.
    managed.put(f"/apis/{managed.name}/operations/get", {
        "displayName": "GET", "method": "GET", "urlTemplate": "/items/{id}?lang={lang}",
        "templateParameters": [{"name": "id", "type": "string"}, {"name": "lang", "type": "string"}],
        "responses": [{"statusCode": 200, "representations": [{"contentType": "text/plain", "sample": "changed"}]}]})
    assert managed.call().text == "changed"
    managed.set(sections(inbound='<base /><mock-response status-code="418" />'))
    answer = managed.call()
    assert (answer.status, answer.body) == (418, b"")
    assert Counting.count == before


def test_schemas_make_answers_where_there_is_no_example(managed):
    types = {
        "Pet": {"type": "object", "required": ["id"], "properties": {
            "id": {"type": "integer", "minimum": 7}, "name": {"type": "string", "example": "Rex"},
            "born": {"type": "string", "format": "date"}, "tags": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}},
            "secret": {"type": "string", "writeOnly": True}, "parent": {"$ref": "#/components/schemas/Pet"}}},
        "Tag": {"enum": ["small", "large"]},
        "Dog": {"allOf": [{"$ref": "#/components/schemas/Tagged"}, {"properties": {"barks": {"type": "boolean"}}}]},
        "Tagged": {"properties": {"tag": {"$ref": "#/components/schemas/Tag"}}},
    }
    managed.put(f"/apis/{managed.name}/schemas/types", {
        "contentType": "application/vnd.oai.openapi.components+json", "document": {"components": {"schemas": types}}})
    managed.put(f"/apis/{managed.name}/schemas/old", {
        "contentType": "application/vnd.ms-azure-apim.swagger.definitions+json", "document": {"definitions": {"Count": {"type": "number"}}}})

    def describe(**representation):
        managed.put(f"/apis/{managed.name}/operations/get", {
            "displayName": "GET", "method": "GET", "urlTemplate": "/items/{id}?lang={lang}",
            "templateParameters": [{"name": "id", "type": "string"}, {"name": "lang", "type": "string"}],
            "responses": [{"statusCode": 200, "representations": [{"contentType": "application/json", **representation}]}]})
        return managed.call()

    managed.set(sections(inbound="<base /><mock-response />"))
    pet = describe(schemaId="types", typeName="Pet").json()
    assert (pet["id"], pet["name"], pet["born"], pet["tags"]) == (7, "Rex", "2000-01-23", ["small"]) and "secret" not in pet
    depth, inner = 0, pet
    while inner is not None:
        depth, inner = depth + 1, inner["parent"]
    assert depth < 20, "a type that holds itself ends"
    assert describe(schemaId="TYPES", typeName="Dog").json() == {"tag": "small", "barks": True}
    assert describe(schemaId="old", typeName="Count").json() == 0
    assert describe(schemaId="types", typeName="Pet", examples={"default": {"value": {"by": "example"}}}).json() == {"by": "example"}
    for nothing in ({"schemaId": "types", "typeName": "Cat"}, {"schemaId": "gone", "typeName": "Pet"},
                    {"schemaId": "types", "typeName": "Pet", "contentType": "application/xml"}):
        assert describe(**nothing).body == b""


def test_redirects_are_followed_where_the_policy_says_so(managed):
    assert managed.call(path="/items/go-302-here?lang=en").status == 302
    managed.set(sections(backend=FORWARD.format('follow-redirects="true"')))
    for kind, method, wanted in [("301", "POST", "GET"), ("302", "POST", "GET"), ("303", "POST", "GET"), ("307", "POST", "POST"),
                                 ("308", "POST", "POST"), ("302", "GET", "GET")]:
        body = '{"a": 1}' if method == "POST" else None
        answer = managed.call(method, f"/items/go-{kind}-here?lang=en", body)
        assert answer.status == 200, answer.text
        seen = answer.json()
        assert (seen["method"], seen["path"]) == (wanted, "/base/items/end?from=go")
        assert seen["received"] == ('{"a": 1}' if wanted == "POST" else "")
    assert managed.call(path="/items/go-302-near?lang=en").json()["path"] == "/base/items/end?near=1"
    away = managed.call(path="/items/go-307-away?lang=en", Authorization="Bearer secret", Cookie="a=1").json()
    assert not {"authorization", "cookie", "ocp-apim-subscription-key"} & set(away["headers"]), away
    before = Counting.count
    assert managed.call(path="/items/go-302-loop?lang=en").status == 302, "one that goes in circles is passed on at last"
    assert Counting.count == before + 11


def test_a_timeout_in_milliseconds(managed):
    class Slow(Counting):
        def do_GET(self):
            time.sleep(6)
            super().do_GET()

    slow = serve(Slow)
    managed.set(sections(inbound=f'<base /><set-backend-service base-url="http://127.0.0.1:{slow.server_address[1]}" />',
                         backend=FORWARD.format('timeout-ms="300"')))
    began = time.monotonic()
    answer = managed.call()
    assert answer.status == 500 and 0.25 < time.monotonic() - began < 5
    slow.shutdown()


def test_a_quota_of_bytes(managed):
    managed.set(sections(inbound='<base /><quota bandwidth="4" renewal-period="3600" />'), f"/products/{managed.name}")
    statuses = []
    for _ in range(40):
        answer = managed.call()
        statuses.append(answer.status)
        if answer.status == 403:
            break
    assert 3 < len(statuses) < 15 and statuses[:-1] == [200] * (len(statuses) - 1)
    message = answer.json()["message"]
    assert message.startswith("Out of bandwidth quota. Quota will be replenished in 0"), message
    assert 0 < int(answer.headers["Retry-After"]) <= 3600


def test_a_trace_of_the_seeds_time(live, managed):
    managed.set(sections(
        inbound='<base /><set-variable name="who" value="@(context.Subscription.Id)" /><rate-limit calls="5" renewal-period="10"'
                ' remaining-calls-header-name="X-Left" /><trace source="me" severity="information"><message>here</message></trace>',
        outbound='<base /><set-header name="X-Out"><value>1</value></set-header>'))
    assert managed.call(**{"Ocp-Apim-Trace": "true"}).headers["Ocp-Apim-Trace-Location"] is None
    live.management("PATCH", f"/subscriptions/{managed.name}-products", {"properties": {"allowTracing": True}}, {"If-Match": "*"})
    assert managed.call().headers["Ocp-Apim-Trace-Location"] is None
    answer = managed.call(**{"Ocp-Apim-Trace": "true"})
    location = answer.headers["Ocp-Apim-Trace-Location"]
    assert answer.status == 200 and location.startswith(live.urls["portal"] + "/traces/")
    trace = call(location, "GET", "").json()
    assert trace["traceId"] == location.rsplit("/", 1)[1]
    entries = trace["traceEntries"]
    assert [entry["source"] for entry in entries["inbound"]] == [
        "api-inspector", "mapper", "set-variable", "rate-limit", "me"]
    assert entries["inbound"][2]["data"]["variables"] == {"who": f"{managed.name}-products"}
    assert entries["inbound"][3]["data"]["answerFields"] == {"X-Left": "2"}
    assert entries["inbound"][4]["data"]["message"] == "here"
    assert [entry["source"] for entry in entries["backend"]][-1] == "forward-request"
    assert entries["outbound"][0]["data"]["response"] == {"header X-Out": "1"}
    assert entries["outbound"][-1]["source"] == "transfer-response"
    for section in entries.values():
        for entry in section:
            assert entry["elapsed"].startswith("00:00:0") and len(entry["elapsed"]) == 16
            assert entry["timestamp"].endswith("Z")
    assert call(live.urls["portal"], "GET", "/traces/none").status == 404
    # Secrets stay out of it: the caller's key, named values that are secret, what is a secret by its name.
    live.management("PUT", "/namedValues/traced", {"properties": {"displayName": "traced", "value": "hush-hush", "secret": True}})
    managed.set(sections(inbound='<base /><set-variable name="v" value="@("x" + "{{traced}}")" /><trace source="me"><message>{{traced}}!</message></trace>'
                         '<authentication-basic username="u" password="{{traced}}" /><set-header name="X-S"><value>a {{traced}} b</value></set-header>'))
    answer = managed.call(path="/items/7?lang=en&token=s3cr3t", **{"Ocp-Apim-Trace": "true"})
    text = call(answer.headers["Ocp-Apim-Trace-Location"], "GET", "").text
    for secret in ("hush", "dTpodXNo", "s3cr3t", managed.keys["products"]):
        assert secret not in text, text
    assert "a [redacted] b" in text and "x[redacted]" in text and "lang=en&token=[redacted]" in text
    managed.set(sections())
    live.management("DELETE", "/namedValues/traced", headers={"If-Match": "*"})
    # A call without policies of its own, and one that fails.
    managed.set(sections(inbound='<base /><check-header name="x-no" failed-check-httpcode="403"'
                         ' failed-check-error-message="no" ignore-case="true" />'))
    failed = managed.call(**{"Ocp-Apim-Trace": "true"})
    assert failed.status == 403
    entries = call(failed.headers["Ocp-Apim-Trace-Location"], "GET", "").json()["traceEntries"]
    assert entries["inbound"][-1]["data"]["error"]["reason"] == "HeaderNotFound"


def test_a_trace_of_today(live, managed):
    def post(path, body):
        return live.management("POST", f"/gateways/managed/{path}", body)

    wanted = {"credentialsExpireAfter": "PT1H", "apiId": f"/apis/{managed.name}", "purposes": ["tracing"]}
    token = post("listDebugCredentials", wanted).json()["token"]
    assert token.startswith(f"p=tracing&aid={managed.name.replace('-', '%2D')}&ex=")
    answer = managed.call(**{"Apim-Debug-Authorization": token})
    trace = post("listTrace", {"traceId": answer.headers["Apim-Trace-Id"]}).json()
    assert trace["serviceName"] and trace["traceEntries"]["inbound"][1]["source"] == "mapper"
    for change, target in [({"purposes": []}, "purposes"), ({"apiId": "/apis/none"}, "apiId"),
                           ({"credentialsExpireAfter": "PT2H"}, "credentialsExpireAfter"),
                           ({"credentialsExpireAfter": "P1D"}, "credentialsExpireAfter")]:
        refused = post("listDebugCredentials", {**wanted, **change})
        assert refused.status == 400 and refused.json()["error"]["details"][0]["target"] == target
    assert post("listTrace", {"traceId": "none"}).status == 404
    for broken in (token.replace("tracing", "other"), token[:-3], "x"):
        headers = managed.call(**{"Apim-Debug-Authorization": broken}).headers
        assert not [name for name in headers if name.lower().startswith("apim-")]
    short = post("listDebugCredentials", {**wanted, "credentialsExpireAfter": "PT1S"}).json()["token"]
    time.sleep(2.1)
    assert managed.call(**{"Apim-Debug-Authorization": short}).headers["Apim-Debug-Authorization-Expired"] == "true"
    assert call(live.urls["gateway"], "GET", "/", None, {"Apim-Debug-Authorization": token}).status == 404


def test_an_answer_is_kept_and_given_back(managed):
    keep = '<set-variable name="first" value="@( context.Response )" />'
    give = '<return-response response-variable-name="first">{}</return-response>'
    managed.set(sections(outbound='<base /><set-header name="X-Early"><value>1</value></set-header>' + keep
                         + '<set-header name="X-Late"><value>1</value></set-header><set-status code="500" />'
                         + '<choose><when condition="@(context.Variables.ContainsKey("first"))">' + give.format("") + '</when></choose>'))
    for item in ("plain", "chunks", "gone", "large"):
        answer = managed.call(path=f"/items/{item}?lang=en")
        assert answer.status == (404 if item == "gone" else 200)
        assert answer.headers["X-Early"] == "1" and answer.headers["X-Late"] is None
        assert len(answer.body) == 3 << 20 if item == "large" else answer.json()["path"] == f"/base/items/{item}?lang=en"
    # What stands in the policy is written over it.
    managed.set(sections(outbound="<base />" + keep + give.format(
        '<set-status code="202" reason="Later" /><set-header name="X-Mine"><value>2</value></set-header><set-body>mine</set-body>')))
    answer = managed.call()
    assert (answer.status, answer.reason, answer.text) == (202, "Later", "mine")
    assert answer.headers["X-Mine"] == "2" and answer.headers["Content-Type"] == "application/json"
    # On error: the backend's own answer in the place of what went wrong with it.
    managed.set(sections(outbound="<base />" + keep + '<set-header name="X"><value>@(context.Variables["none"])</value></set-header>',
                         **{"on_error": "<base />" + give.format("")}))
    assert managed.call().json()["path"] == "/base/items/7?lang=en"
    # Another attempt went to the backend since: the first one's body is gone, its head is not.
    again = '<retry condition="@(true)" count="1" interval="0"><choose><when condition="@(context.Variables.ContainsKey("first"))">' \
            '<forward-request /></when><otherwise><forward-request />' + keep + '</otherwise></choose></retry>'
    managed.set(sections(backend=again, outbound="<base />" + give.format("")))
    answer = managed.call()
    assert answer.status == 500 and "activityId" in answer.text
    managed.set(sections(backend=again, outbound="<base />" + give.format("<set-body>whole</set-body>")))
    assert managed.call().text == "whole"
    # No response, no variable, and a variable of another kind.
    for inbound in ("", '<set-variable name="first" value="text" />', keep):
        managed.set(sections(inbound="<base />" + inbound + give.format("")))
        assert managed.call().status == 500
    refused = managed.policy(sections(outbound='<base /><return-response response-variable-name="" />'), f"/apis/{managed.name}")
    assert refused.status == 400 and "response-variable-name" in refused.text
