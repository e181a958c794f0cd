"""Every type of the control plane through Microsoft's own client: create, read, page, change, race, delete, and what a wrong body gets."""
import base64
import datetime
import time
import urllib.parse

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.apimanagement import ApiManagementClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from gatehouse import call, server
from test_management import Authorization, Credential

CALLED = set()


class Watching:
    """Notes which methods of which operation groups were called and ended well."""

    def __init__(self, sdk):
        self.sdk = sdk

    def __getattr__(self, group):
        operations = getattr(self.sdk, group)

        class Group:
            def __getattr__(self, name):
                method = getattr(operations, name)

                def run(*arguments, **named):
                    answer = method(*arguments, **named)
                    if name.startswith("begin_"):
                        answer = answer.result()
                    elif hasattr(answer, "by_page"):
                        answer = list(answer)
                    CALLED.add(f"{type(operations).__name__}.{name}")
                    return answer
                return run
        return Group()


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        names = fresh.demo()["management"]
        sdk = ApiManagementClient(Credential(), names["subscriptionId"], base_url=fresh.urls["portal"],
                                  authentication_policy=Authorization(fresh.token), polling_interval=0, retry_total=0)
        yield fresh, Watching(sdk), (names["resourceGroup"], names["serviceName"])


@pytest.fixture
def sdk(own):
    return own[1], own[2]


def wrong(body, run, field):
    """The error names the property and the rule that it broke."""
    with pytest.raises(HttpResponseError) as refused:
        run(body)
    assert refused.value.status_code == 400, refused.value
    assert refused.value.error.code == "ValidationError"
    assert field in [item.target for item in refused.value.error.details], refused.value
    assert all(item.message for item in refused.value.error.details)


def refused(status, field, run):
    with pytest.raises(HttpResponseError) as error:
        run()
    assert error.value.status_code == status, error.value
    assert field is None or field in [item.target for item in error.value.error.details], error.value


def life(client, at, group, bodies, change, bad, parents=(), list_name="list_by_service", make="create_or_update",
         update="update", unconditional=False, secret=None, attributes=None):
    """The whole life of resources of a type."""
    operations = getattr(client, group)
    place = (*at, *parents)
    field, value = attributes
    for name, body in bodies.items():
        made = getattr(operations, make)(*place, name, body)
        assert made.name == name and made.id.endswith("/" + name)
        if secret:
            assert getattr(made, secret, None) in (None, ""), "a secret was shown"
    names = {item.name for item in getattr(operations, list_name)(*place)}
    assert set(bodies) <= names
    first = next(iter(bodies))
    try:
        paged = getattr(operations, list_name)(*place, top=1)
        assert {item.name for item in paged} == names, "pages of one"
    except TypeError:
        pass
    assert operations.get_entity_tag(*place, first)
    got = operations.get(*place, first)
    assert got.name == first
    if change is not None:
        with pytest.raises(HttpResponseError) as raced:
            getattr(operations, update)(*place, first, '"AAAA"', change)
        assert raced.value.status_code == 412
        getattr(operations, update)(*place, first, "*", change)
        assert getattr(operations.get(*place, first), field) == value
    wrong(bad[0], lambda body: getattr(operations, make)(*place, "bad-one", body), bad[1])
    with pytest.raises(HttpResponseError) as stale:
        operations.delete(*place, first, '"AAAA"')
    assert stale.value.status_code == 412
    for name in bodies:
        operations.delete(*place, name, "*")
    with pytest.raises(ResourceNotFoundError):
        operations.get(*place, first)
    with pytest.raises(ResourceNotFoundError):
        operations.get_entity_tag(*place, first)


def test_a_fresh_instance(own):
    live, client, at = own
    assert {item.name for item in client.group.list_by_service(*at)} == {"administrators", "developers", "guests"}
    assert {item.name for item in client.user_group.list(*at, "1")} == {"administrators", "developers"}
    products = {item.name: item for item in client.product.list_by_service(*at)}
    assert set(products) == {"starter", "unlimited"} and products["unlimited"].approval_required
    for product in products:
        assert {item.name for item in client.product_group.list_by_product(*at, product)} == {"administrators", "developers", "guests"}
        assert "echo-api" in {item.name for item in client.product_api.list_by_product(*at, product)}
    echo = client.api.get(*at, "echo-api")
    assert (echo.path, sorted(echo.protocols)) == ("echo", ["http", "https"])
    assert {item.name for item in client.api_operation.list_by_api(*at, "echo-api")} == {
        "create-resource", "modify-resource", "remove-resource", "retrieve-header-only", "retrieve-resource",
        "retrieve-resource-cached"}
    assert len(list(client.notification.list_by_service(*at).value if hasattr(client.notification.list_by_service(*at), "value")
                    else client.notification.list_by_service(*at))) == 7
    assert len(client.email_template.list_by_service(*at)) == 14
    assert client.sign_up_settings.get(*at).enabled and not client.sign_in_settings.get(*at).enabled
    key = {"Ocp-Apim-Subscription-Key": client.subscription.list_secrets(*at, "master").primary_key}
    posted = call(live.urls["gateway"], "POST", "/echo/resource", b'{"a":1}', {**key, "Content-Type": "application/json"})
    assert (posted.status, posted.text, posted.headers["Content-Type"]) == (200, '{"a":1}', "application/json")
    head = call(live.urls["gateway"], "HEAD", "/echo/resource", None, key)
    assert head.status == 200 and head.headers["X-My-Sample"] == "This is a sample"
    assert call(live.urls["gateway"], "GET", "/echo/resource-cached?param1=sample", None, key).status == 200
    assert call(live.urls["gateway"], "PATCH", "/echo/resource", None, key).status == 404
    assert call(live.urls["gateway"], "GET", "/echo/resource", None, {}).status == 401


