"""The whole configuration as files: out, changed by hand, in again, and into another installation."""
import json
import pathlib
import shutil
import threading

import pytest

from gatehouse import call, server
from test_import import PETS, bring

SECRETS = {"namedValue": "secret text of a value", "backend": "sesame-open", "key": "a-key-that-nobody-may-read-in-a-file"}


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        fresh.demo()
        furnish(fresh)
        yield fresh


def put(own, path, properties, status=201):
    answer = own.management("PUT", path, {"properties": properties})
    assert answer.status == status, f"{path}: {answer.text}"
    return answer.json()


def furnish(own):
    """Something of everything, in an order in which much refers to what came before."""
    put(own, "/namedValues/token", {"displayName": "token", "value": SECRETS["namedValue"], "secret": True})
    put(own, "/namedValues/odd%20name%20%28%C3%A9%29.x", {"displayName": "odd", "value": "plain"})
    put(own, "/backends/upstream", {"url": "http://127.0.0.1:9", "protocol": "http", "credentials": {"authorization": {"scheme": "Basic", "parameter": SECRETS["backend"]}}})
    put(own, "/policyFragments/greet", {"format": "rawxml", "description": "Says hello",
                                        "value": "<fragment><set-header name=\"x-greet\"><value>@(\"a\" + \"<b>\")</value></set-header></fragment>"})
    put(own, "/apiVersionSets/pets", {"displayName": "Pets", "versioningScheme": "Segment"})
    bring(own, "pets", PETS, "openapi", apiVersion="v1", apiVersionSetId="/apiVersionSets/pets", protocols=["http"], subscriptionRequired=False)
    put(own, "/apis/pets/policies/policy", {"format": "xml", "value": "<policies><inbound><base /><include-fragment fragment-id=\"greet\" />"
        "<set-header name=\"x-token\"><value>{{token}}</value></set-header><return-response><set-body>one</set-body></return-response></inbound></policies>"})
    put(own, "/apis/pets;rev=2", {"path": "pets", "sourceApiId": "/apis/pets", "apiVersion": "v1", "apiVersionSetId": "/apiVersionSets/pets",
                                  "displayName": "Pets", "protocols": ["http"], "subscriptionRequired": False, "apiRevision": "2"})
    put(own, "/apis/pets/releases/second", {"apiId": "/apis/pets;rev=2", "notes": "Better"})
    put(own, "/tags/animals", {"displayName": "Animals"})
    put(own, "/apis/pets/tags/animals", {}, 201)
    put(own, "/products/zoo", {"displayName": "Zoo", "subscriptionRequired": True, "state": "published"})
    put(own, "/products/zoo/apis/pets", {})
    put(own, "/groups/keepers", {"displayName": "Keepers"})
    put(own, "/products/zoo/groups/keepers", {})
    put(own, "/users/ann", {"firstName": "Ann", "lastName": "Keeper", "email": "ann@zoo.example", "password": "correct horse battery"})
    put(own, "/subscriptions/ann", {"displayName": "Ann's", "scope": "/products/zoo", "ownerId": "/users/ann", "primaryKey": SECRETS["key"], "state": "active"})
    put(own, "/gateways/branch", {"locationData": {"name": "Branch"}})
    put(own, "/loggers/log", {"loggerType": "applicationInsights", "credentials": {"instrumentationKey": "11111111-2222-3333-4444-555555555555"}})


def files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file()}


def same(left, right, but=()):
    left, right = files(left), files(right)
    assert set(left) == set(right)
    for name in left:
        assert name in but or left[name] == right[name], name


def exported(own, folder, *more):
    own.command("export", str(folder), *more)
    return folder


