"""APIs as descriptions: documents that nobody here wrote go in, come out, and go in again to the same resources."""
import json
import pathlib
import urllib.parse

import pytest
import yaml
from openapi_spec_validator import validate

from gatehouse import call, server
from test_import import PETS, bring, operations

SOURCES = pathlib.Path(__file__).resolve().parent.parent / ".venv" / "sources"
# The contract's bound of an inline document.
BYTES_MAX = 4 << 20
FORMATS = {"openapi-link": "openapi", "openapi+json-link": "openapi+json", "swagger-link": "swagger-json", "wadl-link": "wadl-xml"}


def described(path):
    """The version that a document is a whole description of."""
    if path.stat().st_size > BYTES_MAX:
        return None
    if path.stat().st_size > 100_000:
        # Reading these takes seconds.
        return "2.0" if "\nswagger:" in "\n" + path.read_text() else "3.0"
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError:
        return None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict) or "info" not in document:
        return None
    version = str(document.get("swagger") or document.get("openapi"))
    # Those of several files are refused by the contract, for they refer to where nobody may look.
    return version if version.startswith(("2.0", "3.0", "3.1")) and "$ref: \"./" not in path.read_text() else None


def is_valid(text):
    """Some of the documents are there because they are wrong."""
    if len(text) > 100_000:
        return False
    try:
        validate(yaml.safe_load(text))
    except Exception:
        return False
    return True


DOCUMENTS = sorted(path for path in SOURCES.glob("*/tests/**/*") if path.suffix in (".yaml", ".json") and path.is_file() and described(path))


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        fresh.demo()
        yield fresh


def export(own, name, format):
    answer = own.management("GET", f"/apis/{name}?export=true&format={urllib.parse.quote(format)}")
    assert answer.status == 200, answer.text
    link = answer.json()["value"]["link"]
    # Whoever has the link needs no token.
    document = call(own.urls["portal"], "GET", link.removeprefix(own.urls["portal"]))
    assert document.status == 200, document.text
    return document.text


def resources(own, name):
    """All that a description makes, without what is the API's own."""
    api = own.management("GET", f"/apis/{name}").json()["properties"]
    api.pop("path")
    schemas = own.management("GET", f"/apis/{name}/schemas").json()["value"]
    return api, operations(own, name), {item["name"]: item["properties"] for item in schemas}


def test_there_are_enough_documents():
    versions = [described(path) for path in DOCUMENTS]
    assert len(versions) >= 20 and {version[:3] for version in versions} == {"2.0", "3.0", "3.1"}
    assert {"docker.yaml", "kubernetes.yaml", "petstore.yaml"} <= {path.name for path in DOCUMENTS}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.relative_to(SOURCES).parts[0]}/{path.parent.name}/{path.name}")
def test_in_and_out_and_in_again(own, path):
    text = path.read_text()
    first = f"first-{abs(hash(path))}"
    body = {"properties": {"path": first, "format": "openapi", "value": text}}
    made = own.management("PUT", f"/apis/{first}", json.dumps(body))
    if path.name == "kubernetes.yaml":
        # More than an API may have, and said so.
        assert made.status == 400 and "1000 operations" in made.text
        return
    assert made.status == 201, made.text
    wanted = resources(own, first)
    isSwagger = described(path) == "2.0"
    for format in ["openapi-link", "openapi+json-link"] + (["swagger-link"] if isSwagger else []):
        exported = export(own, first, format)
        if is_valid(text):
            validate(yaml.safe_load(exported))
        second = f"{first}-{format.split('-')[0].replace('+', '')}"
        # A description in Swagger becomes one in OpenAPI: the types move to another place, and nothing else changes.
        bring(own, second, exported, FORMATS[format])
        api, found, schemas = resources(own, second)
        assert api == wanted[0]
        for name, operation in wanted[1].items():
            assert found[name] == operation, name
        assert set(found) == set(wanted[1])
        if isSwagger == (format == "swagger-link"):
            assert schemas == wanted[2]
        else:
            names = lambda each: {name: set((item["document"].get("components") or {"schemas": item["document"].get("definitions")})["schemas"])
                                  for name, item in each.items()}
            assert names(schemas) == names(wanted[2])
        own.management("DELETE", f"/apis/{second}", headers={"If-Match": "*"})
    own.management("DELETE", f"/apis/{first}", headers={"If-Match": "*"})