def test_the_service(own):
    live, client, at = own
    assert client.api_management_service.get(*at).name == at[1]
    changed = client.api_management_service.begin_update(*at, {"publisher_name": "Somebody", "tags": {"team": "a"}})
    assert (changed.publisher_name, changed.tags) == ("Somebody", {"team": "a"})
    whole = {"location": "Local", "sku": {"name": "Developer", "capacity": 1}, "publisher_name": "Else", "publisher_email": "else@example.com"}
    assert client.api_management_service.begin_create_or_update(*at, whole).publisher_email == "else@example.com"
    with pytest.raises(HttpResponseError) as other:
        client.api_management_service.begin_create_or_update(at[0], "another", whole)
    assert other.value.status_code == 409
    assert not client.api_management_service.check_name_availability({"name": "another"}).name_available
    assert [item.name for item in client.api_management_service.list()] == [at[1]]
    assert [item.name for item in client.api_management_service.list_by_resource_group(at[0])] == [at[1]]
    assert client.region.list_by_service(*at)[0].is_master_region
    assert client.api_management_service_skus.list_available_service_skus(*at)[0].sku.name == "Developer"
    assert client.network_status.list_by_service(*at)[0].location == "Local"
    assert client.network_status.list_by_location(*at, "Local").connectivity_status == []
    assert any(item.name == "rate-limit" for item in client.policy_description.list_by_service(*at).value)
    assert client.tenant_settings.get(*at, "public").settings
    assert client.tenant_settings.list_by_service(*at)
    assert client.all_policies.list_by_service(*at)


def test_groups(sdk):
    client, at = sdk
    life(client, at, "group", {f"group-{n}": {"display_name": f"Group {n}", "description": "d"} for n in range(3)},
         {"description": "changed"}, ({"display_name": "x" * 301}, "displayName"), attributes=("description", "changed"))
    client.group.create_or_update(*at, "team", {"display_name": "Team"})
    client.user.create_or_update(*at, "lee", {"email": "lee@example.com", "first_name": "L", "last_name": "Ee"})
    assert client.group_user.create(*at, "team", "lee").email == "lee@example.com"
    assert client.group_user.check_entity_exists(*at, "team", "lee")
    assert [item.name for item in client.group_user.list(*at, "team")] == ["lee"]
    assert {item.name for item in client.user_group.list(*at, "lee")} == {"developers", "team"}
    client.product_group.create_or_update(*at, "starter", "team")
    assert client.product_group.check_entity_exists(*at, "starter", "team")
    client.product_group.delete(*at, "starter", "team")
    with pytest.raises(HttpResponseError):
        client.group_user.create(*at, "administrators", "lee")
    with pytest.raises(HttpResponseError):
        client.group.delete(*at, "guests", "*")
    with pytest.raises(HttpResponseError):
        client.group.update(*at, "guests", "*", {"description": "mine"})
    client.group_user.delete(*at, "team", "lee")
    assert client.group_user.list(*at, "team") == []
    client.group_user.create(*at, "team", "lee")
    client.user.begin_delete(*at, "lee", "*")
    assert client.group_user.list(*at, "team") == []
    client.group.delete(*at, "team", "*")