def test_the_files(own, tmp_path):
    folder = exported(own, tmp_path / "out")
    found = files(folder)
    for name in ("gatehouse.json", "service.json", "policies/policy.xml", "products/starter.json", "apis/pets.json", "apis/pets;rev=1.json",
                 "apis/pets/operations/listpets.json", "apis/pets/policies/policy.xml", "policyFragments/greet.xml", "policyFragments/greet.json",
                 "namedValues/odd%20name%20%28%C3%A9%29%2Ex.json".replace("%2E", "."), "users/ann.json", "subscriptions/master.json", "apis/pets/releases/second.json"):
        assert name in found, (name, sorted(found))
    everything = "".join(found.values())
    for secret in SECRETS.values():
        assert secret not in everything
    assert json.loads(found["namedValues/token.json"])["value"] == {"secretRef": "/namedValues/token#value"}
    assert json.loads(found["backends/upstream.json"])["credentials"] == {"secretRef": "/backends/upstream#credentials"}
    # As people write them, whatever format they came in.
    assert '@("a" + "<b>")' in found["policyFragments/greet.xml"] and json.loads(found["policyFragments/greet.json"]) == {"description": "Says hello"}
    # Nothing that changes by itself.
    again = exported(own, tmp_path / "again")
    same(folder, again)
    assert own.command("apply", str(folder)).stdout == "No differences\n"
    # What is gone of the instance goes from the folder as well; what others keep in it stays.
    (again / ".git").mkdir()
    (again / ".git" / "config.json").write_text("{}")
    (again / "README.md").write_text("ours")
    (again / "apis" / "gone.json").write_text("{}")
    exported(own, again)
    assert (again / "README.md").exists() and (again / ".git" / "config.json").exists() and not (again / "apis" / "gone.json").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "package.json").write_text("{}")
    failed = own.command("export", str(tmp_path / "other"), check=False)
    assert failed.returncode != 0 and "other files" in failed.stderr


def test_changes_by_hand(own, tmp_path):
    folder = exported(own, tmp_path / "out")
    get = lambda: call(own.urls["gateway"], "GET", "/pets/v1/pets/7").text
    assert get() == "one"
    policy = folder / "apis/pets/policies/policy.xml"
    policy.write_text(policy.read_text().replace("one", "two"))
    product = json.loads((folder / "products/zoo.json").read_text())
    (folder / "products/zoo.json").write_text(json.dumps({**product, "description": "All animals"}))
    (folder / "tags/plants.json").write_text('{"displayName": "Plants"}')
    (folder / "tags/animals.json").unlink()
    (folder / "apis/pets/tags/animals.json").unlink()
    (folder / "users/ann.json").unlink()
    (folder / "subscriptions/ann.json").unlink()
    wanted = ["- /apis/pets/tags/animals", "- /tags/animals", "~ /products/zoo (description)", "+ /tags/plants", "~ /apis/pets/policies/policy (value)"]
    shown = own.command("apply", str(folder), "--dry-run").stdout.splitlines()
    assert sorted(shown[:-1]) == sorted(wanted) and shown[-1] == "5 differences, not applied"
    assert get() == "one" and own.management("GET", "/tags/plants").status == 404
    applied = own.command("apply", str(folder)).stdout.splitlines()
    assert sorted(applied[:-1]) == sorted(wanted) and applied[-1] == "5 differences, applied"
    assert get() == "two" and own.management("GET", "/tags/plants").status == 200 and own.management("GET", "/tags/animals").status == 404
    # Who signed up stays, until it is asked for.
    assert own.management("GET", "/users/ann").status == 200
    assert json.loads(own.command("apply", str(folder), "--json").stdout) == {"changes": [], "isApplied": True}
    page = call(own.urls["portal"], "GET", "/api/changes", None, {"Authorization": f"Bearer {own.token}"}).json()["value"]
    assert {entry["actor"] for entry in page if entry["id"] == "/tags/plants"} == {"configuration"}
    shown = own.command("apply", str(folder), "--people", "--dry-run").stdout
    assert "- /users/ann\n" in shown and "- /subscriptions/ann\n" in shown


