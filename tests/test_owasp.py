"""The lines of the OWASP API Security Top 10 that the management and gateway doors can answer (docs/threat-model.md)."""
import json

import pytest

from gatehouse import call, server


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        fresh.demo()
        yield fresh


def put(own, path, properties, status=(200, 201)):
    answer = own.management("PUT", path, json.dumps({"properties": properties}))
    assert answer.status in status, answer.text
    return answer.json() if answer.text else None


def echo(own, key):
    return call(own.urls["gateway"], "GET", "/echo/resource", None, {"Ocp-Apim-Subscription-Key": key})


def subscription(own, name, **properties):
    put(own, f"/subscriptions/{name}", {"scope": "/products/unlimited", "displayName": name, "state": "active", "primaryKey": f"key-{name}",
                                        **properties})
    return f"key-{name}"


def test_keys_open_their_own_scope(own):
    put(own, "/apis/other", {"displayName": "Other", "path": "other", "protocols": ["http"]})
    put(own, "/apis/other/operations/get", {"displayName": "G", "method": "GET", "urlTemplate": "/resource"})
    assert echo(own, subscription(own, "all", scope="/apis")).status == 200
    assert echo(own, subscription(own, "of-echo", scope="/apis/echo-api")).status == 200
    assert echo(own, subscription(own, "of-other", scope="/apis/other")).status == 401
    put(own, "/products/empty", {"displayName": "Empty", "state": "published"})
    assert echo(own, subscription(own, "of-empty", scope="/products/empty")).status == 401


def test_no_door_without_a_token(own):
    names = own.demo_names
    root = (f"/subscriptions/{names['subscriptionId']}/resourceGroups/{names['resourceGroup']}"
            f"/providers/Microsoft.ApiManagement/service/{names['serviceName']}")
    key = own.management("POST", "/subscriptions/master/listSecrets").json()["primaryKey"]
    workspace = (own.data / "secrets" / "workspace-token").read_text().strip()
    for method, path in (("GET", f"{root}/apis"), ("PUT", f"{root}/tags/x"), ("DELETE", f"{root}/apis/echo-api"), ("GET", root),
                         ("POST", f"{root}/subscriptions/master/listSecrets"), ("GET", "/api/changes"), ("GET", "/api/types"),
                         ("GET", "/direct/apis"), ("GET", "/subscriptions/x"), ("GET", "/api/installation")):
        for token in (None, "", "wrong", key, workspace, own.token[:-1], own.token + "0"):
            fields = {} if token is None else {"Authorization": f"Bearer {token}"}
            answer = call(own.urls["portal"], method, f"{path}?api-version=2022-08-01", None, fields)
            assert answer.status == 401, (method, path, token, answer.text)
    assert own.management("GET", "/apis/echo-api").status == 200


def test_regenerated_keys_are_dead_at_once(own):
    before = subscription(own, "renewed")
    for _ in range(20):
        assert echo(own, before).status == 200
        assert own.management("POST", "/subscriptions/renewed/regeneratePrimaryKey").status == 204
        assert echo(own, before).status == 401
        before = own.management("POST", "/subscriptions/renewed/listSecrets").json()["primaryKey"]


def test_bodies_cannot_set_what_is_read_only(own):
    made = put(own, "/users/mallory", {"email": "m@example.com", "firstName": "M", "lastName": "M", "registrationDate": "2001-01-01T00:00:00Z",
                                       "isAdministrator": True, "groups": ["administrators"]})
    assert made["properties"]["registrationDate"] > "2026" and "isAdministrator" not in made["properties"]
    groups = own.management("GET", "/users/mallory/groups").json()["value"]
    assert [item["name"] for item in groups] == ["developers"]
    assert own.management("PUT", "/groups/administrators/users/mallory", "{}").status == 400
    made = put(own, "/groups/mine", {"displayName": "Mine", "builtIn": True})
    assert "builtIn" not in made["properties"]
    assert own.management("PUT", "/groups/mine", json.dumps({"properties": {"displayName": "Mine", "type": "system"}})).status == 400


def test_secrets_are_not_in_lists(own):
    secret = "s3cret-of-the-test"
    put(own, "/namedValues/hidden", {"displayName": "hidden", "value": secret, "secret": True})
    put(own, "/caches/default", {"connectionString": secret, "useFromLocation": "default"})
    put(own, "/loggers/hub", {"loggerType": "applicationInsights", "credentials": {"instrumentationKey": secret}})
    put(own, "/openidConnectProviders/oidc", {"displayName": "o", "metadataEndpoint": "https://a.example/m", "clientId": "c", "clientSecret": secret})
    put(own, "/identityProviders/google", {"clientId": "c", "clientSecret": secret})
    put(own, "/portalsettings/delegation", {"validationKey": secret})
    key = subscription(own, "shown")
    for path in ("namedValues", "caches", "loggers", "openidConnectProviders", "identityProviders", "portalsettings", "subscriptions", "tenant",
                 "gateways", "users", "certificates"):
        told = own.management("GET", f"/{path}?$top=1000").text
        assert secret not in told and key not in told, path
        for item in json.loads(told)["value"]:
            shown = own.management("GET", f"/{path}/{item['name']}").text
            assert secret not in shown and key not in shown, (path, item["name"])
    for path in own.data.glob("*.sqlite*"):
        assert secret.encode() not in path.read_bytes(), path
    assert secret not in (own.folder / "log").read_text()


