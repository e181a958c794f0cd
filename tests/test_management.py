"""The ARM door, through Microsoft's own client and by hand."""
import time

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.apimanagement import ApiManagementClient

from gatehouse import call


class Credential:
    def get_token(self, *scopes, **others):
        return AccessToken("unused", int(time.time()) + 3600)


class Authorization(SansIOHTTPPolicy):
    """The client's own policy refuses plain HTTP."""

    def __init__(self, token):
        self.value = f"Bearer {token}"

    def on_request(self, request):
        request.http_request.headers["Authorization"] = self.value


@pytest.fixture
def client(live):
    names = live.guide["management"]
    sdk = ApiManagementClient(Credential(), names["subscriptionId"], base_url=live.urls["portal"],
                              authentication_policy=Authorization(live.token), polling_interval=0, retry_total=0)
    return sdk, (names["resourceGroup"], names["serviceName"])


def test_service(client):
    sdk, at = client
    service = sdk.api_management_service.get(*at)
    assert service.publisher_email == "admin@gatehouse.local" and service.sku.name == "Developer"
    assert [item.name for item in sdk.api_management_service.list()] == ["gatehouse"]
    assert [item.name for item in sdk.api_management_service.list_by_resource_group(at[0])] == ["gatehouse"]


def test_apis(client):
    sdk, at = client
    body = {"display_name": "SDK API", "path": "sdk", "protocols": ["http", "https"], "service_url": "http://127.0.0.1:9/x"}
    made = sdk.api.begin_create_or_update(*at, "sdk-api", body).result()
    assert made.display_name == "SDK API" and made.is_current and made.subscription_key_parameter_names.header
    assert made.id.endswith("/service/gatehouse/apis/sdk-api")
    with pytest.raises(HttpResponseError) as clash:
        sdk.api.begin_create_or_update(*at, "sdk-other", {**body, "display_name": "Other"}).result()
    assert clash.value.status_code == 400 and clash.value.error.details[0].target == "path"
    assert sdk.api.get_entity_tag(*at, "sdk-api")
    sdk.api.update(*at, "sdk-api", "*", {"description": "changed"})
    with pytest.raises((ResourceModifiedError, HttpResponseError)) as stale:
        sdk.api.update(*at, "sdk-api", '"AAAA"', {"description": "again"})
    assert stale.value.status_code == 412
    got = sdk.api.get(*at, "sdk-api")
    assert (got.description, got.service_url) == ("changed", "http://127.0.0.1:9/x")
    sdk.api.begin_delete(*at, "sdk-api", "*").result()
    with pytest.raises(ResourceNotFoundError) as gone:
        sdk.api.get(*at, "sdk-api")
    assert gone.value.error.code == "ResourceNotFound"


def test_operations(client):
    sdk, at = client
    sdk.api.begin_create_or_update(*at, "op-api", {"display_name": "Op", "path": "op"}).result()
    body = {"display_name": "Get", "method": "GET", "url_template": "/items/{id}",
            "template_parameters": [{"name": "id", "type": "string", "required": True}], "responses": [{"status_code": 200}]}
    assert sdk.api_operation.create_or_update(*at, "op-api", "get", body).method == "GET"
    with pytest.raises(HttpResponseError) as missing:
        sdk.api_operation.create_or_update(*at, "op-api", "bad", {**body, "template_parameters": []})
    assert "All template parameters" in missing.value.message
    assert [item.name for item in sdk.api_operation.list_by_api(*at, "op-api")] == ["get"]
    sdk.api_operation.update(*at, "op-api", "get", "*", {"description": "x"})
    assert sdk.api_operation.get_entity_tag(*at, "op-api", "get")
    sdk.api_operation.delete(*at, "op-api", "get", "*")
    assert not list(sdk.api_operation.list_by_api(*at, "op-api"))
    sdk.api.begin_delete(*at, "op-api", "*").result()


def test_products_and_their_apis(client):
    sdk, at = client
    assert {"starter", "unlimited"} <= {item.name for item in sdk.product.list_by_service(*at)}
    sdk.product.create_or_update(*at, "silver", {"display_name": "Silver", "state": "published"})
    sdk.product_api.create_or_update(*at, "silver", "azureml-demo-api")
    assert [item.display_name for item in sdk.product_api.list_by_product(*at, "silver")] == ["AzureML Demo API"]
    assert sdk.product_api.check_entity_exists(*at, "silver", "azureml-demo-api")
    sdk.product_api.delete(*at, "silver", "azureml-demo-api")
    assert not list(sdk.product_api.list_by_product(*at, "silver"))
    sdk.product.update(*at, "silver", "*", {"description": "x"})
    sdk.product.delete(*at, "silver", "*")


def test_subscriptions(client):
    sdk, at = client
    made = sdk.subscription.create_or_update(*at, "sub", {"display_name": "Sub", "scope": "/products/starter"})
    assert made.state == "submitted" and made.scope.endswith("/products/starter") and made.primary_key is None
    keys = sdk.subscription.list_secrets(*at, "sub")
    assert len(keys.primary_key) == 32
    sdk.subscription.regenerate_primary_key(*at, "sub")
    sdk.subscription.regenerate_secondary_key(*at, "sub")
    after = sdk.subscription.list_secrets(*at, "sub")
    assert after.primary_key != keys.primary_key and after.secondary_key != keys.secondary_key
    assert sdk.subscription.update(*at, "sub", "*", {"state": "active"}).state == "active"
    sdk.subscription.delete(*at, "sub", "*")