def test_users(sdk):
    client, at = sdk
    ann = {"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "password": "correct horse"}
    client.user.create_or_update(*at, "ann", ann)
    client.user.update(*at, "ann", "*", {"note": "n"})
    assert client.user.get_entity_tag(*at, "ann") and client.user.get(*at, "ann").note == "n"
    assert "ann" in {item.name for item in client.user.list_by_service(*at, filter="firstName eq 'Ann'")}
    assert client.user_identities.list(*at, "ann")[0].id == "ann@example.com"
    ahead = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    token = client.user.get_shared_access_token(*at, "ann", {"key_type": "primary", "expiry": ahead}).value
    assert token.startswith("ann&" + ahead.strftime("%Y%m%d%H%M") + "&")
    with pytest.raises(HttpResponseError):
        client.user.get_shared_access_token(*at, "ann", {"key_type": "primary", "expiry": ahead + datetime.timedelta(days=40)})
    assert "/signin-sso?token=" in client.user.generate_sso_url(*at, "ann").value
    client.subscription.create_or_update(*at, "anns", {"scope": "/products/starter", "display_name": "Ann's", "owner_id": "/users/ann"})
    assert [item.name for item in client.user_subscription.list(*at, "ann")] == ["anns"]
    assert client.user_subscription.get(*at, "ann", "anns").display_name == "Ann's"
    with pytest.raises(ResourceNotFoundError):
        client.user_subscription.get(*at, "ann", "master")
    assert "anns" in {item.name for item in client.product_subscriptions.list(*at, "starter")}
    client.user.begin_delete(*at, "ann", "*", delete_subscriptions=True)
    with pytest.raises(ResourceNotFoundError):
        client.subscription.get(*at, "anns")


def test_products(sdk):
    client, at = sdk
    for n in range(3):
        client.product.create_or_update(*at, f"product-{n}", {"display_name": f"Product {n}", "state": "published", "terms": "t"})
    assert client.product.get(*at, "product-0").subscription_required
    assert {item.name for item in client.product.list_by_service(*at, filter="contains(displayName,'product')", top=1)} == {
        "product-0", "product-1", "product-2"}
    client.product.update(*at, "product-0", "*", {"description": "changed"})
    assert client.product.get_entity_tag(*at, "product-0")
    assert client.product.get(*at, "product-0").description == "changed"
    client.product_api.create_or_update(*at, "product-0", "echo-api")
    assert client.product_api.check_entity_exists(*at, "product-0", "echo-api")
    assert "product-0" in {item.name for item in client.api_product.list_by_apis(*at, "echo-api")}
    client.product_api.delete(*at, "product-0", "echo-api")
    policy = {"value": "<policies><inbound><base /></inbound></policies>", "format": "xml"}
    client.product_policy.create_or_update(*at, "product-0", "policy", policy)
    assert client.product_policy.get(*at, "product-0", "policy").value
    assert client.product_policy.get_entity_tag(*at, "product-0", "policy")
    client.product_policy.list_by_product(*at, "product-0")
    client.product_policy.delete(*at, "product-0", "policy", "*")
    wrong({"display_name": "x", "state": "lost"}, lambda body: client.product.create_or_update(*at, "bad", body), "state")
    for n in range(3):
        client.product.delete(*at, f"product-{n}", "*")


def test_subscriptions(sdk):
    client, at = sdk
    for n in range(3):
        client.subscription.create_or_update(*at, f"sub-{n}", {"scope": "/apis", "display_name": f"Sub {n}"})
    assert client.subscription.get(*at, "sub-0").state == "submitted"
    assert client.subscription.update(*at, "sub-0", "*", {"state": "active"}).start_date
    before = client.subscription.list_secrets(*at, "sub-0")
    client.subscription.regenerate_primary_key(*at, "sub-0")
    client.subscription.regenerate_secondary_key(*at, "sub-0")
    after = client.subscription.list_secrets(*at, "sub-0")
    assert before.primary_key != after.primary_key and before.secondary_key != after.secondary_key
    assert client.subscription.get(*at, "sub-0").primary_key is None
    assert client.subscription.get_entity_tag(*at, "sub-0")
    listed = client.subscription.list(*at, filter="startswith(name,'sub-') and state eq 'submitted'", top=1)
    assert [item.name for item in listed] == ["sub-1", "sub-2"]
    for n in range(3):
        client.subscription.delete(*at, f"sub-{n}", "*")


def test_apis(sdk):
    client, at = sdk
    body = {"display_name": "Books", "path": "books", "protocols": ["http"], "service_url": "http://127.0.0.1:9/"}
    client.api.begin_create_or_update(*at, "books", body)
    assert client.api.get_entity_tag(*at, "books")
    client.api.update(*at, "books", "*", {"description": "d"})
    assert client.api.get(*at, "books").description == "d"
    assert "books" in {item.name for item in client.api.list_by_service(*at, filter="path eq 'books'")}
    operation = {"display_name": "Get", "method": "GET", "url_template": "/{id}", "template_parameters": [{"name": "id", "type": "string", "required": True}]}
    client.api_operation.create_or_update(*at, "books", "get", operation)
    client.api_operation.update(*at, "books", "get", "*", {"description": "one"})
    assert client.api_operation.get(*at, "books", "get").description == "one"
    assert client.api_operation.get_entity_tag(*at, "books", "get")
    wrong({**operation, "template_parameters": []}, lambda b: client.api_operation.create_or_update(*at, "books", "bad", b), "templateParameters")
    policy = {"value": "<policies><inbound><base /></inbound></policies>", "format": "rawxml"}
    client.api_policy.create_or_update(*at, "books", "policy", policy)
    assert client.api_policy.get(*at, "books", "policy").value and client.api_policy.get_entity_tag(*at, "books", "policy")
    client.api_policy.list_by_api(*at, "books")
    client.api_operation_policy.create_or_update(*at, "books", "get", "policy", policy)
    assert client.api_operation_policy.get(*at, "books", "get", "policy").value
    assert client.api_operation_policy.get_entity_tag(*at, "books", "get", "policy")
    client.api_operation_policy.list_by_operation(*at, "books", "get")
    kind = "application/vnd.oai.openapi.components+json"
    client.api_schema.begin_create_or_update(*at, "books", "all", {"content_type": kind, "components": {"schemas": {"B": {"type": "string"}}}})
    assert client.api_schema.get(*at, "books", "all").content_type == kind and client.api_schema.get_entity_tag(*at, "books", "all")
    assert [item.name for item in client.api_schema.list_by_api(*at, "books")] == ["all"]
    # A revision is made of the API as it is, changed by itself, and released.
    client.api.begin_create_or_update(*at, "books;rev=2", {**body, "source_api_id": "/apis/books", "api_revision_description": "two"})
    assert [item.name for item in client.api_operation.list_by_api(*at, "books;rev=2")] == ["get"]
    client.api_operation.create_or_update(*at, "books;rev=2", "list", {"display_name": "List", "method": "GET", "url_template": "/"})
    assert [item.name for item in client.api_operation.list_by_api(*at, "books")] == ["get"]
    revisions = client.api_revision.list_by_service(*at, "books")
    assert [(item.api_revision, item.is_current) for item in revisions] == [("1", True), ("2", False)]
    client.api_release.create_or_update(*at, "books", "second", {"api_id": "/apis/books;rev=2", "notes": "two"})
    assert {item.name for item in client.api_operation.list_by_api(*at, "books")} == {"get", "list"}
    assert client.api.get(*at, "books").api_revision == "2"
    assert {item.name for item in client.api_operation.list_by_api(*at, "books;rev=1")} == {"get"}
    assert client.api_operation_policy.get(*at, "books", "get", "policy").value
    client.api_release.update(*at, "books", "second", "*", {"notes": "changed"})
    assert client.api_release.get(*at, "books", "second").notes == "changed" and client.api_release.get_entity_tag(*at, "books", "second")
    assert [item.name for item in client.api_release.list_by_service(*at, "books")] == ["second"]
    client.api_release.delete(*at, "books", "second", "*")
    client.api_operation_policy.delete(*at, "books", "get", "policy", "*")
    client.api_policy.delete(*at, "books", "policy", "*")
    client.api_schema.delete(*at, "books", "all", "*")
    client.api_operation.delete(*at, "books", "get", "*")
    client.api.begin_delete(*at, "books", "*", delete_revisions=True)
    with pytest.raises(ResourceNotFoundError):
        client.api.get(*at, "books;rev=1")


def test_version_sets(sdk):
    client, at = sdk
    life(client, at, "api_version_set", {f"set-{n}": {"display_name": f"Set {n}", "versioning_scheme": "Segment"} for n in range(3)},
         {"description": "changed"}, ({"display_name": "x", "versioning_scheme": "Query"}, "versionQueryName"),
         attributes=("description", "changed"))


def test_tags(sdk):
    client, at = sdk
    for name in ("red", "blue", "green"):
        client.tag.create_or_update(*at, name, {"display_name": name.title()})
    assert client.tag.get_entity_state(*at, "red") and client.tag.get(*at, "red").display_name == "Red"
    assert {item.name for item in client.tag.list_by_service(*at, top=1)} == {"red", "blue", "green"}
    client.tag.update(*at, "red", "*", {"display_name": "Crimson"})
    client.tag.assign_to_api(*at, "echo-api", "red")
    client.tag.assign_to_operation(*at, "echo-api", "create-resource", "blue")
    client.tag.assign_to_product(*at, "starter", "green")
    assert client.tag.get_by_api(*at, "echo-api", "red").display_name == "Crimson"
    assert client.tag.get_entity_state_by_api(*at, "echo-api", "red")
    assert client.tag.get_by_operation(*at, "echo-api", "create-resource", "blue").display_name == "Blue"
    assert client.tag.get_entity_state_by_operation(*at, "echo-api", "create-resource", "blue")
    assert client.tag.get_by_product(*at, "starter", "green").display_name == "Green"
    assert client.tag.get_entity_state_by_product(*at, "starter", "green")
    assert [item.name for item in client.tag.list_by_api(*at, "echo-api")] == ["red"]
    assert [item.name for item in client.tag.list_by_operation(*at, "echo-api", "create-resource")] == ["blue"]
    assert [item.name for item in client.tag.list_by_product(*at, "starter")] == ["green"]
    assert [item.tag.name for item in client.api.list_by_tags(*at)] == ["Crimson"]
    assert [item.tag.name for item in client.product.list_by_tags(*at)] == ["Green"]
    assert [item.tag.name for item in client.operation.list_by_tags(*at, "echo-api")] == ["Blue"]
    assert len(client.tag_resource.list_by_service(*at)) == 3
    client.api_tag_description.create_or_update(*at, "echo-api", "red", {"description": "what it means"})
    assert client.api_tag_description.get(*at, "echo-api", "red").description == "what it means"
    assert client.api_tag_description.get_entity_tag(*at, "echo-api", "red")
    assert len(client.api_tag_description.list_by_service(*at, "echo-api")) == 1
    client.api_tag_description.delete(*at, "echo-api", "red", "*")
    client.tag.detach_from_operation(*at, "echo-api", "create-resource", "blue")
    client.tag.detach_from_product(*at, "starter", "green")
    client.tag.detach_from_api(*at, "echo-api", "red")
    wrong({"display_name": "Crimson"}, lambda body: client.tag.create_or_update(*at, "other", body), "displayName")
    client.tag.assign_to_api(*at, "echo-api", "blue")
    for name in ("red", "blue", "green"):
        client.tag.delete(*at, name, "*")
    assert client.tag.list_by_api(*at, "echo-api") == []


def test_issues(sdk):
    client, at = sdk
    body = {"title": "It fails", "description": "always", "user_id": "/users/1"}
    client.api_issue.create_or_update(*at, "echo-api", "first", body)
    client.api_issue.update(*at, "echo-api", "first", "*", {"state": "open"})
    assert client.api_issue.get(*at, "echo-api", "first").state == "open" and client.api_issue.get_entity_tag(*at, "echo-api", "first")
    assert len(client.api_issue.list_by_service(*at, "echo-api", filter="state eq 'open'")) == 1
    client.api_issue_comment.create_or_update(*at, "echo-api", "first", "c", {"text": "why?", "user_id": "/users/1"})
    assert client.api_issue_comment.get(*at, "echo-api", "first", "c").text == "why?"
    assert client.api_issue_comment.get_entity_tag(*at, "echo-api", "first", "c")
    assert len(client.api_issue_comment.list_by_service(*at, "echo-api", "first")) == 1
    picture = {"title": "picture", "content_format": "image/png", "content": base64.b64encode(b"png").decode()}
    client.api_issue_attachment.create_or_update(*at, "echo-api", "first", "a", picture)
    assert client.api_issue_attachment.get(*at, "echo-api", "first", "a").title == "picture"
    assert client.api_issue_attachment.get_entity_tag(*at, "echo-api", "first", "a")
    assert len(client.api_issue_attachment.list_by_service(*at, "echo-api", "first")) == 1
    wrong({**picture, "content": "not base64!"}, lambda b: client.api_issue_attachment.create_or_update(*at, "echo-api", "first", "b", b), "content")
    assert [item.name for item in client.issue.list_by_service(*at)] == ["first"]
    assert client.issue.get(*at, "first").title == "It fails"
    client.api_issue_comment.delete(*at, "echo-api", "first", "c", "*")
    client.api_issue_attachment.delete(*at, "echo-api", "first", "a", "*")
    client.api_issue.delete(*at, "echo-api", "first", "*")


def test_named_values(sdk):
    client, at = sdk
    for n in range(3):
        client.named_value.begin_create_or_update(*at, f"value-{n}", {"display_name": f"value-{n}", "value": "v", "secret": n == 0})
    assert client.named_value.get(*at, "value-0").value is None
    assert client.named_value.list_value(*at, "value-0").value == "v"
    client.named_value.begin_update(*at, "value-1", "*", {"value": "w"})
    assert client.named_value.get(*at, "value-1").value == "w" and client.named_value.get_entity_tag(*at, "value-1")
    assert len(client.named_value.list_by_service(*at, top=2, filter="startswith(displayName,'value-')")) == 3
    for n in range(3):
        client.named_value.delete(*at, f"value-{n}", "*")


def test_backends(sdk):
    client, at = sdk
    life(client, at, "backend", {f"backend-{n}": {"url": f"http://127.0.0.1:{9 + n}", "protocol": "http"} for n in range(3)},
         {"description": "changed"}, ({"url": "nowhere", "protocol": "http"}, "url"), attributes=("description", "changed"))
    client.backend.create_or_update(*at, "again", {"url": "http://127.0.0.1:9", "protocol": "http"})
    client.backend.reconnect(*at, "again")
    client.backend.delete(*at, "again", "*")


def identity(name="client"):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256()))
    data = pkcs12.serialize_key_and_certificates(b"client", key, certificate, None, serialization.BestAvailableEncryption(b"secret"))
    return certificate, base64.b64encode(data).decode()


