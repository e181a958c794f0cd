"""Revisions of APIs at every door: named by number, made of a source, released, and bound to what they share with their API."""
import base64
import datetime
import hashlib
import hmac
import json
import threading
import time

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from gatehouse import call, server
from test_import import PETS, bring
from test_management import client  # noqa: F401
from test_policies import sections, upstream  # noqa: F401
from test_versions import ask, put  # noqa: F401

REFUSAL = "Can't change property for non-current revision"


def make(put, upstream, name, **properties):  # noqa: F811
    """An API in which hardly anything is as it is by default."""
    put(f"/apis/{name}", {
        "displayName": f"The {name}", "description": "All of it", "path": name, "protocols": ["http"], "subscriptionRequired": False,
        "serviceUrl": f"{upstream}/one", "termsOfServiceUrl": "http://terms.example", "contact": {"name": "Ann"}, "license": {"name": "Free"},
        "subscriptionKeyParameterNames": {"header": "X-Key", "query": "k"}, "apiRevisionDescription": "first",
        "authenticationSettings": {"oAuth2": {"authorizationServerId": "as"}}, "requestBodyBytesMax": 77, **properties})
    put(f"/apis/{name}/operations/get", {"displayName": "G", "method": "GET", "urlTemplate": "/*"})
    put(f"/apis/{name}/schemas/all", {"contentType": "application/json", "document": {"value": "{\"type\":\"string\"}"}})
    put(f"/apis/{name}/policies/policy", {"format": "rawxml", "value": sections(
        inbound='<base /><set-query-parameter name="p"><value>1</value></set-query-parameter>')})
    put(f"/apis/{name}/operations/get/policies/policy", {"format": "rawxml", "value": sections(inbound="<base />")})


def get(live, path, status=200):
    answer = live.management("GET", path)
    assert answer.status == status, answer.text
    return answer.json()


def change(live, method, path, properties, status, **more):
    answer = live.management(method, path, {"properties": properties}, {"If-Match": "*"} if method == "PATCH" else None)
    assert answer.status == status, answer.text
    return answer.json()


