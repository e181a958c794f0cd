"""Secrets at rest: whatever people write where, no file of the data folder holds it; and named values that would split a header."""
import json
import pathlib
import re
import sqlite3
import subprocess

import pytest

from gatehouse import BINARY, call, server
from test_policies import sections

# Where people write secrets, each with a text of its own that no file may hold.
PLACES = {
    "basic": ("policy", '<authentication-basic username="u" password="{}" />'),
    "header": ("policy", '<set-header name="Authorization" exists-action="override"><value>Bearer {}</value></set-header>'),
    "basic-header": ("policy", '<set-header name="Authorization" exists-action="override"><value>Basic {}</value></set-header>'),
    "connection": ("policy", '<set-variable name="c" value="AccountName=a;AccountKey={};EndpointSuffix=x" />'),
    "expression": ("policy", '<set-header name="x-k" exists-action="override"><value>@("{}" + context.Api.Id)</value></set-header>'),
    "query": ("policy", '<set-query-parameter name="code"><value>{}</value></set-query-parameter>'),
    "body": ("policy", '<set-body>{{"password":"{}"}}</set-body>'),
    "comment": ("policy", "<!-- the password is {} -->"),
    "fragment": ("/policyFragments/sealing", {"format": "rawxml", "value": '<fragment><set-header name="x-f" exists-action="override"><value>{}</value></set-header></fragment>'}),
    "named value": ("/namedValues/sealing", {"displayName": "sealing", "value": "{}", "secret": True}),
    "plain named value": ("/namedValues/sealing-plain", {"displayName": "sealing-plain", "value": "{}"}),
    "backend": ("/backends/sealing", {"url": "http://127.0.0.1:9", "protocol": "http", "credentials": {
        "authorization": {"scheme": "Basic", "parameter": "{}"}, "header": {"x-key": ["{}"]}, "query": {"code": ["{}"]}}}),
    "authorization server": ("/authorizationServers/sealing", {
        "displayName": "S", "clientRegistrationEndpoint": "http://a.example", "authorizationEndpoint": "http://a.example/?code={}", "grantTypes": ["implicit"],
        "clientId": "c", "clientSecret": "{}", "resourceOwnerPassword": "{}", "tokenEndpoint": "https://u:{}@a.example",
        "tokenBodyParameters": [{"name": "client_secret", "value": "{}"}]}),
    "identity provider": ("/identityProviders/google", {"clientId": "c", "clientSecret": "{}"}),
    "OpenID provider": ("/openidConnectProviders/sealing", {"displayName": "O", "metadataEndpoint": "http://o.example/?code={}", "clientId": "c", "clientSecret": "{}"}),
    "logger": ("/loggers/sealing", {"loggerType": "azureEventHub", "credentials": {"name": "n", "connectionString": "Endpoint=e;SharedAccessKey={}"}}),
    "monitor": ("/loggers/azuremonitor", {"loggerType": "azureMonitor", "credentials": {"key": "{}"}}),
    "cache": ("/caches/default", {"useFromLocation": "default", "connectionString": "host,password={}"}),
    "subscription": ("/subscriptions/sealing", {"displayName": "S", "scope": "/apis", "primaryKey": "{}"}),
    "user": ("/users/sealing", {"firstName": "A", "lastName": "B", "email": "sealing@x.example", "password": "{}"}),
    "operation": ("/apis/sealing/operations/get", {"displayName": "G", "method": "GET", "urlTemplate": "/", "policies": "<policies><inbound><!-- {} --></inbound></policies>"}),
}


def text(name, turn):
    return f"zq{re.sub('[^a-z]', '', name)}zq{turn}"


def filled(document, secret):
    return json.loads(json.dumps(document).replace("{}", secret))


def write(own, turn):
    """Puts everything with a secret of this turn in each place."""
    own.management("PUT", "/apis/sealing", {"properties": {"displayName": "S", "path": "sealing", "serviceUrl": "http://127.0.0.1:9"}})
    for name, (path, document) in PLACES.items():
        secret = text(name, turn)
        if path != "policy":
            done = own.management("PUT", path, {"properties": filled(document, secret)})
            assert done.status in (200, 201), (name, done.text)
            continue
        value = sections(inbound="<base />" + document.replace("{}", secret).replace("{{", "{").replace("}}", "}"))
        for scope in ("", "/products/unlimited", "/apis/sealing", "/apis/sealing/operations/get"):
            if scope.endswith("get"):
                own.management("PUT", "/apis/sealing/operations/get", {"properties": {"displayName": "G", "method": "GET", "urlTemplate": "/"}})
            base = value if scope else value.replace("<base />", "").replace("<backend></backend>", "<backend><forward-request /></backend>")
            done = own.management("PUT", f"{scope}/policies/policy", {"properties": {"format": "rawxml", "value": base}})
            if done.status == 400 and name == "basic":
                continue
            assert done.status in (200, 201), (name, scope, done.text)
            assert secret in own.management("GET", f"{scope}/policies/policy?format=rawxml").json()["properties"]["value"]
    patch = own.management("PATCH", "/portalsettings/delegation", {"properties": {
        "url": f"https://d.example/?code={text('delegation', turn)}", "validationKey": text("validation", turn)}}, {"If-Match": "*"})
    assert patch.status in (200, 204), patch.text