def test_certificates(own):
    live, client, at = own
    certificate, data = identity()
    made = client.certificate.create_or_update(*at, "client", {"data": data, "password": "secret"})
    assert made.subject == "CN=client" and made.thumbprint == certificate.fingerprint(hashes.SHA1()).hex().upper()
    assert abs((made.expiration_date - certificate.not_valid_after_utc).total_seconds()) < 2
    assert client.certificate.get(*at, "client").thumbprint == made.thumbprint and client.certificate.get_entity_tag(*at, "client")
    wrong({"data": data, "password": "wrong"}, lambda body: client.certificate.create_or_update(*at, "other", body), "data")
    wrong({"data": "AAAA"}, lambda body: client.certificate.create_or_update(*at, "other", body), "data")
    der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    assert client.certificate.create_or_update(*at, "public", {"data": der}).thumbprint == made.thumbprint
    assert {item.name for item in client.certificate.list_by_service(*at, top=1)} == {"client", "public"}
    client.backend.create_or_update(*at, "mutual", {"url": "https://127.0.0.1:9", "protocol": "http",
                                                   "credentials": {"certificate_ids": ["/certificates/client"]}})
    with pytest.raises(HttpResponseError):
        client.certificate.delete(*at, "client", "*")
    client.backend.delete(*at, "mutual", "*")
    for name in ("client", "public"):
        client.certificate.delete(*at, name, "*")
    for path in live.data.glob("*.sqlite*"):
        assert data.encode()[:40] not in path.read_bytes()


