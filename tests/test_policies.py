"""Policies: documents through Microsoft's own client, and what they do to calls."""
import concurrent.futures
import http.client
import http.server
import json
import threading
import time

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from gatehouse import call, rrs_path, table
from test_gateway import NOT_FOUND, Upstream
from test_management import client  # noqa: F401

GLOBAL = "<policies><inbound /><backend><forward-request /></backend><outbound /></policies>"


def sections(inbound="<base />", backend="<base />", outbound="<base />", on_error="<base />"):
    return (f"<policies><inbound>{inbound}</inbound><backend>{backend}</backend>"
            f"<outbound>{outbound}</outbound><on-error>{on_error}</on-error></policies>")


@pytest.fixture(scope="module")
def upstream():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


class Managed:
    """An API of a test's own in a product of its own, with a key for each scope."""

    def __init__(self, live, upstream, name):
        self.live, self.name = live, name
        self.put(f"/apis/{name}", {"displayName": name, "path": name, "protocols": ["http"], "serviceUrl": upstream + "/base"})
        for method in ("GET", "POST"):
            self.put(f"/apis/{name}/operations/{method.lower()}", {
                "displayName": method, "method": method, "urlTemplate": "/items/{id}?lang={lang}",
                "templateParameters": [{"name": "id", "type": "string"}, {"name": "lang", "type": "string"}]})
        self.put(f"/products/{name}", {"displayName": name, "subscriptionRequired": True, "state": "published"})
        self.put(f"/products/{name}/apis/{name}", {})
        self.keys = {}
        for scope in (f"/products/{name}", f"/apis/{name}"):
            kind = scope.split("/")[1]
            self.put(f"/subscriptions/{name}-{kind}", {
                "scope": scope, "displayName": f"{name} {kind}", "state": "active", "primaryKey": f"{name}-{kind}-key"})
            self.keys[kind] = f"{name}-{kind}-key"

    def put(self, path, properties):
        done = self.live.management("PUT", path, {"properties": properties})
        assert done.status in (200, 201), done.text

    def policy(self, text, below=""):
        """Stores a document at the scope of a path; the next call meets it."""
        return self.live.management("PUT", f"{below}/policies/policy", {"properties": {"value": text, "format": "rawxml"}})

    def set(self, text, below=None):
        done = self.policy(text, f"/apis/{self.name}" if below is None else below)
        assert done.status in (200, 201), done.text

    def call(self, method="GET", path="/items/7?lang=en", body=None, key="products", **headers):
        if key:
            headers["Ocp-Apim-Subscription-Key"] = self.keys[key]
        return call(self.live.urls["gateway"], method, f"/{self.name}{path}", body, headers)


@pytest.fixture
def managed(live, upstream, request):
    name = "p" + request.node.name.replace("_", "-")[-40:].lower().strip("-[]")
    made = Managed(live, upstream, name)
    yield made
    live.management("DELETE", f"/apis/{name}", headers={"If-Match": "*"})
    live.management("DELETE", f"/products/{name}?deleteSubscriptions=true", headers={"If-Match": "*"})
    made.set(GLOBAL, "")


def test_documents_through_the_sdk(client, managed):  # noqa: F811
    sdk, at = client
    name = managed.name
    raw = sections('<base /><set-variable name="a" value="@("x" == "<y>" && 1 < 2)" />')
    calls = [
        (sdk.policy, (), GLOBAL.replace("<inbound />", "<inbound><set-variable name='g' value='1' /></inbound>")),
        (sdk.product_policy, (name,), raw), (sdk.api_policy, (name,), raw), (sdk.api_operation_policy, (name, "get"), raw),
    ]
    for operations, ids, text in calls:
        if operations is not sdk.policy:
            with pytest.raises(ResourceNotFoundError):
                operations.get(*at, *ids, "policy")
        made = operations.create_or_update(*at, *ids, "policy", {"value": text, "format": "rawxml"})
        assert made.name == "policy" and made.type.endswith("/policies")
        assert operations.get(*at, *ids, "policy", format="rawxml").value == text
        escaped = operations.get(*at, *ids, "policy").value
        assert ("&quot;x&quot; == &quot;&lt;y&gt;&quot; &amp;&amp;" in escaped) == (text == raw)
        assert operations.create_or_update(*at, *ids, "policy", {"value": escaped, "format": "xml"}).value == escaped
        assert operations.get(*at, *ids, "policy", format="rawxml").value == text
        assert operations.get_entity_tag(*at, *ids, "policy")
        found = list(operations.list_by_operation(*at, *ids).value) if hasattr(operations, "list_by_operation") else None
        assert found is None or len(found) == 1
        with pytest.raises(HttpResponseError) as stale:
            operations.create_or_update(*at, *ids, "policy", {"value": text, "format": "rawxml"}, if_match='"AAAA"')
        assert stale.value.status_code == 412
        operations.delete(*at, *ids, "policy", "*")
        with pytest.raises(ResourceNotFoundError):
            operations.get(*at, *ids, "policy")


