"""Users through Microsoft's own client and the command line, and what their states mean to callers."""
import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from test_management import client  # noqa: F401
from test_policies import managed, upstream  # noqa: F401

ANN = {"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com", "note": "a note", "password": "correct horse"}


@pytest.fixture
def ann(client):  # noqa: F811
    sdk, at = client
    yield sdk.user.create_or_update(*at, "ann", ANN)
    sdk.user.begin_delete(*at, "ann", "*", delete_subscriptions=True).result()


def test_the_life_of_a_user(client, live, ann):  # noqa: F811
    sdk, at = client
    assert (ann.first_name, ann.email, ann.state, ann.note) == ("Ann", "ann@example.com", "active", "a note")
    assert ann.registration_date is not None and [item.id for item in ann.identities] == ["ann@example.com"]
    assert {"1", "ann"} <= {item.name for item in sdk.user.list_by_service(*at)}
    etag = sdk.user.get_entity_tag(*at, "ann")
    assert etag
    changed = sdk.user.update(*at, "ann", "*", {"note": "another"})
    assert (changed.note, changed.email) == ("another", "ann@example.com")
    with pytest.raises(HttpResponseError) as raced:
        sdk.user.update(*at, "ann", '"AAAA"', {"note": "x"})
    assert raced.value.status_code == 412
    with pytest.raises(ResourceNotFoundError):
        sdk.user.get(*at, "nobody")
    # The password stands nowhere as it was given.
    assert not hasattr(ann, "password") or ann.password is None
    for path in live.data.glob("*.sqlite*"):
        assert b"correct horse" not in path.read_bytes()


@pytest.mark.parametrize("wrong, field", [
    ({"email": None}, "email"), ({"email": "no address"}, "email"), ({"email": "two@at@signs"}, "email"),
    ({"email": "ANN@example.com"}, "email"), ({"first_name": None}, "firstName"), ({"last_name": "x" * 101}, "lastName"),
    ({"state": "asleep"}, "state"), ({"password": "x" * 257}, "password"),
])
def test_wrong_users_are_told_what_is_wrong(client, live, ann, wrong, field):  # noqa: F811
    names = {"first_name": "firstName", "last_name": "lastName"}
    body = {names.get(name, name): value for name, value in {**ANN, "email": "bob@example.com", **wrong}.items() if value is not None}
    answer = live.management("PUT", "/users/bob", {"properties": body})
    assert answer.status == 400, answer.text
    assert field in answer.text


def test_the_administrator_stays(client):  # noqa: F811
    sdk, at = client
    with pytest.raises(HttpResponseError) as refused:
        sdk.user.begin_delete(*at, "1", "*").result()
    assert "administrator" in str(refused.value)
    with pytest.raises(HttpResponseError):
        sdk.user.update(*at, "1", "*", {"state": "blocked"})


def test_keys_of_blocked_users_open_nothing(client, ann, managed):  # noqa: F811
    sdk, at = client
    managed.put("/subscriptions/of-ann", {"scope": f"/products/{managed.name}", "displayName": "Ann's", "state": "active",
                                          "ownerId": "/users/ann", "primaryKey": "anns-key"})
    managed.keys["ann"] = "anns-key"
    assert managed.call(key="ann").status == 200
    refused = managed.call(key="products")
    assert refused.status == 200
    for state in ("blocked", "deleted"):
        sdk.user.update(*at, "ann", "*", {"state": state})
        answer = managed.call(key="ann")
        assert answer.status == 401
        assert answer.json()["message"] == "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
        assert managed.call(key="products").status == 200
        sdk.user.update(*at, "ann", "*", {"state": "active"})
        assert managed.call(key="ann").status == 200
    # A user takes the keys along.
    with pytest.raises(HttpResponseError) as stays:
        sdk.user.begin_delete(*at, "ann", "*").result()
    assert "deleteSubscriptions" in str(stays.value)
    sdk.user.begin_delete(*at, "ann", "*", delete_subscriptions=True).result()
    assert managed.call(key="ann").status == 401
    sdk.user.create_or_update(*at, "ann", ANN)


def test_policies_know_the_owner(client, ann, managed):  # noqa: F811
    managed.put("/subscriptions/of-ann", {"scope": f"/products/{managed.name}", "displayName": "Ann's", "state": "active",
                                          "ownerId": "/users/ann", "primaryKey": "anns-key"})
    managed.keys["ann"] = "anns-key"
    managed.set("<policies><inbound><base /><return-response><set-body>@($\"{context.User.Id} {context.User.Email} "
                "{context.User.FirstName}\")</set-body></return-response></inbound></policies>")
    assert managed.call(key="ann").text == "ann ann@example.com Ann"


def test_subscriptions_have_owners_that_are_there(live):
    body = {"scope": "/apis", "displayName": "of nobody", "ownerId": "/users/nobody"}
    answer = live.management("PUT", "/subscriptions/of-nobody", {"properties": body})
    assert answer.status == 404 and "nobody" in answer.text
    answer = live.management("PUT", "/subscriptions/of-nobody", {"properties": {**body, "ownerId": "/apis/guide"}})
    assert answer.status == 400 and "ownerId" in answer.text


def test_user_commands(live, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("another secret\n")
    live.command("user", "create", "eve", "--email", "eve@example.com", "--first-name", "Eve", "--last-name", "Roe",
                 "--password-file", str(secret))
    assert "eve@example.com" in live.command("user", "list").stdout
    live.command("user", "update", "eve", "--state", "blocked")
    assert '"blocked"' in live.command("user", "show", "eve", "--json").stdout.replace("'", '"')
    live.command("user", "delete", "eve")
    assert "eve@example.com" not in live.command("user", "list").stdout


def test_documents_of_schemas(client, managed):  # noqa: F811
    sdk, at = client
    name = managed.name
    kind = "application/vnd.oai.openapi.components+json"
    document = {"components": {"schemas": {"Pet": {"type": "object", "properties": {"name": {"type": "string"}}}}}}
    made = sdk.api_schema.begin_create_or_update(*at, name, "pets", {"content_type": kind, "components": document["components"]}).result()
    assert made.content_type == kind and made.components == document["components"]
    assert [item.name for item in sdk.api_schema.list_by_api(*at, name)] == ["pets"]
    assert sdk.api_schema.get(*at, name, "pets").components == document["components"]
    for wrong, field in (({"contentType": kind}, "document"), ({"document": document}, "contentType"),
                         ({"contentType": "application/json", "document": {"value": "{"}}, "document")):
        answer = managed.live.management("PUT", f"/apis/{name}/schemas/wrong", {"properties": wrong})
        assert answer.status == 400 and field in answer.text, answer.text
    assert managed.live.management("PUT", "/apis/nothing/schemas/x", {"properties": {"contentType": kind, "document": document}}).status == 404
    sdk.api_schema.delete(*at, name, "pets", "*")
    with pytest.raises(ResourceNotFoundError):
        sdk.api_schema.get(*at, name, "pets")