def test_loggers_and_diagnostics(sdk):
    client, at = sdk
    life(client, at, "logger", {f"logger-{n}": {"logger_type": "applicationInsights", "credentials": {"instrumentationKey": "k"}} for n in range(3)},
         {"description": "changed"}, ({"logger_type": "azureEventHub"}, "credentials"), secret="credentials", attributes=("description", "changed"))
    client.logger.create_or_update(*at, "l", {"logger_type": "azureMonitor"})
    body = {"logger_id": "/loggers/l", "always_log": "allErrors", "sampling": {"sampling_type": "fixed", "percentage": 50.0}}
    life(client, at, "diagnostic", {"azuremonitor": body, "local": body}, {"log_client_ip": True},
         ({**body, "sampling": {"sampling_type": "fixed", "percentage": 101.0}}, "sampling.percentage"), attributes=("log_client_ip", True))
    life(client, at, "api_diagnostic", {"azuremonitor": body}, {"verbosity": "error"}, ({**body, "logger_id": "/apis/x"}, "loggerId"),
         parents=("echo-api",), attributes=("verbosity", "error"))
    client.logger.delete(*at, "l", "*")


def test_caches(sdk):
    client, at = sdk
    body = {"connection_string": "127.0.0.1:6379,password=secret", "use_from_location": "default"}
    life(client, at, "cache", {"default": body, "other": body}, {"description": "changed"}, ({"connection_string": "x"}, "useFromLocation"),
         attributes=("description", "changed"))