def test_lists_page_by_key(client, live):
    sdk, at = client
    for number in range(25):
        sdk.product.create_or_update(*at, f"page-{number:02}", {"display_name": f"P{number}"})
    names = [item.name for page in sdk.product.list_by_service(*at, top=7).by_page() for item in page]
    assert len(names) == len(set(names)) and {f"page-{n:02}" for n in range(25)} <= set(names)
    for number in range(25):
        sdk.product.delete(*at, f"page-{number:02}", "*")


@pytest.mark.parametrize("method,path,body,headers,status,code", [
    ("PUT", "/apis/x", {"properties": {}}, {}, 400, "ValidationError"),
    ("PUT", "/apis/x", {"properties": {"displayName": 5, "path": "x"}}, {}, 400, "ValidationError"),
    ("PUT", "/apis/x", "{broken", {}, 400, "BadRequest"),
    ("PUT", "/apis/x", [1], {}, 400, "BadRequest"),
    ("PUT", "/apis/x", {"properties": {"displayName": "x", "path": "x", "serviceUrl": "ftp://x"}}, {}, 400, "ValidationError"),
    ("PATCH", "/products/starter", {"properties": {}}, {}, 400, "MissingRequiredHeader"),
    ("DELETE", "/products/starter", None, {}, 400, "MissingRequiredHeader"),
    ("DELETE", "/products/starter", None, {"If-Match": '"x"'}, 400, "ValidationError"),
    ("PUT", "/apis/none/operations/x", {"properties": {"displayName": "x", "method": "GET", "urlTemplate": "/"}}, {}, 404, "ResourceNotFound"),
    ("PUT", "/subscriptions/x", {"properties": {"displayName": "x", "scope": "/products/none"}}, {}, 404, "ResourceNotFound"),
    ("PUT", "/subscriptions/x", {"properties": {"displayName": "x", "scope": "/strange"}}, {}, 400, "ValidationError"),
    ("GET", "/nothing/x", None, {}, 404, "ResourceNotFound"),
    ("GET", "/products?$top=0", None, {}, 400, "ValidationError"),
])
def test_refusals_name_the_rule(live, method, path, body, headers, status, code):
    answer = live.management(method, path, body, headers)
    assert (answer.status, answer.json()["error"]["code"]) == (status, code), answer.text


def test_who_may(live):
    names = live.guide["management"]
    root = f"/subscriptions/{names['subscriptionId']}/resourceGroups/{names['resourceGroup']}/providers/Microsoft.ApiManagement/service/{names['serviceName']}"
    for token in (None, "wrong", live.guide["apiKey"], (live.data / "secrets" / "workspace-token").read_text().strip()):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        assert call(live.urls["portal"], "GET", f"{root}/apis?api-version=2022-08-01", None, headers).status == 401
    assert call(live.urls["portal"], "GET", f"{root}/apis", None, {"Authorization": f"Bearer {live.token}"}).status == 400
    workspace = live.guide["workspace"]
    for path in (f"/workspaces/{workspace}/webservices", f"/workspaces/{workspace}/webservices/x", f"/api/workspaces/{workspace}/datasets",
                 f"/api/workspaces/{workspace}/experiments", "/api/installation"):
        assert call(live.urls["portal"], "GET", path).status == 401, path


def test_endpoints_of_a_service(live):
    token = (live.data / "secrets" / "workspace-token").read_text().strip()
    workspace = live.guide["workspace"]
    ask = lambda method, path, body=None, key=token: call(
        live.urls["portal"], method, f"/workspaces/{workspace}/webservices{path}", body, {"Authorization": f"Bearer {key}"})
    services = [s for s in ask("GET", "").json() if s["Name"] == "SimpleFeatureHashingExperiment"]
    path = f"/{services[0]['Id']}/endpoints"
    made = ask("PUT", f"{path}/second", {"Description": "x", "ThrottleLevel": "High", "MaxConcurrentCalls": 7}).json()
    assert made["MaxConcurrentCalls"] == 7 and len(made["PrimaryKey"]) == 88 and made["Name"] == "second"
    answer = call(made["ApiLocation"], "POST", "/execute?api-version=2.0", {"Inputs": {"input1": [{"Col2": "a"}]}},
                  {"Authorization": f"Bearer {made['SecondaryKey']}"})
    assert answer.status == 200 and "ColumnNames" not in answer.json()["Results"]["output1"]["value"]
    assert call(made["ApiLocation"], "POST", "/execute", {}, {"Authorization": f"Bearer {live.guide['apiKey']}"}).status == 401
    assert ask("GET", f"{path}/second", key=made["PrimaryKey"]).status == 200
    assert ask("DELETE", f"{path}/default").status == 409
    assert ask("PUT", f"{path}/Not-Valid", {}).status == 400
    assert ask("POST", f"{path}/second/refresh", {"OverwriteResources": "True"}).status == 304
    swagger = call(live.urls["portal"], "GET", f"/workspaces/{workspace}/webservices{path}/{made['EndpointId']}/apidocument")
    assert swagger.json()["info"]["x-endpoint-name"] == "second"
    assert ask("DELETE", f"{path}/second").status == 204
    assert call(made["ApiLocation"], "POST", "/execute", {}, {"Authorization": f"Bearer {made['PrimaryKey']}"}).status == 404