def test_the_first_revision_of_an_api_that_is_not_there_is_the_api(live, put, upstream, client):  # noqa: F811
    sdk, at = client
    body = {"displayName": "First", "path": "first", "protocols": ["http"], "subscriptionRequired": False, "serviceUrl": f"{upstream}/first"}
    made = put("/apis/first;rev=1", body)
    assert (made["name"], made["properties"]["isCurrent"], made["properties"]["apiRevision"]) == ("first;rev=1", True, "1")
    assert made["properties"] == get(live, "/apis/first")["properties"]
    put("/apis/first;rev=1/operations/get", {"displayName": "G", "method": "GET", "urlTemplate": "/*"})
    assert ask(live, "/first/x") == "/first/x" and ask(live, "/first;rev=1/x") == "/first/x"
    # Once more it is a change.
    put("/apis/first;rev=1", {**body, "displayName": "Renamed"}, status=200)
    assert get(live, "/apis/first")["properties"]["displayName"] == "Renamed"
    assert change(live, "PATCH", "/apis/FIRST;REV=1", {"description": "d"}, 200)["properties"]["description"] == "d"
    # Everything below it as well.
    assert [item["name"] for item in get(live, "/apis/first;rev=1/operations")["value"]] == ["get"]
    put("/apis/first;rev=1/policies/policy", {"format": "rawxml", "value": sections(inbound="<base />")})
    put("/apis/first;rev=1/operations/get/policies/policy", {"format": "rawxml", "value": sections(inbound="<base />")})
    put("/apis/first;rev=1/schemas/s", {"contentType": "application/json", "document": {"value": "{}"}})
    put("/tags/first", {"displayName": "first"})
    put("/apis/first;rev=1/tags/first", {})
    for path in ("policies/policy", "operations/get", "operations/get/policies/policy", "schemas/s", "tags/first"):
        by_number, plain = get(live, f"/apis/first;rev=1/{path}"), get(live, f"/apis/first/{path}")
        assert by_number["properties"] == plain["properties"], path
        assert live.management("HEAD", f"/apis/first;rev=1/{path}").status in (200, 204)
    assert change(live, "PATCH", "/apis/first;rev=1/operations/get", {"description": "o"}, 200)["id"].endswith("/apis/first;rev=1/operations/get")
    assert live.management("DELETE", "/apis/first;rev=1/schemas/s", headers={"If-Match": "*"}).status == 200
    assert live.management("GET", "/apis/first/schemas/s").status == 404
    # The service's own client.
    made = sdk.api.begin_create_or_update(*at, "second;rev=1", {"display_name": "S", "path": "second"}).result()
    assert made.is_current and sdk.api.get(*at, "second").api_revision == "1" and sdk.api.get(*at, "second;rev=1").display_name == "S"
    assert sdk.api.get_entity_tag(*at, "second;rev=1") and not list(sdk.api_operation.list_by_api(*at, "second;rev=1"))
    sdk.api.begin_delete(*at, "second;rev=1", "*").result()
    with pytest.raises(ResourceNotFoundError):
        sdk.api.get(*at, "second")
    # A description, and the command line.
    bring(live, "third;rev=1", PETS, "openapi", path="third")
    assert len(get(live, "/apis/third/operations?$top=1000")["value"]) == 4
    live.command("api", "create", "fourth;rev=1", "--name", "Fourth", "--path", "fourth")
    assert get(live, "/apis/fourth")["properties"]["displayName"] == "Fourth"
    for name in ("third", "fourth"):
        assert live.management("DELETE", f"/apis/{name};rev=1", headers={"If-Match": "*"}).status == 204
    # Other numbers make nothing.
    assert live.management("PUT", "/apis/none;rev=2", {"properties": body}).status == 404
    assert live.management("GET", "/apis/none;rev=1").status == 404
    assert live.management("PUT", "/apis/none;rev=1/operations/get", {"properties": {
        "displayName": "G", "method": "GET", "urlTemplate": "/"}}).status == 404


@pytest.fixture
def direct(live):
    """Calls the direct door by a key of the instance."""
    change(live, "PATCH", "/tenant/access", {"enabled": True}, 200)
    access, secrets = get(live, "/tenant/access")["properties"], live.management("POST", "/tenant/access/listSecrets", {}).json()
    expiry = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y%m%d%H%M")
    said = f"{access['principalId']}\n{expiry}".encode()
    signature = base64.b64encode(hmac.new(secrets["primaryKey"].encode(), said, hashlib.sha512).digest()).decode()
    token = f"SharedAccessSignature {access['principalId']}&{expiry}&{signature}"

    def send(method, path, body=None):
        return call(live.urls["portal"], method, f"/direct{path}?api-version=2022-08-01", body, {"Authorization": token, "If-Match": "*"} if method == "PATCH" else {"Authorization": token})

    yield send
    change(live, "PATCH", "/tenant/access", {"enabled": False}, 200)


def revise_by_arm(live, name, client, direct):  # noqa: F811
    change(live, "PUT", f"/apis/{name};rev=2", {"sourceApiId": f"/apis/{name}", "apiRevisionDescription": "second"}, 201)


def revise_by_number(live, name, client, direct):  # noqa: F811
    root = "/" + "/".join(get(live, f"/apis/{name}")["id"].split("/")[1:-2])
    change(live, "PUT", f"/apis/{name};rev=2", {"sourceApiId": f"{root}/apis/{name};rev=1", "apiRevisionDescription": "second"}, 201)


def revise_directly(live, name, client, direct):  # noqa: F811
    done = direct("PUT", f"/apis/{name};rev=2", {"sourceApiId": f"/apis/{name}", "apiRevisionDescription": "second"})
    assert done.status == 201, done.text


def revise_by_sdk(live, name, client, direct):  # noqa: F811
    sdk, at = client
    api = sdk.api.get(*at, name)
    sdk.api.begin_create_or_update(*at, f"{name};rev=2", {"properties": {
        "sourceApiId": api.id, "path": api.path, "apiRevisionDescription": "second"}}).result()


