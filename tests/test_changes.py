"""Lists, races, the record of changes, the direct API, and commands of declared types."""
import base64
import concurrent.futures
import datetime
import hashlib
import hmac
import http.client
import json
import threading
import urllib.parse

import pytest

from gatehouse import DEEP, call, server

# Of each client.
WRITES = 1250 if DEEP else 250


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        fresh.demo()
        yield fresh


class Client:
    """One kept-alive connection to the portal door."""

    def __init__(self, live):
        parts = urllib.parse.urlsplit(live.urls["portal"])
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        names = live.demo_names if isinstance(live.demo_names, dict) else live.demo_names()
        self.root = ("/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.ApiManagement/service/"
                     "{serviceName}").format(**names)
        self.headers = {"Authorization": f"Bearer {live.token}", "Content-Type": "application/json"}

    def __call__(self, method, path, body=None, **headers):
        address = path if path.startswith("/api/") else f"{self.root}{path}{'&' if '?' in path else '?'}api-version=2022-08-01"
        self.connection.request(method, address, None if body is None else json.dumps(body), {**self.headers, **headers})
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None, answer.headers


def test_every_change_is_followed_once_and_in_order(own):
    """Writes by 8 clients while a reader follows: 2,000, and 10,000 in scripts/check-deep."""
    reader = Client(own)
    start = reader("GET", "/api/changes?since=0&limit=1000")[1]["last"]
    while (page := reader("GET", f"/api/changes?since={start}")[1])["value"]:
        start = page["last"]
    seen, ended = [], threading.Event()

    def follow():
        last = start
        while True:
            isOver = ended.is_set()
            page = reader("GET", f"/api/changes?since={last}")[1]
            seen.extend(page["value"])
            last = page["last"]
            if isOver and not page["value"]:
                return

    def write(worker):
        client = Client(own)
        wrote = []
        for number in range(WRITES):
            # Every fourth write is a deletion of what was made last.
            name = f"feed-{worker}-{number // 2 % 50}"
            if number % 4 == 3:
                status, _, _ = client("DELETE", f"/tags/{name}", **{"If-Match": "*"})
                assert status == 200, status
                wrote.append((f"/tags/{name}", "delete"))
            else:
                status, _, _ = client("PUT", f"/tags/{name}", {"properties": {"displayName": f"{name}-{number}"}})
                assert status in (200, 201), status
                wrote.append((f"/tags/{name}", "put"))
        return wrote

    follower = threading.Thread(target=follow)
    follower.start()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        wrote = list(pool.map(write, range(8)))
    ended.set()
    follower.join(60)
    assert [item["sequence"] for item in seen] == sorted({item["sequence"] for item in seen}), "twice, or out of order"
    for worker, expected in enumerate(wrote):
        assert [(item["id"], item["action"]) for item in seen if item["id"].startswith(f"/tags/feed-{worker}-")] == expected
    assert len(seen) == 8 * WRITES and {item["actor"] for item in seen} == {"management token"}


def test_an_etag_race_has_one_winner(own):
    clients = [Client(own) for _ in range(4)]
    clients[0]("PUT", "/tags/raced", {"properties": {"displayName": "0"}})
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for round in range(1000):
            etag = clients[0]("GET", "/tags/raced")[2]["ETag"]
            statuses = list(pool.map(
                lambda place: clients[place]("PUT", "/tags/raced", {"properties": {"displayName": f"{round}-{place}"}}, **{"If-Match": etag})[0],
                range(4)))
            assert sorted(statuses) == [200, 412, 412, 412], (round, statuses)


def test_filters_and_orders(own):
    client = Client(own)
    for number in range(12):
        assert client("PUT", f"/groups/f-{number:02}", {"properties": {
            "displayName": f"It's {'Even' if number % 2 == 0 else 'odd'} {number:02}", "description": "x" * number}})[0] == 201

    def names(filter, more=""):
        status, page, _ = client("GET", f"/groups?$filter={urllib.parse.quote(filter)}{more}")
        assert status == 200, page
        return [item["name"] for item in page["value"]], page

    assert names("displayName eq 'It''s even 04'")[0] == ["f-04"]
    assert len(names("contains(displayName,'EVEN')")[0]) == 6
    assert names("substringof('odd 11', displayName)")[0] == ["f-11"]
    assert len(names("startswith(name,'f-') and not endswith(displayName,'0')")[0]) == 10
    assert names("(name eq 'f-01' or name eq 'F-02') and properties/description ne 'x'")[0] == ["f-02"]
    assert names("builtIn eq true")[1]["count"] == 3
    assert len(names("type eq 'custom'", "&$top=5")[0]) == 5
    ordered, page = names("startswith(name,'f-')", "&$orderby=description%20desc&$top=5")
    assert ordered == ["f-11", "f-10", "f-09", "f-08", "f-07"] and page["count"] == 12
    # The next page goes on where this one ended, with the same filter and order.
    following = page["nextLink"].split("/service/gatehouse", 1)[1].replace("&api-version=2022-08-01", "")
    status, more, _ = client("GET", following)
    assert [item["name"] for item in more["value"]] == ["f-06", "f-05", "f-04", "f-03", "f-02"]
    for wrong, said in (("colour eq 'red'", "colour"), ("name eq", "value"), ("name eq 'x", "closed"), ("shout(name,'x')", "shout"),
                        ("(" * 40 + "name eq 'x'", "levels"), ("name eq 'x' or", "field"), ("name between 1", "eq, ne")):
        status, error, _ = client("GET", f"/groups?$filter={urllib.parse.quote(wrong)}")
        assert status == 400 and said in json.dumps(error), (wrong, error)
    for query in ("$top=0", "$top=1001", "$skip=-1", "$orderby=shoe", "$orderby=name%20up", "$skiptoken=AAAA"):
        assert client("GET", f"/groups?{query}")[0] == 400, query