def leaks(folder, turns):
    """Which secrets stand in which files."""
    secrets = [text(name, turn) for name in [*PLACES, "delegation", "validation"] for turn in turns]
    found = []
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and path.parent.name != "secrets":
            content = path.read_bytes()
            found += [(path.name, secret) for secret in secrets if secret.encode() in content]
    return found


def test_no_file_holds_a_secret_that_somebody_wrote(tmp_path):
    with server() as own:
        write(own, 1)
        write(own, 2)
        assert leaks(own.data, (1, 2)) == []
        # A plain value that becomes a secret, a revision with its policies, an import that gives policies on, and what is deleted.
        change = own.management("PATCH", "/namedValues/sealing-plain", {"properties": {"secret": True}}, {"If-Match": "*"})
        assert change.status == 200, change.text
        made = own.management("PUT", "/apis/sealing;rev=2", {"properties": {"sourceApiId": "/apis/sealing"}})
        assert made.status == 201, made.text
        assert own.management("PUT", "/apis/sealing;rev=2/releases/r", {"properties": {}}).status == 201
        assert text("comment", 2) in own.management("GET", "/apis/sealing;rev=1/policies/policy").text
        own.command("export", str(tmp_path / "folder"), "--secrets", str(tmp_path / "texts.json"))
        own.management("DELETE", "/policyFragments/sealing", headers={"If-Match": "*"})
        own.command("apply", str(tmp_path / "folder"), "--secrets", str(tmp_path / "texts.json"))
        assert text("fragment", 2) in own.management("GET", "/policyFragments/sealing").text
        changes = call(own.urls["portal"], "GET", "/api/changes?since=0", None, {"Authorization": f"Bearer {own.token}"})
        assert changes.status == 200 and "zq" not in changes.text
        assert leaks(own.data, (1, 2)) == [] and "zq" not in (own.folder / "log").read_text()
        own.stop()
        assert leaks(own.data, (1, 2)) == []
        own.command("rotate-secret")
        assert leaks(own.data, (1, 2)) == []
        own.start()
        assert text("comment", 2) in own.management("GET", "/apis/sealing/policies/policy").text
        assert own.management("GET", "/authorizationServers/sealing").json()["properties"]["tokenBodyParameters"][0]["value"] == text("authorization server", 2)


def test_a_folder_of_before_is_sealed_at_the_next_start():
    with server() as own:
        write(own, 1)
        own.stop()
        # As an earlier program left it.
        base = sqlite3.connect(own.data / "configuration.sqlite")
        plain = json.dumps({"format": "rawxml", "value": f"<policies><inbound><base /><!-- {text('comment', 3)} --></inbound></policies>"})
        base.execute("UPDATE resources SET properties = ? WHERE type = 'apis/policies' AND key = '/apis/sealing/policies/policy'", (plain,))
        base.execute("DELETE FROM upkeep")
        base.commit()
        base.close()
        assert leaks(own.data, (3,))
        own.start()
        assert leaks(own.data, (1, 3)) == []
        assert text("comment", 3) in own.management("GET", "/apis/sealing/policies/policy").text


@pytest.mark.parametrize("bad", ["\r\n", "\r", "\n", "\0", "\t", "\x1b", "\x7f", "\x85", "\u2028"])
def test_a_named_value_holds_no_control_characters(live, tmp_path, bad):
    def refused(answer):
        detail = answer.json()["error"]["details"][0]
        assert answer.status == 400 and detail["target"] == "value" and "control characters" in detail["message"], answer.text

    value = f"one{bad}X-Injected: 1"
    for secret in (True, False):
        refused(live.management("PUT", "/namedValues/controls", {"properties": {"displayName": "controls", "value": value, "secret": secret}}))
    for secret in (True, False):
        good = {"displayName": "controls", "value": "one two; é", "secret": secret}
        assert live.management("PUT", "/namedValues/controls", {"properties": good}).status in (200, 201)
        refused(live.management("PATCH", "/namedValues/controls", {"properties": {"value": value}}, {"If-Match": "*"}))
        refused(live.management("PUT", "/namedValues/controls", {"properties": {**good, "value": value}}))
    if bad != "\0":
        done = subprocess.run([BINARY, "named-value", "create", "controls", "--set", f"displayName=controls", "--set", f"value={value}", "--data", str(live.data)],
                              capture_output=True, text=True)
        assert done.returncode != 0 and "control characters" in done.stderr, done.stderr
    # By a folder: as a plain value, and as a secret's text.
    folder = tmp_path / "folder"
    live.command("export", str(folder), "--secrets", str(tmp_path / "texts.json"))
    file = folder / "namedValues" / "controls.json"
    before = file.read_text()
    file.write_text(json.dumps({**json.loads(before), "value": value, "secret": False}))
    done = live.command("apply", str(folder), check=False)
    assert done.returncode != 0 and "/namedValues/controls" in done.stderr and "control characters" in done.stderr, done.stderr
    file.write_text(json.dumps({"displayName": "controls", "secret": True, "value": {"secretRef": "/namedValues/controls#value"}}))
    (tmp_path / "texts.json").write_text(json.dumps({"/namedValues/controls#value": value}))
    done = live.command("apply", str(folder), "--secrets", str(tmp_path / "texts.json"), check=False)
    assert done.returncode != 0 and "control characters" in done.stderr, done.stderr
    assert live.management("DELETE", "/namedValues/controls", headers={"If-Match": "*"}).status == 200
