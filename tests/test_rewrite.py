"""Addresses that policies rewrite: what goes out is what the policy says, whatever a caller wrote."""
import http.server
import json
import threading

import pytest

from gatehouse import call
from test_policies import GLOBAL, Managed, sections


BACKEND = []


class Lines(http.server.BaseHTTPRequestHandler):
    """Says which request line it got."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = json.dumps({"line": self.raw_requestline.decode("latin-1").strip()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def rewritten(live):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lines)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    BACKEND[:] = [f"http://127.0.0.1:{server.server_address[1]}"]
    made = Managed(live, f"http://127.0.0.1:{server.server_address[1]}", "rewritten")
    for name, template, words in (("free", "/q/{value}/{*rest}", ("value", "*rest")), ("other", "/x/{other}", ("other",)),
                                  ("pair", "/pair/{a}...{b}", ("a", "b"))):
        made.put(f"/apis/rewritten/operations/{name}", {
            "displayName": name, "method": "GET", "urlTemplate": template,
            "templateParameters": [{"name": word.lstrip("*"), "type": "string"} for word in words],
            "request": {"queryParameters": [{"name": "page", "type": "string"}]}})
    yield made
    live.management("DELETE", "/apis/rewritten", headers={"If-Match": "*"})
    live.management("DELETE", "/products/rewritten?deleteSubscriptions=true", headers={"If-Match": "*"})
    made.set(GLOBAL, "")
    server.shutdown()


def target(managed, path):
    answer = managed.call(path=path)
    assert answer.status == 200, answer.text
    method, address, version = answer.json()["line"].split(" ")
    assert (method, version) == ("GET", "HTTP/1.1") and address.startswith("/base/")
    return address.removeprefix("/base")


@pytest.mark.parametrize("given, out", [
    ("plain", "plain"), ("a%20b", "a%20b"), ("a%C3%B1o", "a%C3%B1o"), ("a%23b", "a%23b"), ("100%25", "100%25"), ("%257Bx", "%7Bx"),
    ("%7Bother%7D", "%7Bother%7D"), ("{other}", "%7Bother%7D"), ("{value}", "%7Bvalue%7D"), ("%E9", "%E9"), ("%E9t%C3%A9", "%E9t%C3%A9"),
    ("%0D%0AX:%201", "%0D%0AX:%201"), ("a%22%3C%3E%5C%5E%60%7C", "a%22%3C%3E%5C%5E%60%7C"), ("[1]", "%5B1%5D"), ("%F0%9F%91%8D", "%F0%9F%91%8D"),
])
def test_what_an_expression_returns_is_finished(rewritten, given, out):
    rewritten.set(sections(inbound='<base /><rewrite-uri template="@("/t/" + context.Request.MatchedParameters["value"] + "/secret")" copy-unmatched-params="false" />'))
    assert target(rewritten, f"/q/{given}/r") == f"/t/{out}/secret"


def test_a_question_mark_of_an_expression_begins_the_query(rewritten):
    rewritten.set(sections(inbound='<base /><rewrite-uri template="@("/t?v=" + context.Request.MatchedParameters["value"] + "?&w={value}")" />'))
    assert target(rewritten, "/q/a%20%23b/r?kept=%E9&more={x}") == "/t?v=a%20%23b?&w=%7Bvalue%7D&kept=%E9&more={x}"


def test_a_caller_does_not_lead_an_expression_elsewhere(rewritten):
    rewritten.set(sections(inbound='<base /><rewrite-uri template="@("/t/" + context.Request.MatchedParameters["lang"])" />'))
    for value in ("..", "..%2Fx", "x%2F..", "..%5Cx", "x%2F..%3Ba%2Fy", "x%2F%252e%252E"):
        answer = rewritten.call(path=f"/items/7?lang={value}")
        assert answer.status == 500 and "activityId" in answer.json(), (value, answer.text)


def test_a_caller_does_not_lead_a_base_url_elsewhere(rewritten):
    rewritten.set(sections(inbound=f'<base /><set-backend-service base-url="@("{BACKEND[0]}/base/t/" + context.Request.MatchedParameters["lang"])" />'))
    for value in ("..", "%2E%2E", "..%2Fx", "x%2F..", "x%2F%252e%252E", "..%5Cx", "..%3Bx", "a%20b", "a%22b", "a%3Cb", "%7Bx%7D", "a%5Eb", "100%25", "%C3%B1", "%0D%0AX:1",
                  "x%3Fy", "x%23y"):
        answer = rewritten.call(path=f"/items/7?lang={value}")
        assert answer.status == 500 and "activityId" in answer.json(), (value, answer.text)
    assert target(rewritten, "/items/7?lang=x%2Fy") == "/t/x/y/items/7?lang=x%2Fy"


def test_bytes_and_escapes_survive_a_constant_template(rewritten):
    rewritten.set(sections(inbound='<base /><rewrite-uri template="/t/{value}/{*rest}" />'))
    for path in ("caf%E9/a%2Fb/c", "a%2fb/%E9/%C3%A9//x", "a:b;c=d,e/~_-.!$/@", "%25/%2525", "a%20b/x%3Fy%23z"):
        assert target(rewritten, f"/q/{path}") == f"/t/{path}"
    assert target(rewritten, "/q/{x}/{y}") == "/t/%7Bx%7D/%7By%7D"
    rewritten.set(sections(inbound='<base /><rewrite-uri template="/t/{rest}?v={value}&r={rest}" copy-unmatched-params="false" />'))
    assert target(rewritten, "/q/a+b&c=d%E9/x%2Fy/z?gone=1") == "/t/x%2Fy/z?v=a%2Bb%26c%3Dd%E9&r=x%2Fy/z"
    rewritten.set(sections(inbound='<base /><rewrite-uri template="/t/{b}/{a}" />'))
    assert target(rewritten, "/pair/%E9...a%2Fb") == "/t/a%2Fb/%E9"
    rewritten.set(sections(inbound='<base /><rewrite-uri template="/t/{id}/{lang}" copy-unmatched-params="false" />'))
    assert target(rewritten, "/items/7?lang=a%2Fb+c%2B%E9") == "/t/7/a%2Fb%20c%2B%E9"


def test_a_constant_template_is_checked_at_its_operation(rewritten):
    def put(template, below="/apis/rewritten/operations/free"):
        return rewritten.policy(sections(inbound=f'<base /><rewrite-uri template="{template}" />'), below)

    refused = put("/t/{other}")
    assert refused.status == 400 and refused.json()["error"]["details"][0]["target"] == "value"
    assert 'The operation has no parameter "other". (line 1, column 41)' in refused.text.replace('\\"', '"')
    assert put("/t?x={lang}").status == 400 and put("/t/{open").status == 400
    for good in ("/t/{VALUE}/{*rest}", "/t/{rest}?p={page}", "/t"):
        assert put(good).status in (200, 201)
    rewritten.set(sections())
    assert put("/t/{value}/{page}?p={Page}").status == 200
    assert target(rewritten, "/q/v/r?page=a/b%20c") == "/t/v/a%2Fb%20c?p=a%2Fb%20c&page=a/b%20c"
    assert target(rewritten, "/q/v/r") == "/t/v/?p="
    rewritten.live.management("DELETE", "/apis/rewritten/operations/free/policies/policy", headers={"If-Match": "*"})


@pytest.mark.parametrize("scope", ["api", "product", "service"])
def test_at_wider_scopes_the_call_fails_with_the_name(rewritten, scope):
    below = {"api": "/apis/rewritten", "product": "/products/rewritten", "service": ""}[scope]
    text = sections(inbound='<base /><rewrite-uri template="/t/{other}" />',
                    on_error='<base /><set-header name="X-Why"><value>@(context.LastError.Source + ": " + context.LastError.Message)</value></set-header>')
    if scope == "service":
        text = text.replace("<backend><base />", "<backend><forward-request />")
    rewritten.set(text, below)
    try:
        rewritten.live.management("PATCH", "/subscriptions/rewritten-products", {"properties": {"allowTracing": True}}, {"If-Match": "*"})
        assert target(rewritten, "/x/here") == "/t/here"
        answer = rewritten.call(path="/items/7?lang=en&other=there", **{"Ocp-Apim-Trace": "true"})
        assert answer.status == 500 and answer.json()["message"] == "Internal server error" and "other" not in answer.text
        assert answer.headers["X-Why"].startswith("rewrite-uri: ") and '"other"' in answer.headers["X-Why"]
        trace = call(answer.headers["Ocp-Apim-Trace-Location"], "GET", "").json()["traceEntries"]["inbound"][-1]
        assert trace["source"] == "rewrite-uri" and '"other"' in trace["data"]["error"]["message"]
    finally:
        rewritten.set(GLOBAL if scope == "service" else sections(), below)