def test_wadl(own):
    document = """<?xml version="1.0"?>
<application xmlns="http://wadl.dev.java.net/2009/02" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
 <resources base="https://news.example/v1/">
  <resource path="news">
   <param name="tenant" style="header" type="xsd:string"/>
   <method href="#search"/>
   <resource path="{id}"><param name="id" style="template" type="xsd:int"/>
    <method name="GET" id="one"><response status="200 404"><representation mediaType="application/xml"/></response></method>
    <method name="DELETE"/>
   </resource>
  </resource>
 </resources>
 <method name="GET" id="search"><doc title="Search news">All of it</doc>
  <request>
   <param name="q" style="query" type="xsd:string" required="true"/>
   <param name="sort" style="query" default="date"><option value="date"/><option value="rank"/></param>
  </request>
  <response status="200"><representation mediaType="application/json"/></response>
 </method>
</application>"""
    made = bring(own, "news", document, "wadl-xml")["properties"]
    assert (made["displayName"], made["serviceUrl"], made["protocols"]) == ("https://news.example/v1/", "https://news.example/v1", ["https"])
    found = operations(own, "news")
    assert set(found) == {"search", "one", "delete-news-id"}
    search = found["search"]
    assert (search["displayName"], search["description"], search["urlTemplate"]) == ("Search news", "All of it", "/news?q={q}")
    assert [(item["name"], item["defaultValue"], item["values"]) for item in search["request"]["queryParameters"]] == [("sort", "date", ["date", "rank"])]
    assert [item["name"] for item in search["request"]["headers"]] == ["tenant"]
    assert found["one"]["templateParameters"] == [{"name": "id", "type": "integer", "required": True, "values": []}]
    assert [item["statusCode"] for item in found["one"]["responses"]] == [200, 404]
    again = bring(own, "news-again", export(own, "news", "wadl-link"), "wadl-xml")["properties"]
    assert again["serviceUrl"].endswith("/news")
    assert operations(own, "news-again") == found
    one = '<application><resources base="http://a"><resource path="a"><method %s/></resource></resources></application>'
    for wrong, said in (("<a/>", "application"), ("<application/>", "base"), ("{}", "XML"), (one % 'href="#gone"', "#gone"), (one % 'name="BREW"', "brew")):
        answer = own.management("PUT", "/apis/wrong", json.dumps({"properties": {"path": "wrong", "format": "wadl-xml", "value": wrong}}))
        assert answer.status == 400 and said in answer.text


def test_what_a_link_is_good_for(own):
    bring(own, "linked", PETS, "openapi")
    answer = own.management("GET", "/apis/linked?export=true&format=swagger-link").json()
    assert answer["format"] == "swagger-link-json" and answer["id"].endswith("/apis/linked")
    link = answer["value"]["link"].removeprefix(own.urls["portal"])
    document = call(own.urls["portal"], "GET", link).json()
    assert document["host"] == own.urls["gateway-tls"].removeprefix("https://")
    assert document["paths"]["/pets"]["get"]["operationId"] == "listpets" and document["securityDefinitions"]["apiKeyHeader"]["in"] == "header"
    # Nobody can make it one for another API, another format or a longer time.
    for old, new in (("api=linked", "api=echo"), ("format=swagger", "format=wadl"), ("end=", "end=9"), ("signature=", "signature=0")):
        assert old in link
        assert call(own.urls["portal"], "GET", link.replace(old, new)).status == 403
    for format, status in (("wsdl-link", 400), ("yaml", 400)):
        assert own.management("GET", f"/apis/linked?export=true&format={format}").status == status
    assert own.management("GET", "/apis/nobody?export=true&format=openapi-link").status == 404


def test_the_command(own):
    bring(own, "printed", PETS, "openapi")
    assert yaml.safe_load(own.command("api", "export", "printed").stdout)["info"]["title"] == "Pets"
    assert json.loads(own.command("api", "export", "printed", "--format", "swagger").stdout)["swagger"] == "2.0"
    assert own.command("api", "export", "printed", "--format", "wadl").stdout.startswith("<?xml")
    for words, said in ((("nobody",), "not found"), (("printed", "--format", "word"), "format")):
        failed = own.command("api", "export", *words, check=False)
        assert failed.returncode != 0 and said in failed.stderr


def test_types_without_a_name_get_one(own):
    """What stands in a description without a name is a type of the API as well, and the gateway makes answers of it."""
    document = {"openapi": "3.1.0", "info": {"title": "Inline", "version": "1"}, "paths": {"/things": {"get": {"operationId": "things", "responses": {
        "200": {"description": "", "headers": {"X-Total": {"schema": {"type": "integer"}, "description": "How many"}},
                "content": {"application/json": {"schema": {"type": "object", "properties": {"count": {"type": "integer", "minimum": 3}}},
                                                 "examples": {"one": {"summary": "One", "value": {"count": 1}}, "two": {"value": {"count": 2}}}}}},
        "202": {"description": "", "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}}}}}}}},
        "components": {"schemas": {"Thing": {"type": "object", "properties": {"name": {"type": "string", "example": "stone"}}}}}}
    bring(own, "inline", document, "openapi+json", subscriptionRequired=False, protocols=["http"])
    answers = operations(own, "inline")["things"]["responses"]
    assert [answer["representations"][0]["typeName"] for answer in answers] == ["Things200ApplicationJson", "ThingArray"]
    assert list(answers[0]["representations"][0]["examples"]) == ["one", "two"] and answers[0]["headers"][0]["name"] == "X-Total"
    policy = "<policies><inbound><base /><mock-response status-code=\"202\" /></inbound></policies>"
    own.management("PUT", "/apis/inline/policies/policy", json.dumps({"properties": {"format": "rawxml", "value": policy}}))
    assert call(own.urls["gateway"], "GET", "/inline/things").json() == [{"name": "stone"}]