def test_what_does_not_compile_is_refused_and_changes_nothing(managed):
    managed.set(sections(outbound='<set-header name="X-Kept"><value>1</value></set-header>'))
    for text, message in [
        (sections("<set-heder />"), "There is no policy <set-heder>. (line 1, column 20)"),
        (sections('<set-variable name="a" value="@(context.Nothing)" />'),
         'The member "Nothing" of IProxyRequestContext is not supported in expressions yet. (line 1, column 60)'),
        (sections("\n<validate-jwt />"), "The policy <validate-jwt> is not supported yet. (line 2, column 1)"),
        (sections("{{nobody}}"), 'Cannot find a named value "nobody". (line 1, column 20)'),
        (sections(backend="<rate-limit calls='1' renewal-period='1' />"), None),
        ("x" * 300_000, "The length must be between 1 and 262144 characters."),
    ]:
        done = managed.policy(text, f"/apis/{managed.name}")
        assert done.status == 400, done.text
        detail = done.json()["error"]["details"][0]
        assert detail["target"] == "value" and (message is None or detail["message"] == message), detail
        assert managed.call().headers["X-Kept"] == "1"
    for path in ("/policies/other", f"/apis/{managed.name}/policies/mine"):
        assert managed.live.management("PUT", path, {"properties": {"value": GLOBAL}}).status == 400
    assert managed.policy(GLOBAL, "/apis/none").status == 404
    link = managed.live.management("PUT", f"/apis/{managed.name}/policies/policy",
                                   {"properties": {"value": "http://127.0.0.1/x", "format": "xml-link"}})
    assert link.status == 400 and link.json()["error"]["details"][0]["target"] == "value", "a host that is not allowed"


def test_a_request_is_changed_on_its_way(managed):
    managed.set(sections(
        inbound="""<base />
          <set-header name="X-Who" exists-action="override"><value>@($"{context.Subscription.Id} of {context.Product?.Name}")</value></set-header>
          <set-header name="X-Drop" exists-action="delete" />
          <set-header name="X-More" exists-action="append"><value>b</value></set-header>
          <set-header name="Host"><value>inner.test</value></set-header>
          <set-query-parameter name="extra"><value>a b</value></set-query-parameter>
          <rewrite-uri template="/things/{id}/{lang}" />""",
        outbound="""<base />
          <set-header name="X-Upstream" exists-action="delete" />
          <set-header name="X-Status"><value>@($"{context.Response.StatusCode} {context.Request.MatchedParameters["id"]}")</value></set-header>
          <choose><when condition="@(context.Response.StatusCode == 200)"><set-status code="203" reason="Changed" /></when></choose>"""))
    answer = managed.call(path="/items/a%2Fb?lang=en&subscription-key=q", **{"X-Drop": "1", "X-More": "a", "Accept": "text/plain"})
    seen = answer.json()
    names = {name.lower(): value for name, value in seen["headers"]}
    assert seen["path"] == "/base/things/a%2Fb/en?subscription-key=q&extra=a%20b"
    assert names["x-who"] == f"{managed.name}-products of {managed.name}" and names["x-more"] == "a,b"
    assert "x-drop" not in names and names["host"] == "inner.test" and names["accept"] == "text/plain"
    assert (answer.status, answer.reason) == (203, "Changed")
    assert answer.headers["X-Status"] == "200 a/b" and answer.headers.get("X-Upstream") is None
    # A body of another length takes the place of the caller's, which is dropped.
    managed.set(sections(inbound='<base /><set-method>POST</set-method><set-body>@("for " + context.Request.Method)</set-body>'))
    seen = managed.call("POST", body=b"x" * 300_000).json()
    assert (seen["size"], seen["tail"], seen["method"]) == (8, "for POST", "POST")
    seen = managed.call("GET").json()
    assert (seen["size"], seen["method"]) == (8, "POST")
    assert managed.call("POST", body=b"again").status == 200


