"""Calls that come again on a connection that is kept: what was worked out for one holds for the next only while nothing changed."""
import http.client
import json
import random
import urllib.parse

import pytest

from gatehouse import call, rrs_path, table
from test_answers import upstream  # noqa: F401
from test_policies import Managed, sections


class Kept:
    """A connection that says the same head with each call, but for its body and the length of that."""

    def __init__(self, base, method, path, headers):
        parts = urllib.parse.urlsplit(base)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        self.method, self.path, self.headers = method, path, headers

    def call(self, body=None, **headers):
        self.connection.request(self.method, self.path, body, {**self.headers, **headers})
        response = self.connection.getresponse()
        body = response.read()
        return response.status, body.decode(), response.headers


def scoring(live, base, prefix="", key=None):
    headers = {"Authorization": f"Bearer {key or live.guide['apiKey']}", "Ocp-Apim-Subscription-Key": live.guide["subscriptionKey"]}
    return Kept(base, "POST", prefix + rrs_path(live.guide), headers)


def managed_on(live, upstream, name):  # noqa: F811
    made = Managed(live, upstream, name)
    headers = {"Ocp-Apim-Subscription-Key": made.keys["products"]}
    return made, Kept(live.urls["gateway"], "POST", f"/{name}/items/7?lang=en", headers)


@pytest.mark.parametrize("door, prefix", [("services", ""), ("gateway", "/azureml-demo")])
def test_each_call_is_answered_for_its_own_body(live, door, prefix):
    kept = scoring(live, live.urls[door], prefix)
    random.seed(6)
    for _ in range(150):
        text = " ".join(random.choice(["good", "day", "\u00e9", "]", "[\"x\"]", "a\\b"]) for _ in range(random.randrange(40)))
        body = json.dumps(table([[text]] * random.randrange(1, 4)), ensure_ascii=random.random() < 0.5).encode()
        alone = call(live.urls["services"], "POST", rrs_path(live.guide), body, {"Authorization": f"Bearer {live.guide['apiKey']}"})
        status, answer, _ = kept.call(body)
        assert (status, answer) == (200, alone.text)
    for body, code in ((b"{}", "BadArgument"), (b'{"Inputs":{"input1":{"ColumnNames":["Col2"],"Values":[[1,2]]}}}', "BadUserArgument")):
        for _ in range(2):
            status, answer, _ = kept.call(body)
            assert status == 400 and json.loads(answer)["error"]["code"] == code


def test_a_key_is_judged_anew_when_it_changes(live, upstream):  # noqa: F811
    made, kept = managed_on(live, upstream, "again-keys")
    state = lambda state: live.management("PATCH", f"/subscriptions/{made.name}-products", {"properties": {"state": state}}, {"If-Match": "*"})
    for _ in range(3):
        assert kept.call("one")[0] == 200
        assert kept.call("other")[0] == 200
        assert state("suspended").status == 200
        assert kept.call("one")[0] == 401
        assert kept.call("one")[0] == 401
        assert state("active").status == 200
    # Another key on the same connection, of the same length and of another one.
    wrong = made.keys["products"][:-1] + "z"
    assert kept.call("one", **{"Ocp-Apim-Subscription-Key": wrong})[0] == 401
    assert kept.call("one")[0] == 200
    assert kept.call("one", **{"Ocp-Apim-Subscription-Key": wrong + "z"})[0] == 401
    assert live.management("DELETE", f"/apis/{made.name}", headers={"If-Match": "*"}).status in (200, 204)
    assert kept.call("one")[0] == 404


def test_policies_see_each_call(live, upstream):  # noqa: F811
    made, kept = managed_on(live, upstream, "again-policies")
    made.set(sections(inbound='<base /><rate-limit calls="6" renewal-period="300" remaining-calls-header-name="X-Left" />'
                              '<set-header name="X-Length"><value>@(context.Request.Headers.GetValueOrDefault("Content-Length",""))</value></set-header>'
                              '<set-query-parameter name="lang" exists-action="override"><value>es</value></set-query-parameter>'))
    for count, body in enumerate(("a", "bb", "ccc", "dddd", "eeeeeeeeee", "ffffffffffff")):
        status, answer, headers = kept.call(body)
        told = json.loads(answer)
        assert (status, headers["X-Left"], told["received"]) == (200, str(5 - count), body)
        assert told["headers"]["x-length"] == told["headers"]["content-length"] == str(len(body))
        assert told["path"] == "/base/items/7?lang=es"
    assert kept.call("g")[0] == 429
    made.set(sections(inbound="<base />"))
    status, answer, _ = kept.call("h")
    assert status == 200 and json.loads(answer)["path"] == "/base/items/7?lang=en"
    # Who may see a trace is asked with each call.
    assert kept.call("h", **{"Ocp-Apim-Trace": "true"})[2]["Ocp-Apim-Trace-Location"] is None
    live.management("PATCH", f"/subscriptions/{made.name}-products", {"properties": {"allowTracing": True}}, {"If-Match": "*"})
    places = {kept.call("h", **{"Ocp-Apim-Trace": "true"})[2]["Ocp-Apim-Trace-Location"] for _ in range(3)}
    assert len(places) == 3 and None not in places


def test_a_service_that_was_deleted_is_gone_on_kept_connections(live):
    token = (live.data / "secrets" / "workspace-token").read_text().strip()
    workspace = live.guide["workspace"]
    ask = lambda method, path, body=None: call(
        live.urls["portal"], method, f"/workspaces/{workspace}/webservices{path}", body, {"Authorization": f"Bearer {token}"})
    service = next(s for s in ask("GET", "").json() if s["Name"] == "SimpleFeatureHashingExperiment")
    made = ask("PUT", f"/{service['Id']}/endpoints/again", {"Description": "x"}).json()
    path = urllib.parse.urlsplit(made["ApiLocation"]).path + "/execute?api-version=2.0"
    kept = Kept(live.urls["services"], "POST", path, {"Authorization": f"Bearer {made['PrimaryKey']}"})
    for _ in range(3):
        assert kept.call(json.dumps(table([["a"]])))[0] == 200
    assert ask("DELETE", f"/{service['Id']}/endpoints/again").status == 204
    for _ in range(2):
        assert kept.call(json.dumps(table([["a"]])))[0] == 404