def test_identity(sdk):
    client, at = sdk
    google = {"client_id": "id", "client_secret": "s3cret"}
    client.identity_provider.create_or_update(*at, "google", google)
    client.identity_provider.update(*at, "google", "*", {"client_id": "other"})
    assert client.identity_provider.get(*at, "google").client_id == "other" and client.identity_provider.get_entity_tag(*at, "google")
    assert client.identity_provider.list_secrets(*at, "google").client_secret == "s3cret"
    assert len(client.identity_provider.list_by_service(*at)) == 1
    wrong({"client_id": "id"}, lambda body: client.identity_provider.create_or_update(*at, "aad", body), "clientSecret")
    client.identity_provider.delete(*at, "google", "*")
    oauth = {"display_name": "OAuth", "client_registration_endpoint": "https://a.example/r", "authorization_endpoint": "https://a.example/a",
             "grant_types": ["authorizationCode"], "client_id": "id", "client_secret": "s3cret", "token_endpoint": "https://a.example/t"}
    client.authorization_server.create_or_update(*at, "oauth", oauth)
    client.authorization_server.update(*at, "oauth", "*", {"description": "changed"})
    assert client.authorization_server.get(*at, "oauth").client_secret is None and client.authorization_server.get_entity_tag(*at, "oauth")
    assert client.authorization_server.list_secrets(*at, "oauth").client_secret == "s3cret"
    assert len(client.authorization_server.list_by_service(*at)) == 1
    wrong({**oauth, "grant_types": ["lottery"]}, lambda body: client.authorization_server.create_or_update(*at, "bad", body), "grantTypes")
    client.authorization_server.delete(*at, "oauth", "*")
    connect = {"display_name": "OIDC", "metadata_endpoint": "https://a.example/.well-known", "client_id": "id", "client_secret": "s3cret"}
    client.open_id_connect_provider.create_or_update(*at, "oidc", connect)
    client.open_id_connect_provider.update(*at, "oidc", "*", {"description": "changed"})
    assert client.open_id_connect_provider.get(*at, "oidc").description == "changed"
    assert client.open_id_connect_provider.get_entity_tag(*at, "oidc")
    assert client.open_id_connect_provider.list_secrets(*at, "oidc").client_secret == "s3cret"
    assert len(client.open_id_connect_provider.list_by_service(*at)) == 1
    client.open_id_connect_provider.delete(*at, "oidc", "*")


def test_portal_settings(sdk):
    client, at = sdk
    client.sign_in_settings.update(*at, "*", {"enabled": True})
    assert client.sign_in_settings.get(*at).enabled and client.sign_in_settings.get_entity_tag(*at)
    client.sign_in_settings.create_or_update(*at, parameters={"enabled": False})
    client.sign_up_settings.update(*at, "*", {"terms_of_service": {"text": "be nice", "enabled": True, "consent_required": True}})
    assert client.sign_up_settings.get(*at).terms_of_service.text == "be nice" and client.sign_up_settings.get_entity_tag(*at)
    client.sign_up_settings.create_or_update(*at, parameters={"enabled": True, "terms_of_service": {"enabled": False}})
    client.delegation_settings.create_or_update(*at, parameters={"url": "https://a.example/", "validation_key": "a2V5",
                                                                "subscriptions": {"enabled": True}})
    client.delegation_settings.update(*at, "*", {"user_registration": {"enabled": True}})
    got = client.delegation_settings.get(*at)
    assert got.subscriptions.enabled and got.user_registration.enabled and got.validation_key is None
    assert client.delegation_settings.get_entity_tag(*at) and client.delegation_settings.list_secrets(*at).validation_key == "a2V5"
    assert len(client.portal_settings.list_by_service(*at).value) == 3


def test_mails(sdk):
    client, at = sdk
    name = "inviteUserNotificationMessage"
    before = client.email_template.get(*at, name)
    assert before.is_default and before.parameters and client.email_template.get_entity_tag(*at, name)
    client.email_template.update(*at, name, "*", {"subject": "Come in"})
    assert (client.email_template.get(*at, name).subject, client.email_template.get(*at, name).is_default) == ("Come in", False)
    client.email_template.create_or_update(*at, name, {"subject": "Again", "body": "b"})
    client.email_template.delete(*at, name, "*")
    assert client.email_template.get(*at, name).subject == before.subject
    event = "RequestPublisherNotificationMessage"
    assert client.notification.get(*at, event).title == "Subscription requests (requiring approval)"
    client.notification.create_or_update(*at, event)
    client.notification_recipient_email.create_or_update(*at, event, "a@example.com")
    assert client.notification_recipient_email.check_entity_exists(*at, event, "a@example.com")
    assert not client.notification_recipient_email.check_entity_exists(*at, event, "b@example.com")
    assert [item.email for item in client.notification_recipient_email.list_by_notification(*at, event).value] == ["a@example.com"]
    assert client.notification.get(*at, event).recipients.emails == ["a@example.com"]
    client.notification_recipient_email.delete(*at, event, "a@example.com")
    client.notification_recipient_user.create_or_update(*at, event, "1")
    assert client.notification_recipient_user.check_entity_exists(*at, event, "1")
    assert client.notification_recipient_user.list_by_notification(*at, event).value
    client.notification_recipient_user.delete(*at, event, "1")