def revise_by_command(live, name, client, direct):  # noqa: F811
    live.command("api", "create", f"{name};rev=2", "--set", f"sourceApiId=/apis/{name}", "--set", "apiRevisionDescription=second")


@pytest.mark.parametrize("revise", [revise_by_arm, revise_by_number, revise_directly, revise_by_sdk, revise_by_command])
def test_a_revision_takes_everything_and_its_release_disturbs_no_call(live, put, upstream, client, direct, revise):  # noqa: F811
    name = "whole-" + revise.__name__.split("_", 1)[1].replace("_", "-")
    make(put, upstream, name)
    put("/tags/whole", {"displayName": "whole"})
    put(f"/apis/{name}/tags/whole", {})
    put(f"/apis/{name}/tagDescriptions/whole", {"description": "t"})
    put("/loggers/whole", {"loggerType": "applicationInsights", "credentials": {"instrumentationKey": "11111111-2222-3333-4444-555555555555"}})
    put(f"/apis/{name}/diagnostics/applicationinsights", {"loggerId": "/loggers/whole"})
    path = f"/{name}/x"
    assert ask(live, path) == "/one/x?p=1"
    answers, ended = [], threading.Event()

    def calls():
        while not ended.is_set():
            answers.append(call(live.urls["gateway"], "GET", path).status)

    def some_more():
        """Waits for calls that began after this, however slow the machine is."""
        wanted, end = len(answers) + 3, time.monotonic() + 60
        while len(answers) < wanted:
            assert caller.is_alive() and time.monotonic() < end, answers
            time.sleep(0.01)

    caller = threading.Thread(target=calls)
    caller.start()
    try:
        some_more()
        revise(live, name, client, direct)
        one, two = (get(live, f"/apis/{name}{end}")["properties"] for end in ("", ";rev=2"))
        own = {"apiRevision", "apiRevisionDescription", "isCurrent"}
        assert {key: value for key, value in one.items() if key not in own} == {key: value for key, value in two.items() if key not in own}
        assert (two["apiRevision"], two["isCurrent"], two["apiRevisionDescription"]) == ("2", False, "second")
        for words in ("operations", "schemas", "policies", "tags", "tagDescriptions", "diagnostics", "operations/get/policies"):
            found = [[(item["name"], item["properties"]) for item in get(live, f"/apis/{name}{end}/{words}")["value"]] for end in ("", ";rev=2")]
            assert found[0] == found[1] and found[0], words
        assert ask(live, f"/{name};rev=2/x") == "/one/x?p=1"
        change(live, "PATCH", f"/apis/{name};rev=2", {"serviceUrl": f"{upstream}/two"}, 200)
        made = change(live, "PUT", f"/apis/{name};rev=2/releases/r", {"notes": "better"}, 201)
        assert made["properties"]["apiId"].endswith(f"/apis/{name};rev=2")
        assert ask(live, path) == "/two/x?p=1" and ask(live, f"/{name};rev=1/x") == "/one/x?p=1"
        some_more()
    finally:
        ended.set()
        caller.join()
    assert set(answers) == {200}
    assert get(live, f"/apis/{name}")["properties"]["apiRevision"] == "2" and get(live, f"/apis/{name};rev=2")["properties"]["isCurrent"]
    # A PUT of the API without a number keeps the one that it has.
    change(live, "PUT", f"/apis/{name}", {key: one[key] for key in ("displayName", "path", "protocols", "subscriptionRequired", "serviceUrl", "description")}, 200)
    assert get(live, f"/apis/{name}")["properties"]["apiRevision"] == "2"
    # Back again, by a release of the same name.
    change(live, "PUT", f"/apis/{name};rev=1/releases/r", {}, 200)
    assert ask(live, path) == "/one/x?p=1" and get(live, f"/apis/{name};rev=1")["properties"]["isCurrent"]