def test_a_caller_does_not_lead_a_rewritten_address_elsewhere(managed):
    managed.set(sections(inbound='<base /><rewrite-uri template="/files/{lang}/page" copy-unmatched-params="false" />'))
    path = lambda lang: managed.call(path=f"/items/7?lang={lang}")  # noqa: E731
    assert path("en").json()["path"] == "/base/files/en/page" and path("a..b").json()["path"] == "/base/files/a..b/page"
    for lang in ("..", "%2e%2e", ".", "..%2Fx", "x%2f..", "..%5Cx", "..%3Bx"):
        answer = path(lang)
        assert answer.status == 500 and "activityId" in answer.json(), (lang, answer.text)


def test_an_answer_is_changed_on_its_way(managed):
    managed.set(sections(outbound='<base /><set-body>{"a": 1}</set-body><set-header name="Content-Type"><value>application/json</value></set-header>'))
    for path in ("/items/7?lang=en", "/items/chunked?lang=en", "/items/close?lang=en"):
        for _ in range(3):
            answer = managed.call(path=path)
            assert (answer.status, answer.json(), answer.headers["Content-Length"]) == (200, {"a": 1}, "8")
            assert answer.headers["X-Upstream"] == "yes" and answer.headers.get("Transfer-Encoding") is None
    managed.set(sections(outbound='<base /><set-header name="X-More"><value>1</value></set-header>'))
    for path in ("/items/7?lang=en", "/items/chunked?lang=en", "/items/close?lang=en"):
        answer = managed.call("POST", path, body=b"z" * 200_000)
        assert answer.json()["size"] == 200_000 and answer.headers["X-More"] == "1"


def test_policies_answer_themselves(managed):
    managed.set(sections(inbound="""
        <choose><when condition="@(context.Request.Headers.GetValueOrDefault("X-Mock", "") == "yes")">
          <return-response><set-status code="418" reason="Teapot" /><set-header name="X-A"><value>1</value></set-header>
            <set-body>{ "mock": true }</set-body></return-response></when></choose><base />"""))
    for _ in range(2):
        answer = managed.call("POST", body=b"unread" * 50_000, **{"X-Mock": "yes"})
        assert (answer.status, answer.reason, answer.text, answer.headers["X-A"]) == (418, "Teapot", '{ "mock": true }', "1")
    assert managed.call().status == 200
    managed.set(sections(backend=""))
    answer = managed.call()
    assert (answer.status, answer.text) == (200, "")
    managed.set(sections(inbound='<check-header name="X-Must" failed-check-httpcode="401" failed-check-error-message="No" ignore-case="true" />'))
    answer = managed.call()
    assert (answer.status, answer.text) == (401, '{ "statusCode": 401, "message": "No" }')
    managed.set(sections(inbound='<ip-filter action="forbid"><address>127.0.0.1</address></ip-filter>'))
    answer = managed.call(**{"X-Forwarded-For": "8.8.8.8"})
    assert (answer.status, answer.text) == (403, '{ "statusCode": 403, "message": "Forbidden" }')


def test_scopes_and_products(managed):
    mark = lambda name: f'<set-header name="X-Path" exists-action="append"><value>{name}</value></set-header>'  # noqa: E731
    managed.set(f"<policies><inbound>{mark('global')}</inbound><backend><forward-request /></backend></policies>", "")
    managed.set(sections(inbound=mark("product") + "<base />"), f"/products/{managed.name}")
    managed.set(sections(inbound="<base />" + mark("api")))
    managed.set(sections(inbound="<base />" + mark("operation")), f"/apis/{managed.name}/operations/get")
    path = lambda answer: dict(answer.json()["headers"]).get("X-Path")  # noqa: E731
    assert path(managed.call()) == "product,global,api,operation"
    # The product's policies are those of calls that came in by it.
    assert path(managed.call(key="apis")) == "global,api,operation"
    assert path(managed.call("POST")) == "product,global,api"
    managed.set(sections(inbound=mark("alone")), f"/apis/{managed.name}/operations/get")
    assert path(managed.call()) == "alone"
    # What goes takes its policies with it.
    assert managed.live.management("DELETE", f"/apis/{managed.name}/operations/get", headers={"If-Match": "*"}).status == 200
    managed.put(f"/apis/{managed.name}/operations/get", {"displayName": "G", "method": "GET", "urlTemplate": "/items/*"})
    assert path(managed.call()) == "product,global,api"
    assert managed.live.management("GET", f"/apis/{managed.name}/operations/get/policies/policy").status == 404
    managed.live.management("DELETE", f"/products/{managed.name}/policies/policy", headers={"If-Match": "*"})
    assert path(managed.call()) == "global,api"


