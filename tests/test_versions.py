"""Revisions and versions of APIs at the gateway (contracts/api-management.md 1.3, 2.2)."""
import pytest
from azure.core.exceptions import HttpResponseError

from gatehouse import call
from test_gateway import NOT_FOUND
from test_management import client  # noqa: F401
from test_policies import sections, upstream  # noqa: F401


@pytest.fixture
def put(live):
    made = []

    def put(path, properties, status=201):
        done = live.management("PUT", path, {"properties": properties})
        assert done.status == status, done.text
        made.append(path)
        return done.json()

    yield put
    for path in reversed(made):
        live.management("DELETE", path, headers={"If-Match": "*"})


def api(put, upstream, name, path, **properties):  # noqa: F811
    put(f"/apis/{name}", {"displayName": name, "path": path, "protocols": ["http"], "subscriptionRequired": False,
                          "serviceUrl": f"{upstream}/{name.replace(';', '-')}", **properties})
    put(f"/apis/{name}/operations/get", {"displayName": "G", "method": "GET", "urlTemplate": "/*"})


def ask(live, path, **headers):
    answer = call(live.urls["gateway"], "GET", path, None, headers)
    return answer.json()["path"] if answer.status == 200 else (answer.status, answer.text)


def test_revisions(live, put, upstream, client):  # noqa: F811
    sdk, at = client
    api(put, upstream, "many", "many")
    api(put, upstream, "many;rev=2", "many")
    assert ask(live, "/many/x?q=1") == "/many/x?q=1"
    assert ask(live, "/many;rev=2/x?q=1") == "/many-rev=2/x?q=1"
    assert ask(live, "/many;rev=1/x") == "/many/x" and ask(live, "/many;rev=3/x") == (404, NOT_FOUND)
    found = sdk.api.get(*at, "many;rev=2")
    assert (found.api_revision, found.is_current, found.name) == ("2", False, "many;rev=2")
    # A revision has its own policies and operations, and its API's keys.
    put("/apis/many;rev=2/policies/policy", {"format": "rawxml", "value": sections(
        inbound='<base /><set-query-parameter name="r"><value>@(context.Api.Revision + context.Api.IsCurrentRevision)</value></set-query-parameter>')})
    assert ask(live, "/many;rev=2/x") == "/many-rev=2/x?r=2False" and ask(live, "/many/x") == "/many/x"
    for name in ("none;rev=2", "many;rev=x", "many;rev=01", "many;other=2"):
        refused = live.management("PUT", f"/apis/{name}", {"properties": {"displayName": "n", "path": "n"}})
        assert refused.status in (400, 404), refused.text
    assert live.management("DELETE", "/apis/many", headers={"If-Match": "*"}).status == 204
    assert live.management("GET", "/apis/many;rev=2").status == 404 and ask(live, "/many;rev=2/x") == (404, NOT_FOUND)


def test_versions(live, put, upstream, client):  # noqa: F811
    sdk, at = client
    made = sdk.api_version_set.create_or_update(*at, "by-query", {
        "display_name": "By query", "versioning_scheme": "Query", "version_query_name": "v"})
    assert made.versioning_scheme == "Query"
    with pytest.raises(HttpResponseError) as refused:
        sdk.api_version_set.create_or_update(*at, "by-none", {"display_name": "N", "versioning_scheme": "Header"})
    assert refused.value.error.details[0].target == "versionHeaderName"
    put("/apiVersionSets/by-header", {"displayName": "H", "versioningScheme": "Header", "versionHeaderName": "X-Version"})
    put("/apiVersionSets/by-segment", {"displayName": "S", "versioningScheme": "Segment"})
    api(put, upstream, "original", "shop")
    api(put, upstream, "shop-1", "shop", apiVersion="v1", apiVersionSetId=made.id)
    api(put, upstream, "shop-2", "shop", apiVersion="v2", apiVersionSetId="/apiVersionSets/by-query")
    api(put, upstream, "head-1", "head", apiVersion="1", apiVersionSetId="/apiVersionSets/by-header")
    api(put, upstream, "seg-1", "seg", apiVersion="v1", apiVersionSetId="/apiVersionSets/by-segment")
    clash = live.management("PUT", "/apis/shop-3", {"properties": {
        "displayName": "n", "path": "shop", "apiVersion": "V2", "apiVersionSetId": "/apiVersionSets/by-query"}})
    assert clash.status == 400 and clash.json()["error"]["details"][0]["target"] == "path"
    for wrong in ({"apiVersion": "v1"}, {"apiVersionSetId": "/apiVersionSets/by-query"},
                  {"apiVersion": "a/b", "apiVersionSetId": "/apiVersionSets/by-query"}):
        done = live.management("PUT", "/apis/wrong", {"properties": {"displayName": "n", "path": "wrong", **wrong}})
        assert done.status == 400, done.text
    assert ask(live, "/shop/x") == "/original/x"
    assert ask(live, "/shop/x?v=v1&y=2") == "/shop-1/x?v=v1&y=2" and ask(live, "/shop/x?V=V2") == "/shop-2/x?V=V2"
    assert ask(live, "/shop/x?v=v3") == (404, NOT_FOUND)
    for _ in range(2):
        assert ask(live, "/head/x", **{"X-Version": "1"}) == "/head-1/x"
        assert ask(live, "/head/x") == (404, NOT_FOUND) and ask(live, "/head/x", **{"x-version": "2"}) == (404, NOT_FOUND)
    assert ask(live, "/seg/v1/x") == "/seg-1/x" and ask(live, "/seg/x") == (404, NOT_FOUND)
    # The scheme of a set may change: its APIs follow.
    put("/apiVersionSets/by-query", {"displayName": "Q", "versioningScheme": "Query", "versionQueryName": "version"}, status=200)
    assert ask(live, "/shop/x?version=v2") == "/shop-2/x?version=v2" and ask(live, "/shop/x?v=v2") == "/original/x?v=v2"
    with pytest.raises(HttpResponseError):
        sdk.api_version_set.delete(*at, "by-query", "*")