def test_merge_patch(own):
    client = Client(own)
    body = {"properties": {"locationData": {"name": "a", "city": "b"}, "description": "d"}}
    client("PUT", "/gateways/merged", body)
    status, changed, _ = client("PATCH", "/gateways/merged", {"properties": {"locationData": {"city": None, "district": "c"}}}, **{"If-Match": "*"})
    assert status == 200 and changed["properties"] == {"locationData": {"name": "a", "district": "c"}, "description": "d"}
    assert client("PATCH", "/gateways/merged", {"properties": {}})[0] == 400, "If-Match is needed"


def signature(identifier, key, days=1, legacy=False):
    expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    time = expires.strftime("%Y-%m-%dT%H:%M:%S.0000000Z") if legacy else expires.strftime("%Y%m%d%H%M")
    sign = base64.b64encode(hmac.new(key.encode(), f"{identifier}\n{time}".encode(), hashlib.sha512).digest()).decode()
    return f"uid={identifier}&ex={time}&sn={sign}" if legacy else f"{identifier}&{time}&{sign}"


def test_the_direct_api(own):
    client = Client(own)

    def direct(method, path, body=None, token=None, **headers):
        signed = {} if token is None else {"Authorization": f"SharedAccessSignature {token}"}
        return call(own.urls["portal"], method, f"/direct{path}{'&' if '?' in path else '?'}api-version=2017-03-01",
                    None if body is None else json.dumps(body), {**signed, **headers, "Content-Type": "application/json"})

    client("PATCH", "/tenant/access", {"properties": {"enabled": True}}, **{"If-Match": "*"})
    keys = client("POST", "/tenant/access/listSecrets")[1]
    name, key = keys["principalId"], keys["primaryKey"]
    for token in (signature(name, key), signature(name, keys["secondaryKey"]), signature(name, key, legacy=True)):
        assert direct("GET", "/apis", token=token).status == 200
    for token in (None, signature(name, "other"), signature("somebody", key), signature(name, key, days=-1), "a&b", f"{name}&209912312359&"):
        assert direct("GET", "/apis", token=token).status == 401, token
    assert call(own.urls["portal"], "GET", "/direct/apis?api-version=2017-03-01", None, {"Authorization": f"Bearer {own.token}"}).status == 401
    good = signature(name, key)
    echo = direct("GET", "/apis/echo-api", token=good).json()
    assert (echo["id"], echo["name"], echo["path"]) == ("/apis/echo-api", "Echo API", "echo") and "properties" not in echo
    made = direct("PUT", "/products/flat", {"name": "Flat", "subscriptionRequired": True}, good)
    assert made.status == 201 and made.json()["name"] == "Flat"
    assert {item["id"] for item in direct("GET", "/products", token=good).json()["value"]} == {"/products/flat", "/products/starter", "/products/unlimited"}
    made = direct("PUT", "/subscriptions/flat", {"name": "F", "userId": "/users/1", "productId": "/products/flat", "state": "active"}, good)
    assert made.status == 201, made.text
    assert (made.json()["userId"], made.json()["productId"]) == ("/users/1", "/products/flat")
    assert direct("PUT", "/properties/flat", {"name": "flat", "value": "v"}, good).json()["id"] == "/properties/flat"
    assert direct("PATCH", "/products/flat", {"description": "d"}, good, **{"If-Match": "*"}).json()["description"] == "d"
    assert direct("DELETE", "/products/flat?deleteSubscriptions=true", token=good, **{"If-Match": "*"}).status == 200
    assert direct("GET", "/apis?$top=1", token=good).json()["nextLink"].startswith(own.urls["portal"] + "/direct/apis?")
    actors, last = {}, 0
    while (page := client("GET", f"/api/changes?since={last}")[1])["value"]:
        last = page["last"]
        actors.update({item["id"]: item["actor"] for item in page["value"]})
    assert actors["/products/flat"] == f"direct API: {name}" and actors["/tenant/access"] == "management token"
    client("PATCH", "/tenant/access", {"properties": {"enabled": False}}, **{"If-Match": "*"})
    assert direct("GET", "/apis", token=good).status == 401