def test_all_or_nothing(own, tmp_path):
    folder = exported(own, tmp_path / "out")
    (folder / "tags/good.json").write_text('{"displayName": "Good"}')
    for name, text, said in (
        ("products/bad.json", '{"displayName": 7}', "/products/bad displayName: The value must be a text."),
        ("apis/bad.json", '{"displayName": "Bad", "path": "pets", "apiVersion": "v1", "apiVersionSetId": "/apiVersionSets/pets"}', "/apis/bad path: Another resource"),
        ("apis/pets/policies/policy.xml", "<policies><inbound><unheard-of /></inbound></policies>", "/apis/pets/policies/policy value:"),
        ("namedValues/new.json", '{"displayName": "new", "secret": true, "value": {"secretRef": "/namedValues/new#value"}}', "/namedValues/new value:"),
        ("houses/new.json", "{}", "There is no type houses."),
        ("tags/new.json", "{", "tags/new.json is not valid JSON"),
        ("tags.json", "{}", "types and names alternate"),
    ):
        before = (folder / name).read_text() if (folder / name).exists() else None
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        failed = own.command("apply", str(folder), check=False)
        assert failed.returncode != 0 and said in failed.stderr, (name, failed.stderr)
        (folder / name).unlink() if before is None else (folder / name).write_text(before)
        assert own.management("GET", "/tags/good").status == 404
    # What is needed cannot go: the document that uses it says so.
    shutil.move(folder / "namedValues/token.json", tmp_path / "token.json")
    failed = own.command("apply", str(folder), check=False)
    assert failed.returncode != 0 and "used by /apis/pets" in failed.stderr
    shutil.move(tmp_path / "token.json", folder / "namedValues/token.json")
    assert own.command("apply", str(folder)).stdout == "+ /tags/good\n1 difference, applied\n"
    (folder / "gatehouse.json").unlink()
    assert "gatehouse.json" in own.command("apply", str(folder), check=False).stderr


def test_others_write_at_the_same_time(own, tmp_path):
    """What others write between the look and the change is neither lost nor undone."""
    folder = exported(own, tmp_path / "out")
    going = threading.Event()
    failures = []

    def write():
        number = 0
        while not going.is_set() and number < 400:
            number += 1
            answer = own.management("PATCH", "/products/unlimited", {"properties": {"description": f"turn {number}"}}, {"If-Match": "*"})
            if answer.status != 200:
                failures.append(answer.text)
            going.wait(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    done = []
    for number in range(5):
        (folder / f"tags/at-once-{number}.json").write_text('{"displayName": "At once %d"}' % number)
        shutil.copy(exported(own, tmp_path / "now") / "products/unlimited.json", folder / "products/unlimited.json")
        result = own.command("apply", str(folder), check=False)
        done.append(result.returncode == 0)
        assert result.returncode == 0 or "changed by others" in result.stderr, result.stderr
    going.set()
    writer.join()
    assert not failures and any(done)
    for number, isDone in enumerate(done[:-1]):
        assert own.management("GET", f"/tags/at-once-{number}").status == (200 if isDone or any(done[number:]) else 404)


def test_into_another_installation(own, tmp_path):
    folder = exported(own, tmp_path / "out", "--secrets", str(tmp_path / "secrets.json"))
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    texts = json.loads((tmp_path / "secrets.json").read_text())
    assert texts["/namedValues/token#value"] == SECRETS["namedValue"] and texts["/subscriptions/ann#primaryKey"] == SECRETS["key"]
    assert not any("password" in name for name in texts)
    with server() as other:
        refused = other.command("apply", str(folder), check=False)
        assert refused.returncode != 0 and "/namedValues/token value" in refused.stderr
        other.command("apply", str(folder), "--secrets", str(tmp_path / "secrets.json"), "--people")
        # Passwords rest as hashes, and so go nowhere: Ann asks for a new one.
        same(folder, exported(other, tmp_path / "there"), but=("users/ann.json",))
        assert other.command("apply", str(folder), "--secrets", str(tmp_path / "secrets.json")).stdout == "No differences\n"
        # It works there as it did here: the policy with its named value, and the key.
        assert call(other.urls["gateway"], "GET", "/pets/v1/pets/7").text == "two"
        keys = other.management("POST", "/subscriptions/ann/listSecrets", {}).json()
        assert keys["primaryKey"] == SECRETS["key"]
        assert other.management("GET", "/backends/upstream").json()["properties"]["credentials"]["authorization"]["parameter"] == SECRETS["backend"]
        # Another text of a secret is a difference; the text itself is never shown.
        texts["/namedValues/token#value"] = "another"
        (tmp_path / "secrets.json").write_text(json.dumps(texts))
        assert other.command("apply", str(folder), "--secrets", str(tmp_path / "secrets.json")).stdout == "~ /namedValues/token (value)\n1 difference, applied\n"
        assert other.management("POST", "/namedValues/token/listValue", {}).json()["value"] == "another"