def test_releases_and_places_are_those_of_the_api(live, put, upstream, client):  # noqa: F811
    sdk, at = client
    make(put, upstream, "places")
    change(live, "PUT", "/apis/places;rev=2", {"sourceApiId": "/apis/places"}, 201)
    change(live, "PUT", "/apis/places;rev=3", {"sourceApiId": "/apis/places;rev=2"}, 201)
    other = change(live, "PUT", "/apis/places;rev=2/releases/r", {"apiId": "/apis/places;rev=3"}, 400)
    assert other["error"]["details"][0]["target"] == "apiId"
    sdk.api_release.create_or_update(*at, "places;rev=2", "r", {"api_id": "/apis/places;rev=2", "notes": "two"})
    assert sdk.api_release.get(*at, "places", "r").notes == "two" and sdk.api.get(*at, "places").api_revision == "2"
    for end in ("", ";rev=1", ";rev=2", ";rev=3"):
        assert [item.name for item in sdk.api_release.list_by_service(*at, "places" + end)] == ["r"]
        assert sdk.api_release.get_entity_tag(*at, "places" + end, "r")
        found = [(item.api_revision, item.is_current) for item in sdk.api_revision.list_by_service(*at, "places" + end)]
        assert sorted(found) == [("1", False), ("2", True), ("3", False)]
    put("/products/places", {"displayName": "P", "subscriptionRequired": True})
    put("/products/places/apis/places;rev=3", {})
    assert [item["name"] for item in get(live, "/products/places/apis")["value"]] == ["places"]
    assert [item["name"] for item in get(live, "/apis/places;rev=3/products")["value"]] == ["places"]
    assert live.management("HEAD", "/products/places/apis/places;rev=2").status == 204
    # Who means one revision does not lose them all.
    refused = live.management("DELETE", "/apis/places;rev=2", headers={"If-Match": "*"})
    assert refused.status == 409 and "current" in refused.text
    assert live.management("DELETE", "/apis/places;rev=3", headers={"If-Match": "*"}).status == 204
    assert get(live, "/apis/places")["properties"]["apiRevision"] == "2" and live.management("GET", "/apis/places;rev=3").status == 404
    taken = change(live, "PATCH", "/apis/places", {"apiRevision": "1"}, 400)
    assert taken["error"]["details"][0]["target"] == "apiRevision"
    assert live.management("DELETE", "/apis/places;rev=2?deleteRevisions=true", headers={"If-Match": "*"}).status == 204
    assert live.management("GET", "/apis/places;rev=1").status == 404


SHARED = {"displayName": "Other", "description": "Other", "type": "soap", "subscriptionRequired": True, "apiVersion": "v9",
          "apiVersionSetId": "/apiVersionSets/bound-other", "apiVersionDescription": "Other", "path": "elsewhere", "protocols": ["http", "https"]}


@pytest.fixture
def bound(live, put, upstream):  # noqa: F811
    for name in ("bound", "bound-other"):
        put(f"/apiVersionSets/{name}", {"displayName": name, "versioningScheme": "Segment"})
    make(put, upstream, "bound", apiVersion="v1", apiVersionSetId="/apiVersionSets/bound", apiVersionDescription="One")
    change(live, "PUT", "/apis/bound;rev=2", {"sourceApiId": "/apis/bound"}, 201)


def refused(answer, *names):
    document = answer.json()["error"]
    assert answer.status == 400 and document["code"] == "ValidationError" and REFUSAL in document["message"], answer.text
    assert [detail["target"] for detail in document["details"]] == list(names)
    assert all(REFUSAL in detail["message"] and detail["target"] in detail["message"] for detail in document["details"])


