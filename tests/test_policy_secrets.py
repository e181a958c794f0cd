"""What whoever may write a policy of one API, or trace one call, must not see: credentials of backends, secrets, keys."""
import contextlib
import http.server
import json
import sqlite3
import threading

import pytest

from gatehouse import call
from test_policies import GLOBAL, Managed, sections

SECRETS = {"header": "hdr-S3cret/+=", "query": "qry-S3cret", "authorization": "bXktYmFja2VuZA"}


class Backend(http.server.BaseHTTPRequestHandler):
    """Remembers what it was sent, and answers as its server is told to."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body.decode()})
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def backend():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.daemon_threads = True
    server.seen, server.status, server.location = [], 200, None
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def managed(live, request):
    name = "s" + request.node.name.replace("_", "-")[-40:].lower().strip("-[]")
    with backend() as own:
        made = Managed(live, own.url, name)
        made.backend = own
        live.management("PATCH", f"/subscriptions/{name}-products", {"properties": {"allowTracing": True}}, {"If-Match": "*"})
        yield made
        live.management("DELETE", f"/apis/{name}", headers={"If-Match": "*"})
        live.management("DELETE", f"/products/{name}?deleteSubscriptions=true", headers={"If-Match": "*"})
        made.set(GLOBAL, "")


# All that an expression can say of the request.
SHOWN = "".join(f'<set-header name="X-{name}"><value>@("=" + {expression})</value></set-header>' for name, expression in [
    ("Key", 'context.Request.Headers.GetValueOrDefault("X-Key", "none")'), ("Has", 'context.Request.Headers.ContainsKey("X-Key")'),
    ("Auth", 'context.Request.Headers.GetValueOrDefault("authorization", "none")'),
    ("Length", 'context.Request.Headers.GetValueOrDefault("Content-Length", "none")'),
    ("Query", 'context.Request.Url.Query.GetValueOrDefault("sv", "none")'), ("Address", "context.Request.Url.Path + context.Request.Url.QueryString"),
    ("Original", "context.Request.OriginalUrl.Path + context.Request.OriginalUrl.QueryString"),
    ("Set", 'context.Request.Headers.GetValueOrDefault("X-Set", "none")'), ("Method", "context.Request.Method"),
    ("Subscription", "context.Subscription.Key")])


@pytest.mark.parametrize("kind", ["outbound", "backend", "on-error", "unreachable", "retried", "status", "cached"])
def test_expressions_do_not_see_what_the_gateway_adds(managed, kind):
    managed.put("/backends/guarded", {"url": managed.backend.url + "/v2", "protocol": "http", "credentials": {
        "header": {"X-Key": [SECRETS["header"]]}, "query": {"sv": [SECRETS["query"]]},
        "authorization": {"scheme": "Basic", "parameter": SECRETS["authorization"]}}})
    inbound = ('<base /><set-backend-service backend-id="guarded" /><set-header name="X-Set"><value>by-policy</value></set-header>'
               '<rewrite-uri template="/new/{id}" />')
    forward = {"backend": "<forward-request />" + SHOWN, "status": '<forward-request fail-on-error-status-code="true" />',
               "retried": '<retry condition="@(context.Response.StatusCode == 503)" count="2" interval="0">'
                          '<set-header name="X-Set" exists-action="append"><value>@(context.Request.Headers.GetValueOrDefault("X-Key", "none"))</value></set-header>'
                          '<forward-request buffer-request-body="true" /></retry>',
               }.get(kind, "<forward-request />")
    if kind == "unreachable":
        managed.put("/backends/guarded", {"url": "http://127.0.0.1:1", "protocol": "http", "credentials": {
            "header": {"X-Key": [SECRETS["header"]]}, "authorization": {"scheme": "Basic", "parameter": SECRETS["authorization"]}}})
    if kind == "cached":
        inbound += '<cache-lookup vary-by-developer="false" vary-by-developer-groups="false" />'
    fail = '<check-header name="X-No" failed-check-httpcode="400" failed-check-error-message="no" ignore-case="true" />'
    outbound = "<base />" + ('<cache-store duration="60" />' if kind == "cached" else "") + (fail if kind == "on-error" else SHOWN)
    if kind == "on-error":
        outbound = '<base /><set-header name="X-Early"><value>@(context.Variables["none"])</value></set-header>'
    managed.set(sections(inbound, forward, outbound, "<base />" + SHOWN))
    if kind == "retried":
        managed.backend.status = 503
    if kind == "status":
        managed.backend.status = 500
    for own in (None, "callers"):
        headers = {"X-Key": own, "Authorization": f"Bearer {own}"} if own and kind != "cached" else {}
        for method in ("GET",) if kind == "cached" else ("GET", "POST"):
            managed.backend.seen.clear()
            answer = managed.call(method, "/items/7?lang=en&x=1", "body" if method == "POST" else None, **headers,
                                  **{"Ocp-Apim-Trace": "true"})
            trace = call(answer.headers["Ocp-Apim-Trace-Location"], "GET", "").text
            for secret in SECRETS.values():
                assert secret not in str(answer.headers) + answer.text + trace + trace.replace("\\/", "/"), (kind, secret)
            if kind != "backend":
                shown = {name: answer.headers[f"X-{name}"] for name in ("Key", "Has", "Auth", "Query", "Address", "Original", "Set", "Method")}
                assert shown == {
                    "Key": f"={own or 'none'}" if headers else "=none", "Has": f"={'True' if headers else 'False'}",
                    "Auth": f"=Bearer {own}" if headers else "=none", "Query": "=none", "Address": "=/new/7?x=1",
                    "Original": f"=/{managed.name}/items/7?lang=en&x=1", "Method": f"={method}",
                    "Set": "=by-policy" + (f",{own or 'none'}" * 3 if kind == "retried" else "")}, kind
                assert answer.headers["X-Subscription"] == f"={managed.keys['products']}"
            if kind not in ("unreachable", "cached"):
                for seen in managed.backend.seen:
                    assert seen["headers"]["x-key"] == SECRETS["header"] and seen["path"] == f"/v2/new/7?x=1&sv={SECRETS['query']}"
                    assert seen["headers"]["authorization"] == f"Basic {SECRETS['authorization']}"
                assert len(managed.backend.seen) == (3 if kind == "retried" else 1)


def test_a_redirect_tells_another_host_no_secret(managed):
    managed.live.management("PUT", "/namedValues/elsewhere", {"properties": {"displayName": "elsewhere", "value": "sealed v/lue", "secret": True}})
    inbound = ('<base /><set-header name="X-Kept"><value>plain</value></set-header><set-header name="X-Token"><value>abc</value></set-header>'
               '<set-header name="X-Hidden"><value>a {{elsewhere}} b</value></set-header>'
               '<set-query-parameter name="q"><value>{{elsewhere}}</value></set-query-parameter>')
    managed.backend.status = 307
    with backend() as other:
        managed.backend.location = other.url + "/there"
        managed.set(sections(inbound, '<forward-request follow-redirects="true" />',
                             '<base /><set-header name="X-Address"><value>@(context.Request.Url.Path)</value></set-header>'))
        sent = {"Authorization": "Bearer x", "Cookie": "a=1", "X-Api-Key": "mine", "X-Functions-Key": "f", "Accept": "text/plain"}
        answer = managed.call("POST", body="text", **sent)
        assert answer.status == 200 and answer.headers["X-Address"] == "/items/7", answer.text
        assert "sealed v/lue" in managed.backend.seen[0]["headers"]["x-hidden"]
        told = other.seen[0]
        assert told["path"] == "/there" and told["headers"]["x-kept"] == "plain" and told["headers"]["accept"] == "text/plain"
        assert not {"authorization", "cookie", "x-api-key", "x-functions-key", "x-token", "x-hidden", "ocp-apim-subscription-key"} & set(told["headers"])
        # A body that holds one stays where it is: the caller gets the redirect.
        managed.set(sections(inbound + "<set-body>it is {{elsewhere}}</set-body>", '<forward-request follow-redirects="true" />'))
        other.seen.clear()
        assert managed.call("POST", body="text").status == 307 and not other.seen
        # Where a redirect leads is not what the policies asked for, also where nobody is there.
        managed.backend.location = "http://127.0.0.1:1/hidden?sig=abc"
        managed.set(sections("<base />", '<forward-request follow-redirects="true" />',
                             on_error='<base /><set-header name="X-Address"><value>@(context.Request.Url.Path + context.Request.Url.QueryString)</value></set-header>'))
        answer = managed.call()
        assert (answer.status, answer.headers["X-Address"]) == (500, "/items/7?lang=en")
    managed.set(sections())
    managed.live.management("DELETE", "/namedValues/elsewhere", headers={"If-Match": "*"})


def test_a_trace_hides_secrets_however_they_are_written(managed):
    secret = "p w/d+1=="
    managed.live.management("PUT", "/namedValues/written", {"properties": {"displayName": "written", "value": secret, "secret": True}})
    managed.set(sections('<base /><set-query-parameter name="code"><value>{{written}}</value></set-query-parameter>'
                         '<rewrite-uri template="@("/t/{{written}}/x")" />'
                         # One that begins where long values are cut.
                         f'<set-variable name="v" value="{"x" * 4092}{{{{written}}}}" />'))
    answer = managed.call(**{"Ocp-Apim-Trace": "true"})
    trace = call(answer.headers["Ocp-Apim-Trace-Location"], "GET", "").json()
    text = json.dumps(trace)
    assert answer.status == 200 and "[redacted]" in text
    for word in (secret, "p%20w", "p w", "w/d", "p+w"):
        assert word not in text, word
    assert managed.backend.seen[0]["path"].startswith("/base/t/p%20w/d+1==/x?") and "code=p%20w%2Fd%2B1%3D%3D" in managed.backend.seen[0]["path"]
    managed.set(sections())
    managed.live.management("DELETE", "/namedValues/written", headers={"If-Match": "*"})


def test_keys_of_quotas_are_not_on_the_disk(managed):
    managed.set(sections('<base /><quota-by-key calls="9" renewal-period="3600" counter-key="@(context.Subscription.Key)" />'))
    assert managed.call().status == 200
    key = managed.keys["products"]
    with contextlib.closing(sqlite3.connect(f"file:{managed.live.data}/work.sqlite?mode=ro", uri=True)) as database:
        subjects = [row[0] for row in database.execute("SELECT subject FROM quotas WHERE counter LIKE 'quota by key %'")]
    assert subjects and all(subject.startswith("sha256:") for subject in subjects)
    assert not [file for file in managed.live.data.glob("work.sqlite*") if key.encode() in file.read_bytes()]
    # Who manages quotas asks by the key all the same.
    found = managed.live.management("GET", f"/quotas/{key}").json()["value"]
    assert found[0]["counterKey"] == key and found[0]["value"]["callsCount"] == 1