def test_rate_limits_on_the_wire(managed):
    managed.set(sections(inbound='<rate-limit calls="3" renewal-period="2" remaining-calls-header-name="X-Left" total-calls-header-name="X-All" /><base />'),
                f"/products/{managed.name}")
    began = time.time()
    for left in ("2", "1", "0"):
        answer = managed.call()
        assert (answer.status, answer.headers["X-Left"], answer.headers["X-All"]) == (200, left, "3")
    answer = managed.call()
    wait = answer.headers["Retry-After"]
    assert (answer.status, answer.reason, answer.headers["X-Left"]) == (429, "Too Many Requests", "0") and wait in ("1", "2")
    assert answer.text == f'{{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in {wait} seconds." }}'
    assert answer.headers["Content-Type"] == "application/json"
    # Other scopes' keys are not the product's.
    assert managed.call(key="apis").status == 200
    while managed.call().status == 429:
        assert time.time() < began + 10
        time.sleep(0.05)
    assert time.time() >= began + 2
    managed.set(sections(inbound='<rate-limit-by-key calls="5" renewal-period="60" counter-key="@(context.Request.Headers.GetValueOrDefault("X-Tenant", ""))" />'))
    managed.live.management("DELETE", f"/products/{managed.name}/policies/policy", headers={"If-Match": "*"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: managed.call(**{"X-Tenant": f"t{number % 2}"}).status, range(40)))
    assert (found.count(200), found.count(429)) == (10, 30)


def test_errors_run_on_error_at_every_door(managed):
    mark = """<set-header name="X-Error"><value>@($"{context.LastError.Source}/{context.LastError.Reason}")</value></set-header>"""
    managed.set(f"<policies><inbound /><backend><forward-request /></backend><on-error>{mark}</on-error></policies>", "")
    answer = managed.call(key=None)
    assert (answer.status, answer.reason, answer.headers["X-Error"]) == (401, "Access Denied", "authorization/SubscriptionKeyNotFound")
    assert answer.headers["WWW-Authenticate"].startswith("AzureApiManagementKey realm=")
    answer = call(managed.live.urls["gateway"], "GET", "/nowhere", None, {})
    assert (answer.status, answer.text, answer.headers["X-Error"]) == (404, NOT_FOUND, "configuration/OperationNotFound")
    # The known way to a 405.
    managed.set("""<policies><inbound /><backend><forward-request /></backend><on-error><choose>
        <when condition="@(context.LastError.Source == "configuration")"><return-response><set-status code="405" /></return-response></when>
        </choose></on-error></policies>""", "")
    assert managed.call("DELETE").status == 405 or call(managed.live.urls["gateway"], "GET", "/nowhere", None, {}).status == 405
    managed.set(sections(inbound='<set-backend-service base-url="http://127.0.0.1:1" />', on_error=mark))
    answer = managed.call("POST", body=b"x" * 100_000)
    assert (answer.status, answer.headers["X-Error"]) == (500, "forward-request/BackendConnectionFailure")
    found = json.loads(answer.text)
    assert found["message"] == "Internal server error" and len(found["activityId"]) == 36
    managed.set(sections(inbound='<set-backend-service base-url="https://127.0.0.1:1" />', on_error=mark))
    assert managed.call().status == 500
    managed.set(sections(inbound='<set-variable name="a" value="@(context.Variables["none"])" />', on_error=mark))
    answer = managed.call()
    assert (answer.status, answer.headers["X-Error"]) == (500, "set-variable/ExpressionValueEvaluationFailure")