def test_every_door_says_who_changed_something(own):
    workspace = (own.data / "secrets" / "workspace-token").read_text().strip()
    place = f"/api/workspaces/{own.demo()['workspace']}/datasets"
    for token, actor in ((workspace, "workspace token"), (own.token, "management token")):
        last = 0
        name = f"of-{actor.split()[0]}"
        made = call(own.urls["portal"], "POST", f"{place}?name={name}&dataTypeId=GenericCSV", "a,b\n1,2\n",
                    {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"})
        assert made.status in (200, 201), made.text
        changes = []
        while (page := call(own.urls["portal"], "GET", f"/api/changes?since={last}", None, {"Authorization": f"Bearer {own.token}"}).json())["value"]:
            changes, last = changes + page["value"], page["last"]
        assert changes[-1]["actor"] == actor and "/datasets/" in changes[-1]["id"].lower(), changes[-3:]


def test_commands_of_declared_types(own, tmp_path):
    def run(*words, **others):
        return own.command(*words, **others).stdout

    listed = run("resource")
    for noun in ("tag", "group", "api-issue-comment", "identity-provider", "portal-setting", "api-version-set", "tenant-access"):
        assert f"\n{noun} " in listed, noun
    assert "--display-name text (needed)" in run("tag")
    assert run("tag", "create", "of-command", "--display-name", "Of a command") == "tag of-command\n"
    assert "Of a command" in run("tag", "list") and "Of a command" in run("tag", "list", "--filter", "name eq 'of-command'")
    run("tag", "update", "of-command", "--display-name", "Changed")
    assert json.loads(run("tag", "show", "of-command"))["properties"]["displayName"] == "Changed"
    run("api-tag", "create", "of-command", "--api", "echo-api")
    assert "of-command" in run("api-tag", "list", "--api", "echo-api")
    run("tag", "delete", "of-command")
    assert "of-command" not in run("api-tag", "list", "--api", "echo-api")
    run("openid-connect-provider", "create", "oidc", "--display-name", "O", "--metadata-endpoint", "https://a.example/m",
        "--client-id", "c", "--client-secret", "s3cret")
    assert json.loads(run("openid-connect-provider", "list-secrets", "oidc"))["clientSecret"] == "s3cret"
    text = tmp_path / "text"
    text.write_text("line\n")
    run("group", "create", "g", "--set", "displayName=G", "--description", f"@{text}")
    assert json.loads(run("group", "show", "g"))["properties"]["description"] == "line\n"
    for words, said in ((("nothing",), "no command and no type"), (("tag", "fly", "x"), "it has list"), (("tag", "create", "x", "--wings", "2"), "--wings"),
                        (("api-tag", "list"), "--api"), (("tag", "create", "x"), "displayName"), (("tag", "show"), "ID")):
        failed = own.command(*words, check=False)
        assert failed.returncode != 0 and said in failed.stderr, (words, failed.stderr)
    changes = json.loads(run("audit", "--json"))
    assert len(changes) == 1000 and "management token" in run("audit", "--since", str(changes[-1]["sequence"]), "--limit", "5")


def test_patches_at_once_lose_nothing(own):
    """Patches of any version, each of another property: all of them are there at the end."""
    clients = [Client(own) for _ in range(8)]
    fields = ["city", "district", "countryOrRegion"]
    for round in range(25):
        clients[0]("PUT", "/gateways/patched", {"properties": {"locationData": {"name": "n"}}})
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(
                lambda place: clients[place]("PATCH", "/gateways/patched", {"properties": {"locationData": {fields[place]: str(round)}}},
                                             **{"If-Match": "*"})[0], range(3)))
        assert statuses == [200] * 3
        assert clients[0]("GET", "/gateways/patched")[1]["properties"]["locationData"] == {"name": "n", **{field: str(round) for field in fields}}


def test_keys_made_anew_at_once(own):
    """Nobody named a version: none of those at once is refused for another's change, and none ends another's token."""
    clients = [Client(own) for _ in range(8)]
    clients[0]("PUT", "/users/hasty", {"properties": {"firstName": "H", "lastName": "Y", "email": "hasty@example.test"}})
    clients[0]("PUT", "/subscriptions/hasty", {"properties": {"displayName": "Hasty", "scope": "/apis", "state": "active"}})
    tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    expiry = {"properties": {"keyType": "secondary", "expiry": tomorrow.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda client: client("POST", "/users/hasty/token", expiry), clients))
        statuses = list(pool.map(lambda place: [clients[place](
            "POST", f"/subscriptions/hasty/regenerate{('Primary', 'Secondary')[place % 2]}Key")[0] for _ in range(10)], range(8)))
    assert statuses == [[204] * 10] * 8
    assert [status for status, *_ in tokens] == [200] * 8 and len({answer["value"] for _, answer, *_ in tokens}) == 1