def test_gateways(sdk):
    client, at = sdk
    life(client, at, "gateway", {f"gateway-{n}": {"location_data": {"name": "here"}} for n in range(3)}, {"description": "changed"},
         ({"location_data": {}}, "locationData.name"), attributes=("description", "changed"))
    client.gateway.create_or_update(*at, "own", {"location_data": {"name": "here"}})
    keys = client.gateway.list_keys(*at, "own")
    client.gateway.regenerate_key(*at, "own", {"key_type": "primary"})
    assert client.gateway.list_keys(*at, "own").primary != keys.primary
    ahead = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    assert client.gateway.generate_token(*at, "own", {"key_type": "primary", "expiry": ahead}).value.startswith("GatewayKey own&")
    client.gateway_api.create_or_update(*at, "own", "echo-api")
    assert client.gateway_api.get_entity_tag(*at, "own", "echo-api")
    assert [item.name for item in client.gateway_api.list_by_service(*at, "own")] == ["echo-api"]
    client.gateway_api.delete(*at, "own", "echo-api")
    client.gateway_hostname_configuration.create_or_update(*at, "own", "h", {"hostname": "a.example", "http2_enabled": True})
    assert client.gateway_hostname_configuration.get(*at, "own", "h").hostname == "a.example"
    assert client.gateway_hostname_configuration.get_entity_tag(*at, "own", "h")
    assert len(client.gateway_hostname_configuration.list_by_service(*at, "own")) == 1
    client.gateway_hostname_configuration.delete(*at, "own", "h", "*")
    _, data = identity("authority")
    client.certificate.create_or_update(*at, "authority", {"data": data, "password": "secret"})
    client.gateway_certificate_authority.create_or_update(*at, "own", "authority", {"is_trusted": True})
    assert client.gateway_certificate_authority.get(*at, "own", "authority").is_trusted
    assert client.gateway_certificate_authority.get_entity_tag(*at, "own", "authority")
    assert len(client.gateway_certificate_authority.list_by_service(*at, "own")) == 1
    client.gateway_certificate_authority.delete(*at, "own", "authority", "*")
    client.gateway.delete(*at, "own", "*")
    client.certificate.delete(*at, "authority", "*")
    token = client.gateway.list_debug_credentials(*at, "managed", {"credentials_expire_after": "PT1H", "api_id": "/apis/echo-api", "purposes": ["tracing"]})
    assert token.token


def test_policies(sdk):
    client, at = sdk
    before = client.policy.get(*at, "policy").value
    assert client.policy.get_entity_tag(*at, "policy") and client.policy.list_by_service(*at)
    client.policy.create_or_update(*at, "policy", {"value": before, "format": "xml"})
    fragment = {"value": "<fragment><set-header name=\"X-A\"><value>a</value></set-header></fragment>", "format": "rawxml", "description": "d"}
    client.policy_fragment.begin_create_or_update(*at, "own", fragment)
    assert client.policy_fragment.get(*at, "own").description == "d" and client.policy_fragment.get_entity_tag(*at, "own")
    assert len(client.policy_fragment.list_by_service(*at)) == 1
    client.api_policy.create_or_update(*at, "echo-api", "policy", {
        "value": "<policies><inbound><base /><include-fragment fragment-id=\"own\" /></inbound></policies>", "format": "rawxml"})
    assert client.policy_fragment.list_references(*at, "own").count == 1
    client.api_policy.delete(*at, "echo-api", "policy", "*")
    client.policy_fragment.delete(*at, "own", "*")


def test_global_schemas(sdk):
    client, at = sdk
    client.global_schema.begin_create_or_update(*at, "words", {"schema_type": "xml", "value": "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'/>"})
    assert client.global_schema.get(*at, "words").schema_type == "xml" and client.global_schema.get_entity_tag(*at, "words")
    assert len(client.global_schema.list_by_service(*at)) == 1
    wrong({"schema_type": "xml", "value": "<open>"}, lambda body: client.global_schema.begin_create_or_update(*at, "bad", body), "value")
    client.global_schema.delete(*at, "words", "*")


def test_reports(own):
    live, client, at = own
    key = {"Ocp-Apim-Subscription-Key": client.subscription.list_secrets(*at, "unlimited-admin").primary_key}
    for _ in range(5):
        assert call(live.urls["gateway"], "POST", "/echo/resource", b"x", key).status == 200
    assert call(live.urls["gateway"], "POST", "/echo/resource", b"x", {}).status == 401
    now = datetime.datetime.now(datetime.timezone.utc)
    span = f"timestamp ge datetime'{now - datetime.timedelta(hours=1):%Y-%m-%dT%H:%M:%S}' and timestamp le datetime'{now + datetime.timedelta(hours=1):%Y-%m-%dT%H:%M:%S}'"
    of_echo = span + " and apiId eq '/apis/echo-api'"
    # Facts of calls are written a second later.
    end = time.time() + 20
    while not (rows := client.reports.list_by_api(*at, of_echo)) or rows[0].call_count_total < 6:
        assert time.time() < end, rows
        time.sleep(0.1)
    row, = rows
    assert (row.name, row.api_id) == ("Echo API", "/apis/echo-api")
    assert row.call_count_success >= 5 and row.call_count_blocked >= 1 and row.call_count_total >= 6 and row.api_time_avg > 0
    found = {item.operation_id: item for item in client.reports.list_by_operation(*at, of_echo)}
    assert found["/apis/echo-api/operations/create-resource"].call_count_success >= 5
    assert {"/products/unlimited", "/products/-"} <= {item.product_id for item in client.reports.list_by_product(*at, of_echo)}
    assert "/subscriptions/unlimited-admin" in {item.subscription_id for item in client.reports.list_by_subscription(*at, of_echo)}
    assert "/users/1" in {item.user_id for item in client.reports.list_by_user(*at, of_echo)}
    assert sum(item.call_count_total for item in client.reports.list_by_geo(*at, of_echo)) == row.call_count_total
    times = client.reports.list_by_time(*at, of_echo, interval=datetime.timedelta(minutes=15))
    assert sum(item.call_count_total for item in times) == row.call_count_total
    calls = client.reports.list_by_request(*at, of_echo)
    assert {item.response_code for item in calls} >= {200, 401} and all("subscription-key" not in item.url for item in calls)
    with pytest.raises(HttpResponseError) as refused:
        client.reports.list_by_api(*at, "colour eq 'red'")
    assert "colour" in str(refused.value)