def test_named_values_and_fragments(client, managed):  # noqa: F811
    sdk, at = client
    name = managed.name
    made = sdk.named_value.begin_create_or_update(*at, f"{name}-v", {"display_name": "the-word", "value": "first"}).result()
    assert (made.display_name, made.value, made.secret) == ("the-word", "first", False)
    made = sdk.named_value.begin_create_or_update(*at, f"{name}-s", {"display_name": "the.secret", "value": "hush", "secret": True}).result()
    assert made.value is None and sdk.named_value.get(*at, f"{name}-s").value is None
    assert sdk.named_value.list_value(*at, f"{name}-s").value == "hush"
    for body in ({"display_name": "a b", "value": "1"}, {"display_name": "the-word", "value": "1"}, {"display_name": "n"},
                 {"display_name": "n", "value": "{{the-word}}"}):
        with pytest.raises(HttpResponseError) as refused:
            sdk.named_value.begin_create_or_update(*at, f"{name}-x", body).result()
        assert refused.value.status_code == 400
    fragment = '<fragment><set-header name="X-Word"><value>{{the-word}}</value></set-header></fragment>'
    sdk.policy_fragment.begin_create_or_update(*at, f"{name}-f", {"value": fragment, "format": "rawxml", "description": "d"}).result()
    with pytest.raises(HttpResponseError):
        sdk.policy_fragment.begin_create_or_update(*at, f"{name}-g", {"value": "<fragment><nothing /></fragment>"}).result()
    managed.set(sections(outbound=f'<include-fragment fragment-id="{name}-f" /><set-header name="X-S"><value>@("{{{{the.secret}}}}" + "!")</value></set-header>'))
    answer = managed.call()
    assert (answer.headers["X-Word"], answer.headers["X-S"]) == ("first", "hush!")
    sdk.named_value.begin_update(*at, f"{name}-v", "*", {"value": "second"}).result()
    sdk.named_value.begin_update(*at, f"{name}-s", "*", {"value": "hush2"}).result()
    answer = managed.call()
    assert (answer.headers["X-Word"], answer.headers["X-S"]) == ("second", "hush2!")
    # What would make a document wrong is refused, and quotes no secret.
    with pytest.raises(HttpResponseError) as refused:
        sdk.named_value.begin_update(*at, f"{name}-s", "*", {"value": '" + nothing("'}).result()
    message = refused.value.error.details[0].message
    assert f"/apis/{name}/policies/policy would not compile any more" in message and "nothing" not in message
    for broken in ("<fragment><forward-request /></fragment>", "<fragment><base /></fragment>"):
        with pytest.raises(HttpResponseError) as refused:
            sdk.policy_fragment.begin_create_or_update(*at, f"{name}-f", {"value": broken, "format": "rawxml"}).result()
        assert refused.value.status_code == 400
    answer = managed.call()
    assert (answer.headers["X-Word"], answer.headers["X-S"]) == ("second", "hush2!")
    for refuse in (lambda: sdk.named_value.delete(*at, f"{name}-s", "*"), lambda: sdk.named_value.delete(*at, f"{name}-v", "*"),
                   lambda: sdk.policy_fragment.delete(*at, f"{name}-f", "*")):
        with pytest.raises(HttpResponseError) as refused:
            refuse()
        assert refused.value.status_code == 400
    managed.live.management("DELETE", f"/apis/{name}/policies/policy", headers={"If-Match": "*"})
    sdk.policy_fragment.delete(*at, f"{name}-f", "*")
    sdk.named_value.delete(*at, f"{name}-v", "*")
    sdk.named_value.delete(*at, f"{name}-s", "*")
    log = (managed.live.folder / "log").read_text()
    assert "hush" not in log and "nothing(" not in log