def test_bounds_of_management(own):
    assert own.management("PUT", "/tags/big", json.dumps({"properties": {"displayName": "x" * (5 << 20)}})).status == 413
    assert own.management("PUT", "/tags/deep", '{"properties":' * 5000 + "1" + "}" * 5000).status == 400
    assert own.management("GET", "/subscriptions?$top=100000").status == 400
    assert own.management("GET", "/subscriptions?$skip=99999999999999999999").status == 400
    assert own.management("GET", "/subscriptions?$filter=" + "(" * 3000 + "a").status == 400
    assert own.management("PUT", "/tags/" + "n" * 200, '{"properties":{"displayName":"n"}}').status == 400
    assert own.management("GET", "/apis").status == 200


def test_requested_subscriptions_open_nothing(own):
    key = subscription(own, "asked", state="submitted")
    for state in ("submitted", "rejected", "suspended", "cancelled", "expired"):
        changed = own.management("PATCH", "/subscriptions/asked", json.dumps({"properties": {"state": state}}), {"If-Match": "*"})
        assert changed.status == 200 and echo(own, key).status == 401, state
    own.management("PATCH", "/subscriptions/asked", json.dumps({"properties": {"state": "active"}}), {"If-Match": "*"})
    assert echo(own, key).status == 200


def test_links_lead_nowhere_inside(own):
    for address in (own.urls["portal"] + "/api/installation", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "http://[::1]/"):
        answer = own.management("PUT", "/apis/echo-api/policies/policy", json.dumps({"properties": {"format": "xml-link", "value": address}}))
        assert answer.status == 400 and "root:" not in answer.text, (address, answer.text)


def test_errors_tell_nothing_of_the_inside(own):
    answers = [own.management("GET", "/nothing"), own.management("GET", "/apis/%00"), own.management("PATCH", "/apis", "{}"),
               own.management("PUT", "/tags/x", "{"), own.management("PUT", "/tags/x", "[]"), own.management("PUT", "/tags/x", '{"properties":1}'),
               own.management("POST", "/apis/echo-api/explode"), own.management("DELETE", "/service", None, {"If-Match": "*"}),
               own.management("PUT", "/apis/echo-api/operations/x/policies/other", "{}")]
    for answer in answers:
        assert 400 <= answer.status < 500, (answer.status, answer.text)
        said = answer.json()["error"]
        assert said["code"] and said["message"]
        for word in (".swift", "sqlite", "SELECT", str(own.data), "fatal"):
            assert word not in answer.text, answer.text


def test_the_life_of_a_subscription(own):
    """Limits of a product for each user, ends in time, renewal; a race for the last place has one winner."""
    import concurrent.futures
    import datetime
    import time
    put(own, "/users/limited", {"email": "limited@example.com", "firstName": "L", "lastName": "L"})
    body = lambda **more: json.dumps({"properties": {"scope": "/products/starter", "displayName": "L", "ownerId": "/users/Limited", **more}})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda n: own.management("PUT", f"/subscriptions/limited-{n}", body()).status, range(8)))
    assert sorted(statuses) == [201] + [400] * 7
    winner = f"/subscriptions/limited-{statuses.index(201)}"
    refused = own.management("PUT", "/subscriptions/limited-more", body())
    assert refused.json()["error"]["details"][0]["target"] == "subscriptionsLimit"
    # Others are not counted, and one that has ended makes room.
    put(own, "/subscriptions/limited-standalone", {"scope": "/products/starter", "displayName": "S"})
    patch = lambda path, **properties: own.management("PATCH", path, json.dumps({"properties": properties}), {"If-Match": "*"})
    cancelled = patch(winner, state="cancelled").json()["properties"]
    assert cancelled["endDate"] >= cancelled["createdDate"]
    assert own.management("PUT", "/subscriptions/limited-more", body()).status == 201
    assert patch(winner, state="active").status == 400
    assert [item["name"] for item in own.management("GET", "/users/limited/subscriptions?$filter=state%20ne%20'cancelled'").json()["value"]] == ["limited-more"]
    # The end comes by itself, and a renewal undoes it.
    key = subscription(own, "short", scope="/apis", expirationDate=(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)).isoformat())
    assert echo(own, key).status == 200
    end = time.time() + 25
    while echo(own, key).status == 200 and time.time() < end:
        time.sleep(0.3)
    shown = own.management("GET", "/subscriptions/short").json()["properties"]
    assert (shown["state"], echo(own, key).status) == ("expired", 401) and shown["endDate"]
    renewed = patch("/subscriptions/short", state="active", expirationDate="2999-01-01T00:00:00Z")
    assert renewed.status == 200 and "endDate" not in renewed.json()["properties"] and echo(own, key).status == 200
    assert own.management("PUT", "/subscriptions/short", json.dumps({"properties": {"scope": "/apis", "displayName": "S", "expirationDate": "soon"}})).status == 400


@pytest.mark.parametrize("name", ["..%2F..%2Fetc", "a%2Foperations%2Fb", "a%0Ab", "%2F", "a%7F"])
def test_names_cannot_make_other_ids(own, name):
    """A name that holds a slash would be the id of something elsewhere."""
    for path, properties in ((f"/namedValues/{name}", {"displayName": "x", "value": "v"}), (f"/apis/{name}", {"displayName": "x", "path": "odd"}),
                             (f"/subscriptions/{name}", {"displayName": "x", "scope": "/apis"}), (f"/tags/{name}", {"displayName": "x"})):
        answer = own.management("PUT", path, {"properties": properties})
        assert answer.status == 400 and answer.json()["error"]["details"][0]["target"] == "name", (path, answer.text)