def test_the_report_by_place(tmp_path):
    """With a file of address ranges calls are told apart by where they come from; ranges that cannot be read are named at the start."""
    (tmp_path / "ranges.csv").write_text('# first,last,country,region,zip\n"126.0.0.0","127.0.0.0",JP\n127.0.0.0/8,XL,Loop,4711\n::1/128,X6\n')
    (tmp_path / "settings.yaml").write_text(f"address-ranges-file: {tmp_path / 'ranges.csv'}\n")
    with server("--config", str(tmp_path / "settings.yaml")) as live:
        live.demo()
        for _ in range(7):
            call(live.urls["gateway"], "GET", "/echo/nothing")
        report = lambda more="": live.management("GET", "/reports/byGeo?$filter=" + urllib.parse.quote("timestamp ge datetime'2020-01-01'" + more)).json()["value"]
        end = time.time() + 20
        while not (rows := report()) or sum(row["callCountTotal"] for row in rows) < 7:
            assert time.time() < end, rows
            time.sleep(0.1)
        assert [(row["country"], row["region"], row["zip"], row["callCountTotal"]) for row in rows] == [("XL", "Loop", "4711", 7)]
        assert len(report(" and country eq 'xl'")) == 1 and report(" and country eq 'JP'") == [] and report(" and zip eq '-'") == []
        # By time and by API they are one.
        assert [row["callCountTotal"] for row in live.management(
            "GET", "/reports/byUser?$filter=" + urllib.parse.quote("timestamp ge datetime'2020-01-01'")).json()["value"]] == [7]
        live.stop()
        (tmp_path / "ranges.csv").write_text("127.0.0.0/8,XL\n1.2.3.4,1.2.3.3,XX\n")
        with pytest.raises(RuntimeError, match="line 2: The last address"):
            live.start()
        live.process = None


def test_exports(sdk):
    client, at = sdk
    for format, named in (("swagger-link", "swagger-link-json"), ("openapi-link", "openapi-link"), ("openapi+json-link", "openapi+json-link"),
                          ("wadl-link", "wadl-link-json")):
        exported = client.api_export.get(*at, "echo-api", format, "true")
        assert exported.export_result_format == named and exported.value.link.startswith("http")
    refused(400, "format", lambda: client.api_export.get(*at, "echo-api", "wsdl-link", "true"))


def test_quotas(own):
    live, client, at = own
    policy = """<policies><inbound><base /><quota-by-key calls="3" bandwidth="100" renewal-period="3600" counter-key="boo" />
        <return-response><set-body>in</set-body></return-response></inbound></policies>"""
    client.api.begin_create_or_update(*at, "counted", {"path": "counted", "display_name": "Counted", "protocols": ["http"], "subscription_required": False})
    client.api_operation.create_or_update(*at, "counted", "any", {"display_name": "Any", "method": "GET", "url_template": "/*"})
    client.api_policy.create_or_update(*at, "counted", "policy", {"value": policy, "format": "rawxml"})
    get = lambda: call(live.urls["gateway"], "GET", "/counted/x").status
    assert [get() for _ in range(5)] == [200, 200, 200, 403, 403]
    counters = list(client.quota_by_counter_keys.list_by_service(*at, "boo").value)
    assert [(counter.counter_key, counter.value.calls_count) for counter in counters] == [("boo", 3)]
    counter = counters[0]
    assert (counter.period_end_time - counter.period_start_time).total_seconds() == 3600
    assert client.quota_by_period_keys.get(*at, "boo", counter.period_key).value.calls_count == 3
    # Set back, it lets through again; for one period as for all.
    assert client.quota_by_counter_keys.update(*at, "boo", {"calls_count": 1}).value[0].value.calls_count == 1
    assert [get() for _ in range(3)] == [200, 200, 403]
    assert client.quota_by_period_keys.update(*at, "boo", counter.period_key, {"calls_count": 2, "kb_transferred": 0}).value.calls_count == 2
    assert [get() for _ in range(2)] == [200, 403]
    # What was set is still known to the next process.
    client.quota_by_counter_keys.update(*at, "boo", {"calls_count": 2})
    live.stop()
    live.ports = {door: int(url.rsplit(":", 1)[1]) for door, url in live.urls.items()}
    live.start()
    assert client.quota_by_counter_keys.list_by_service(*at, "boo").value[0].value.calls_count == 2
    assert [get() for _ in range(2)] == [200, 403]
    assert client.quota_by_counter_keys.list_by_service(*at, "nobody").value == []
    refused(404, None, lambda: client.quota_by_counter_keys.update(*at, "nobody", {"calls_count": 0}))
    refused(404, None, lambda: client.quota_by_period_keys.get(*at, "boo", "0_PT1S"))
    refused(400, "callsCount", lambda: client.quota_by_counter_keys.update(*at, "boo", {"calls_count": -1}))
    client.api.begin_delete(*at, "counted", "*")


def test_tenant_access(own):
    live, client, at = own
    assert {item.name for item in client.tenant_access.list_by_service(*at)} == {"access", "gitAccess"}
    assert not client.tenant_access.get(*at, "access").enabled and client.tenant_access.get_entity_tag(*at, "access")
    client.tenant_access.update(*at, "access", "*", {"enabled": True})
    secrets = client.tenant_access.list_secrets(*at, "access")
    assert secrets.primary_key and secrets.principal_id
    client.tenant_access.regenerate_primary_key(*at, "access")
    client.tenant_access.regenerate_secondary_key(*at, "access")
    assert client.tenant_access.list_secrets(*at, "access").primary_key != secrets.primary_key
    client.tenant_access.create(*at, "access", "*", {"enabled": False})


def test_enough_was_called():
    """Runs last: at least 200 methods over 30 groups have ended well."""
    groups = {name.split(".")[0] for name in CALLED}
    assert len(CALLED) >= 200 and len(groups) >= 30, (len(CALLED), len(groups))