def test_policies_before_a_service_of_this_installation(live):
    """A publisher gives the service's own key, so that subscribers need not know it."""
    guide = live.guide
    put = lambda text: live.management("PUT", "/apis/azureml-demo-api/policies/policy", {"properties": {"value": text, "format": "rawxml"}})  # noqa: E731
    headers = {"Ocp-Apim-Subscription-Key": guide["subscriptionKey"]}
    ask = lambda body=table([["a"]]): call(live.urls["gateway"], "POST", "/azureml-demo" + rrs_path(guide), body, headers)  # noqa: E731
    assert ask().status == 401
    try:
        plain = call(live.urls["gateway"], "POST", "/azureml-demo" + rrs_path(guide), table([["a"]]),
                     {**headers, "Authorization": "Bearer " + guide["apiKey"]})
        assert put(sections(
            inbound=f'<base /><set-header name="Authorization"><value>Bearer {guide["apiKey"]}</value></set-header>',
            outbound='<base /><set-header name="X-Operation"><value>@(context.Operation.Id)</value></set-header>')).status == 201
        answer = ask()
        assert (answer.status, answer.text) == (200, plain.text) and answer.headers["X-Operation"]
        rows = table([["text %d" % number] for number in range(5000)])
        assert len(ask(rows).json()["Results"]["output1"]["value"]["Values"]) == 5000
        assert put(sections(
            inbound=f'<base /><set-header name="Authorization"><value>Bearer {guide["apiKey"]}</value></set-header>'
                    f'<set-body>{json.dumps(table([["a"]]))}</set-body>',
            outbound='<base /><set-status code="202" />')).status == 200
        answer = ask(b"not json at all")
        assert (answer.status, answer.text) == (202, plain.text)
    finally:
        live.management("DELETE", "/apis/azureml-demo-api/policies/policy", headers={"If-Match": "*"})
    assert ask().status == 401


def test_commands(managed, tmp_path):
    run = managed.live.command
    document = tmp_path / "policy.xml"
    text = sections(inbound='<base /><set-header name="X-Who"><value>@("{{cli-word}}" + "<&>")</value></set-header>')
    document.write_text(text)
    refused = run("policy", "set", "--api", managed.name, str(document), check=False)
    assert refused.returncode != 0 and "value: Cannot find a named value \"cli-word\". (line 1, column" in refused.stderr
    word = tmp_path / "word"
    word.write_text("ada\n")
    assert run("named-value", "create", "cli", "--name", "cli-word", "--secret", "true", "--value-file", str(word)).returncode == 0
    assert run("named-value", "value", "cli").stdout == "ada\n"
    assert "cli-word" in run("named-value", "list").stdout and "ada" not in run("named-value", "list", "--json").stdout
    assert run("policy", "set", "--api", managed.name, str(document)).stdout == f"policy /apis/{managed.name}/policies/policy\n"
    assert dict(managed.call().json()["headers"])["X-Who"] == "ada<&>"
    assert run("policy", "show", "--api", managed.name).stdout == text + "\n"
    assert json.loads(run("policy", "show", "--api", managed.name, "--json").stdout)["properties"]["format"] == "rawxml"
    assert run("policy", "delete", "--api", managed.name).returncode == 0
    assert run("policy", "show", "--api", managed.name, check=False).returncode != 0
    assert run("policy", "show", "--product", "a", "--api", "b", check=False).returncode != 0
    fragment = tmp_path / "fragment.xml"
    fragment.write_text("<fragment><set-method>PUT</set-method></fragment>")
    assert run("policy-fragment", "set", "cli-part", str(fragment), "--description", "verbs").returncode == 0
    assert "verbs" in run("policy-fragment", "list").stdout
    assert run("policy-fragment", "show", "cli-part").stdout == fragment.read_text() + "\n"
    assert run("policy-fragment", "delete", "cli-part").returncode == 0
    assert run("named-value", "delete", "cli").returncode == 0