def test_a_revision_cannot_change_what_it_shares(live, bound, direct, client):  # noqa: F811
    sdk, at = client
    stored = get(live, "/apis/bound;rev=2")["properties"]
    for name, value in SHARED.items():
        refused(live.management("PATCH", "/apis/bound;rev=2", {"properties": {name: value}}, {"If-Match": "*"}), name)
        refused(live.management("PUT", "/apis/bound;rev=2", {"properties": {**stored, name: value}}), name)
        refused(live.management("PUT", "/apis/bound;rev=3", {"properties": {"sourceApiId": "/apis/bound", name: value}}), name)
        flat = {"name" if name == "displayName" else name: value}
        refused(direct("PATCH", "/apis/bound;rev=2", flat), name)
    refused(live.management("PATCH", "/apis/bound;rev=2", {"properties": {"description": None}}, {"If-Match": "*"}), "description")
    with pytest.raises(HttpResponseError) as error:
        sdk.api.update(*at, "bound;rev=2", "*", {"path": "elsewhere"})
    assert REFUSAL in error.value.message
    done = live.command("api", "update", "bound;rev=2", "--path", "elsewhere", check=False)
    assert done.returncode != 0 and REFUSAL in done.stderr and "path" in done.stderr
    # The same again, however it is written, is no change; what is left out stays.
    same = {**stored, "path": "/bound/", "protocols": ["http"], "apiVersionSetId": "/apiVersionSets/BOUND"}
    change(live, "PUT", "/apis/bound;rev=2", same, 200)
    change(live, "PUT", "/apis/bound;rev=2", {"serviceUrl": stored["serviceUrl"], "apiRevisionDescription": "x"}, 200)
    change(live, "PATCH", "/apis/bound;rev=2", {name: stored[name] for name in SHARED}, 200)
    change(live, "PUT", "/apis/bound;rev=2", {"sourceApiId": "/apis/bound", "apiRevisionDescription": "again"}, 200)
    after = get(live, "/apis/bound;rev=2")["properties"]
    assert {name: after[name] for name in SHARED} == {name: stored[name] for name in SHARED} and after["serviceUrl"] == stored["serviceUrl"]
    # A revision that is made without a source is reached at its API's address all the same.
    refused(live.management("PUT", "/apis/bound;rev=4", {"properties": {"displayName": "B", "path": "elsewhere"}}), "path")
    made = change(live, "PUT", "/apis/bound;rev=4", {"serviceUrl": stored["serviceUrl"]}, 201)["properties"]
    assert {name: made[name] for name in SHARED} == {name: stored[name] for name in SHARED}


def test_what_the_current_one_changes_holds_for_all(live, put, bound, upstream):  # noqa: F811
    change(live, "PATCH", "/apis/bound", {"path": "moved", "displayName": "Moved", "subscriptionRequired": True}, 200)
    found = get(live, "/apis/bound;rev=2")["properties"]
    assert (found["path"], found["displayName"], found["subscriptionRequired"]) == ("moved", "Moved", True)
    change(live, "PATCH", "/apis/bound", {"subscriptionRequired": False}, 200)
    assert ask(live, "/moved/v1;rev=2/x") == "/one/x?p=1" and ask(live, "/moved/v1/x") == "/one/x?p=1"
    change(live, "PUT", "/apis/bound;rev=2/releases/moved", {}, 201)
    assert ask(live, "/moved/v1/x") == "/one/x?p=1"