def test_cors(managed):
    def ask(origin="http://app.test", method="GET", headers="X-A, Content-Type", **others):
        others = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers, **others}
        return call(managed.live.urls["gateway"], "OPTIONS", f"/{managed.name}/items/7?lang=en", None,
                    {name: value for name, value in others.items() if value})
    allowed = lambda answer: {name.lower()[len("access-control-"):]: value for name, value in answer.headers.items()  # noqa: E731
                              if name.lower().startswith("access-control-")}
    assert (ask().status, ask().text) == (404, NOT_FOUND)
    cors = """<cors {attributes}><allowed-origins><origin>http://app.test</origin><origin>http://two.test:81</origin></allowed-origins>
        <allowed-methods preflight-result-max-age="300"><method>GET</method><method>PUT</method></allowed-methods>
        <allowed-headers><header>x-a</header><header>content-type</header></allowed-headers>
        <expose-headers><header>X-Upstream</header></expose-headers></cors>"""
    managed.set(sections(inbound=cors.format(attributes='allow-credentials="true"') + "<base />"))
    answer = ask()
    assert (answer.status, answer.text, answer.headers["Vary"]) == (200, "", "Origin")
    assert allowed(answer) == {"allow-origin": "http://app.test", "allow-credentials": "true", "allow-methods": "GET,PUT",
                               "allow-headers": "x-a,content-type", "max-age": "300"}
    assert allowed(ask(headers=None))["allow-origin"] == "http://app.test"
    for answer in (ask(origin="http://app.test:81"), ask(method="POST"), ask(headers="X-Other")):
        assert (answer.status, allowed(answer), answer.text) == (200, {}, "")
    assert ask(method="DELETE").status == 404 and ask(origin=None).status == 404
    answer = managed.call(Origin="http://two.test:81")
    assert allowed(answer) == {"allow-origin": "http://two.test:81", "allow-credentials": "true", "expose-headers": "X-Upstream"}
    assert answer.json()["method"] == "GET" and allowed(managed.call()) == {}
    answer = managed.call(Origin="http://evil.test")
    assert (answer.status, answer.text, allowed(answer)) == (200, "", {})
    # Where it does not end unmatched calls, they go on without its fields; a preflight is asked of the wider scope.
    managed.set(sections(inbound=cors.format(attributes='terminate-unmatched-request="false"') + "<base />"))
    answer = managed.call(Origin="http://evil.test")
    assert answer.json()["method"] == "GET" and allowed(answer) == {}
    managed.set("<policies><inbound><cors><allowed-origins><origin>*</origin></allowed-origins><allowed-methods><method>*</method>"
                "</allowed-methods><allowed-headers><header>*</header></allowed-headers></cors></inbound>"
                "<backend><forward-request /></backend></policies>", "")
    assert allowed(ask(origin="http://evil.test", headers="X-Z")) == {
        "allow-origin": "*", "allow-methods": "GET", "allow-headers": "X-Z"}
    # An error is shown to the page as well.
    managed.set(sections(inbound="<base /><return-response><set-status code='418' /></return-response>"))
    assert allowed(managed.call(Origin="http://any.test"))["allow-origin"] == "*"
    # An operation of its own for OPTIONS is called like any other.
    managed.put(f"/apis/{managed.name}/operations/options", {
        "displayName": "O", "method": "OPTIONS", "urlTemplate": "/items/*"})
    assert ask().status == 401


def test_quotas_survive_kills(fresh, upstream):
    fresh.guide = fresh.demo()
    managed = Managed(fresh, upstream, "counted")
    managed.set(sections(inbound='<quota calls="200" renewal-period="604800" /><base />'), "/products/counted")
    passed = 0
    for _ in range(5):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda number: managed.call("POST", body=b"x" * 100_000 * (number % 2)).status, range(20)))
        assert found == [200] * 20
        passed += len(found)
        fresh.kill()
        fresh.start()
    while (answer := managed.call()).status == 200:
        passed += 1
    # Each kill costs what was reserved and not used: four calls at most.
    assert 180 <= passed <= 200
    wait = int(answer.headers["Retry-After"])
    days, rest = divmod(wait, 86_400)
    assert answer.status == 403 and 604_000 < wait <= 604_800
    span = f"{days}.{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    assert answer.text == f'{{ "statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in {span}." }}'
    assert managed.call(key="apis").status == 200


def test_a_fresh_instance_has_its_policies(fresh):
    guide = fresh.demo()
    shown = fresh.command("policy", "show", "--product", "starter").stdout
    assert '<rate-limit calls="5" renewal-period="60" />' in shown and '<quota calls="100" renewal-period="604800" />' in shown
    assert "<forward-request />" in fresh.command("policy", "show").stdout
    headers = {"Ocp-Apim-Subscription-Key": guide["starterKey"], "Authorization": "Bearer " + guide["apiKey"]}
    ask = lambda: call(fresh.urls["gateway"], "POST", "/azureml-demo" + rrs_path(guide), table([["a"]]), headers)  # noqa: E731
    assert [ask().status for _ in range(6)] == [200] * 5 + [429]
    headers["Ocp-Apim-Subscription-Key"] = guide["subscriptionKey"]
    assert [ask().status for _ in range(8)] == [200] * 8


def test_a_backend_is_asked_again(live, upstream, managed):
    class Moody(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        seen = []

        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            Moody.seen.append((self.command, len(body), self.headers.get("X-Try")))
            status = 200 if len(Moody.seen) % 3 == 0 else 503
            text = b"answer " * (20_000 if status == 503 else 1)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = handle_any

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    retry = f"""<retry condition="@(context.Response.StatusCode >= 500)" count="2" interval="0">
        <set-backend-service base-url="http://127.0.0.1:{server.server_address[1]}" />
        <set-header name="X-Try" exists-action="append"><value>x</value></set-header>{{}}</retry>"""
    managed.set(sections(backend=retry.format('<forward-request buffer-request-body="true" />')))
    for _ in range(3):
        answer = managed.call("POST", body=b"z" * 300_000)
        assert (answer.status, answer.text) == (200, "answer ")
    assert Moody.seen[:3] == [("POST", 300_000, "x"), ("POST", 300_000, "x,x"), ("POST", 300_000, "x,x,x")] and len(Moody.seen) == 9
    answer = managed.call()
    assert answer.status == 200 and [seen[0] for seen in Moody.seen[9:]] == ["GET"] * 3
    # The last answer goes out where none was wanted.
    managed.set(sections(backend=retry.replace('count="2"', 'count="1"').format('<forward-request />')))
    answer = managed.call()
    assert (answer.status, len(answer.text)) == (503, 140_000) and len(Moody.seen) == 14
    answer = managed.call("POST", body=b"unbuffered")
    assert answer.status in (200, 500)
    managed.set(sections(backend='<forward-request buffer-request-body="true" />'))
    assert managed.call("POST", body=b"z" * (2 << 20)).status == 200
    assert managed.call("POST", body=b"z" * ((2 << 20) + 1)).status == 413
    server.shutdown()


def test_statuses_without_a_body_keep_the_connection_readable(managed):
    """Several answers on one connection: what belongs to one is never read as the next."""
    host, port = managed.live.urls["gateway"].split("//")[1].split(":")
    for status, path, expected in (("204", "/items/7?lang=en", b""), ("304", "/items/chunked?lang=en", b""),
                                   ("200", "/items/7?lang=en&status=204", b""), ("200", "/items/7?lang=en&status=304", b"")):
        managed.set(sections(outbound=f'<base /><set-status code="{status}" />'))
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        for _ in range(3):
            connection.request("GET", f"/{managed.name}{path}", headers={"Ocp-Apim-Subscription-Key": managed.keys["products"]})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (int(status), expected), (status, path)
        connection.close()


def test_extreme_numbers_do_not_end_the_process(managed):
    for text in ('<quota-by-key calls="5" renewal-period="300" counter-key="x" increment-count="@(9223372036854775807)" />',
                 '<rate-limit-by-key calls="5" renewal-period="60" counter-key="x" increment-count="@(9223372036854775807)" />',
                 '<rate-limit-by-key calls="@(9223372036854775807)" renewal-period="60" counter-key="x" />',
                 '<limit-concurrency key="k" max-count="@(-9223372036854775807)"><set-method>GET</set-method></limit-concurrency>'):
        managed.set(sections(inbound=text + "<base />"))
        assert managed.call().status in (429, 500)
    for time_text in ("2026-01-01T12:00:.Z", "T", "--T::Z", "2026-01-01T::Z", "0000-00-00", "99999999999999999999-01-01"):
        done = managed.policy(sections(inbound=f'<quota-by-key calls="5" renewal-period="300" counter-key="x" first-period-start="{time_text}" />'),
                              f"/apis/{managed.name}")
        assert done.status == 400 and "first-period-start" in done.text
    managed.set(sections())
    assert managed.call().status == 200


def test_an_hour_and_a_day_of_one_key_are_two_counters(managed):
    managed.set(sections(inbound="""<quota-by-key calls="6" renewal-period="3600" counter-key="hour-and-day" />
        <quota-by-key calls="4" renewal-period="86400" counter-key="hour-and-day" /><base />"""))
    assert [managed.call().status for _ in range(6)] == [200] * 4 + [403] * 2