def test_imports_onto_revisions(live, put):  # noqa: F811
    bring(live, "brought", PETS, "openapi", path="brought", protocols=["http"], subscriptionRequired=False)
    bring(live, "brought;rev=2", PETS.replace("/pets/{id}", "/pets/{id}/more"), "openapi", path="brought")
    made = get(live, "/apis/brought;rev=2")["properties"]
    assert (made["protocols"], made["subscriptionRequired"], made["displayName"]) == (["http"], False, "Pets")
    again = {"properties": {"path": "brought", "format": "openapi", "value": PETS}}
    assert live.management("PUT", "/apis/brought;rev=2", again).status == 200
    for text, name in ((PETS.replace("title: Pets", "title: Dogs"), "displayName"), (PETS.replace("All pets", "All dogs"), "description")):
        refused(live.management("PUT", "/apis/brought;rev=2", {"properties": {**again["properties"], "value": text}}), name)
        # What the body says counts more than what the description says.
        assert live.management("PUT", "/apis/brought;rev=2", {"properties": {
            **again["properties"], "value": text, name: made[name]}}).status == 200
    refused(live.management("PUT", "/apis/brought;rev=2", {"properties": {**again["properties"], "path": "dogs"}}), "path")
    refused(live.management("PUT", "/apis/brought;rev=2", {"properties": {**again["properties"], "protocols": ["https"]}}), "protocols")
    # A copy of a source with the operations of a description: those of the same id keep their policies.
    put("/apis/brought/operations/listpets/policies/policy", {"format": "rawxml", "value": sections(inbound="<base />")})
    bring(live, "brought;rev=3", PETS.replace("  /pets/{id}:", "  /other/{id}:"), "openapi", path="brought", sourceApiId="/apis/brought")
    templates = sorted(item["properties"]["urlTemplate"] for item in get(live, "/apis/brought;rev=3/operations?$top=1000")["value"])
    assert templates == ["/other/{id}", "/other/{id}", "/pets", "/pets?kind={kind}"]
    assert get(live, "/apis/brought;rev=3/operations/listpets/policies/policy")
    assert live.management("DELETE", "/apis/brought", headers={"If-Match": "*"}).status == 204


def test_an_import_leaves_how_a_revision_is_reached(live, put, upstream):  # noqa: F811
    make(put, upstream, "reached")
    kept = ("serviceUrl", "protocols", "subscriptionRequired", "subscriptionKeyParameterNames", "authenticationSettings", "requestBodyBytesMax")
    change(live, "PUT", "/apis/reached;rev=2", {"sourceApiId": "/apis/reached"}, 201)
    source = get(live, "/apis/reached;rev=2")["properties"]
    document = {"openapi": "3.0.1", "info": {"title": source["displayName"], "description": "All of it", "version": "2"},
                "servers": [{"url": "https://elsewhere.example/v2"}],
                "paths": {"/y": {"get": {"operationId": "y", "responses": {"200": {"description": "Y"}}}}}}
    said = {"path": "reached", "format": "openapi+json", "value": json.dumps(document)}
    found = change(live, "PUT", "/apis/reached;rev=2", said, 200)["properties"]
    assert {name: found[name] for name in kept} == {name: source[name] for name in kept}
    assert [item["name"] for item in get(live, "/apis/reached;rev=2/operations")["value"]] == ["y"]
    change(live, "PUT", "/apis/reached/releases/r", {"apiId": "/apis/reached;rev=2"}, 201)
    assert ask(live, "/reached/y") == "/one/y?p=1"
    # The body counts more.
    found = change(live, "PUT", "/apis/reached", {**said, "serviceUrl": f"{upstream}/two"}, 200)["properties"]
    assert found["serviceUrl"].endswith("/two") and found["subscriptionKeyParameterNames"] == source["subscriptionKeyParameterNames"]


def test_a_source_of_another_service_is_none(live, put, upstream):  # noqa: F811
    make(put, upstream, "owned")
    own = get(live, "/apis/owned")["id"]
    change(live, "PUT", "/apis/owned;rev=2", {"sourceApiId": own}, 201)
    for part in own.split("/")[2], own.split("/")[4], own.split("/")[8]:
        answer = change(live, "PUT", "/apis/owned;rev=3", {"sourceApiId": own.replace(f"/{part}/", "/other/")}, 400)
        detail, = answer["error"]["details"]
        assert detail["target"] == "sourceApiId" and "another service" in detail["message"]


def test_a_number_means_one_revision_while_releases_run(live, put, upstream):  # noqa: F811
    make(put, upstream, "swapped")
    change(live, "PUT", "/apis/swapped;rev=2", {"sourceApiId": "/apis/swapped"}, 201)
    scope = lambda number: f"/apis/swapped;rev={number}/policies/policy"
    document = lambda number, index: json.dumps({"properties": {"format": "rawxml", "value": sections(
        inbound=f'<base /><set-header name="Of"><value>{number}</value><value>{index}</value></set-header>')}})
    for number in (1, 2):
        put(scope(number), json.loads(document(number, 0))["properties"], status=200)
    ended, wrong = threading.Event(), []

    def work(number):
        index = 0
        while not ended.is_set():
            index += 1
            answers = [live.management("PUT", scope(number), document(number, index)), live.management("GET", f"/apis/swapped;rev={number}/operations/get"),
                       live.management("GET", scope(number) + "?format=rawxml")]
            if any(answer.status != 200 for answer in answers) or f"<value>{number}</value>" not in answers[2].json()["properties"]["value"]:
                wrong.append((number, [(answer.status, answer.text) for answer in answers]))

    workers = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 1, 2)]
    for worker in workers:
        worker.start()
    try:
        for index in range(30):
            answer = live.management("PUT", f"/apis/swapped;rev={2 - index % 2}/releases/r", {"properties": {}})
            assert answer.status in (200, 201), answer.text
    finally:
        ended.set()
        for worker in workers:
            worker.join()
    assert not wrong, wrong[0]
    for number in (1, 2):
        assert f"<value>{number}</value>" in get(live, scope(number) + "?format=rawxml")["properties"]["value"]


def test_revisions_in_folders(tmp_path):
    with server() as own:
        folder = tmp_path / "folder"
        put = lambda path, properties: change(own, "PUT", path, properties, 201)
        put("/apis/kept", {"displayName": "Kept", "path": "kept", "protocols": ["http"], "subscriptionRequired": False, "serviceUrl": "http://127.0.0.1:9/1"})
        put("/apis/kept/operations/get", {"displayName": "G", "method": "GET", "urlTemplate": "/"})
        put("/apis/kept;rev=2", {"sourceApiId": "/apis/kept"})
        own.command("export", str(folder))
        revision = folder / "apis" / "kept;rev=2.json"
        revision = next(path for path in (folder / "apis").glob("kept*rev*2.json"))
        before = revision.read_text()
        for name, value in (("path", "else"), ("displayName", "Else"), ("protocols", ["https"]), ("subscriptionRequired", True)):
            revision.write_text(json.dumps({**json.loads(before), name: value}))
            done = own.command("apply", str(folder), check=False)
            assert done.returncode != 0 and REFUSAL in done.stderr and name in done.stderr, done.stderr
        revision.write_text(json.dumps({**json.loads(before), "serviceUrl": "http://127.0.0.1:9/2"}))
        assert "(serviceUrl)" in own.command("apply", str(folder)).stdout
        # The current one alone moved: the folder's revision is not what it would become.
        api = folder / "apis" / "kept.json"
        kept = api.read_text()
        api.write_text(json.dumps({**json.loads(kept), "path": "moved"}))
        assert own.command("apply", str(folder), check=False).returncode != 0
        revision.write_text(json.dumps({**json.loads(revision.read_text()), "path": "moved"}))
        own.command("apply", str(folder))
        assert get(own, "/apis/kept;rev=2")["properties"]["path"] == "moved"
        assert "No differences" in own.command("apply", str(folder)).stdout
        # The current one by its number, there and in an instance that has it not.
        (folder / "apis" / "kept").rename(folder / "apis" / "kept;rev=1")
        api.rename(folder / "apis" / "kept;rev=1.json")
        assert "No differences" in own.command("apply", str(folder)).stdout
        with server() as other:
            other.command("apply", str(folder))
            assert get(other, "/apis/kept")["properties"]["isCurrent"] and get(other, "/apis/kept/operations/get")
        # A release elsewhere comes in as a whole.
        change(own, "PUT", "/apis/kept;rev=2/releases/r", {}, 201)
        own.command("export", str(tmp_path / "released"))
        with server() as other:
            other.command("apply", str(folder))
            other.command("apply", str(tmp_path / "released"))
            assert get(other, "/apis/kept")["properties"]["serviceUrl"] == "http://127.0.0.1:9/2"
            assert get(other, "/apis/kept;rev=1")["properties"]["serviceUrl"] == "http://127.0.0.1:9/1"
