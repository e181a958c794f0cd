"""APIs from descriptions: Swagger 2 and OpenAPI 3, JSON and YAML, again and again."""
import http.server
import json
import pathlib
import threading

import pytest

from gatehouse import call, rrs_path, server

PETS = """
openapi: 3.0.3
info: {title: Pets, description: All pets, version: "1", license: {name: none}}
servers:
  - url: http://test.example/v1
  - url: "https://{region}.example/v1/"
    variables: {region: {default: eu}}
paths:
  /pets:
    parameters:
      - {name: tenant, in: header, schema: {type: string}}
    get:
      operationId: listPets
      summary: List pets
      parameters:
        - $ref: "#/components/parameters/Limit"
        - {name: kind, in: query, required: true, schema: {type: string, enum: [cat, dog], default: cat}}
      responses:
        "200":
          description: Pets
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Pets"}
              example: [{name: Tom}]
        default: {description: Else}
    post:
      operationId: list-pets
      requestBody:
        content:
          application/json: {schema: {$ref: "#/components/schemas/Pet"}}
      responses: {"201": {description: Made}}
  /pets/{id}:
    get:
      responses: {"200": {description: One}}
    delete:
      operationId: "DELETE  a pet!"
      responses: {"204": {description: Gone}}
components:
  parameters:
    Limit: {name: limit, in: query, schema: {type: integer, default: 20}, description: How many}
  schemas:
    Pet: {type: object, properties: {name: {type: string}}}
    Pets: {type: array, items: {$ref: "#/components/schemas/Pet"}}
"""


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        fresh.demo()
        yield fresh


def bring(own, name, value, format, status=201, **more):
    body = {"properties": {"path": name, "format": format, "value": value if isinstance(value, str) else json.dumps(value), **more}}
    answer = own.management("PUT", f"/apis/{name}", json.dumps(body))
    assert answer.status == status, answer.text
    return answer.json()


def operations(own, name):
    found = own.management("GET", f"/apis/{name}/operations?$top=1000").json()["value"]
    return {item["name"]: item["properties"] for item in found}


def test_openapi_in_yaml(own):
    made = bring(own, "pets", PETS, "openapi")["properties"]
    assert (made["displayName"], made["description"], made["serviceUrl"], made["protocols"]) == (
        "Pets", "All pets", "https://eu.example/v1", ["https"])
    found = operations(own, "pets")
    assert set(found) == {"listpets", "list-pets", "get-pets-id", "delete-a-pet"}
    pets = found["listpets"]
    assert (pets["displayName"], pets["method"], pets["urlTemplate"]) == ("List pets", "GET", "/pets?kind={kind}")
    assert pets["templateParameters"] == [{"name": "kind", "type": "string", "required": True, "defaultValue": "cat", "values": ["cat", "dog"]}]
    assert [(item["name"], item["type"], item["defaultValue"]) for item in pets["request"]["queryParameters"]] == [("limit", "integer", "20")]
    assert [item["name"] for item in pets["request"]["headers"]] == ["tenant"]
    answer, = pets["responses"]
    assert answer["statusCode"] == 200 and answer["representations"][0]["typeName"] == "Pets"
    assert json.loads(answer["representations"][0]["examples"]["default"]["value"]) == [{"name": "Tom"}]
    assert found["list-pets"]["request"]["representations"][0]["typeName"] == "Pet"
    assert found["get-pets-id"]["displayName"] == "GET /pets/{id}" and found["get-pets-id"]["templateParameters"][0]["name"] == "id"
    schema = own.management("GET", "/apis/pets/schemas/imported").json()["properties"]
    assert set(schema["document"]["components"]["schemas"]) == {"Pet", "Pets"}


def test_query_parameters_may_stay_where_they_are(own):
    bring(own, "pets-query", PETS, "openapi", translateRequiredQueryParameters="query")
    found = operations(own, "pets-query")["listpets"]
    assert found["urlTemplate"] == "/pets" and {item["name"] for item in found["request"]["queryParameters"]} == {"limit", "kind"}


def test_what_is_imported_is_called_and_keeps_its_policies(own):
    class Upstream(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.path.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    more = {"serviceUrl": f"http://127.0.0.1:{upstream.server_address[1]}/base", "protocols": ["http"], "subscriptionRequired": False}
    bring(own, "called", PETS, "openapi", **more)
    get = lambda path: call(own.urls["gateway"], "GET", f"/called{path}")
    assert get("/pets?kind=cat&limit=3").text == "/base/pets?kind=cat&limit=3"
    assert get("/pets").status == 404 and get("/pets/7").text == "/base/pets/7"
    policy = "<policies><inbound><base /><return-response><set-body>mine {0}</set-body></return-response></inbound></policies>"
    for name in ("listpets", "get-pets-id", "delete-a-pet"):
        put = own.management("PUT", f"/apis/called/operations/{name}/policies/policy", json.dumps(
            {"properties": {"format": "rawxml", "value": policy.replace("{0}", name)}}))
        assert put.status == 201, put.text
    # One operation keeps its id, one gets another, one is gone, one is new.
    again = (PETS.replace("  /pets/{id}:\n    get:\n", "  /pets/{id}:\n    get:\n      operationId: onePet\n")
             .replace('    delete:\n      operationId: "DELETE  a pet!"\n      responses: {"204": {description: Gone}}\n',
                      "    put:\n      operationId: change\n      responses: {\"200\": {description: Changed}}\n"))
    bring(own, "called", again, "openapi", status=200, **more)
    assert set(operations(own, "called")) == {"listpets", "list-pets", "onepet", "change"}
    assert get("/pets?kind=cat").text == "mine listpets" and get("/pets/7").text == "mine get-pets-id"
    upstream.shutdown()


def document(template, *servers, query=()):
    names = [part[1:].split("}")[0] for part in template.split("/") if part.startswith("{")]
    parameters = ([{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
                  + [{"name": name, "in": "query", "schema": {"type": "string"}} for name in query])
    return {"openapi": "3.0.1", "info": {"title": "T", "version": "1"}, "servers": [{"url": url} for url in servers],
            "paths": {template: {"get": {"operationId": "get", "parameters": parameters, "responses": {"200": {"description": "R"}}}}}}


def test_the_server_of_a_description_is_the_upstream_of_an_api_without_one(own):
    for name, servers, url in (("plain-server", ["/v1", "http://plain.example/v1/"], "http://plain.example/v1"),
                               ("tls-server", ["http://plain.example", "https://tls.example"], "https://tls.example"), ("no-server", ["/v1", "{x}"], None)):
        assert bring(own, name, document("/a", *servers), "openapi+json")["properties"].get("serviceUrl") == url
    assert bring(own, "no-server", document("/a", "https://tls.example/"), "openapi+json", 200)["properties"]["serviceUrl"] == "https://tls.example"
    assert bring(own, "no-server", document("/a", "https://other.example"), "openapi+json", 200)["properties"]["serviceUrl"] == "https://tls.example"


def test_what_a_policy_document_names_stays(own):
    change = lambda method, path, properties: own.management(method, path, {"properties": properties}, {"If-Match": "*"})
    policy = lambda text: {"format": "rawxml", "value": f"<policies><inbound><base />{text}</inbound></policies>"}
    bring(own, "named", document("/a/{x}", query=("q",)), "openapi+json")
    at = "/apis/named/operations/get"
    assert own.management("PUT", "/policyFragments/rewriting", {"properties": {
        "format": "rawxml", "value": '<fragment><rewrite-uri template="/b/{x}?q={q}" /></fragment>'}}).status == 201
    assert own.management("PUT", "/namedValues/rewritten", {"properties": {"displayName": "rewritten", "value": "x"}}).status == 201

    def refused(*tries):
        for method, path, properties in tries:
            answer = change(method, path, properties)
            assert answer.status == 400 and "/apis/named/operations/get/policies/policy" in answer.text, (path, answer.text)

    operation = operations(own, "named")["get"]
    other = {**operation, "urlTemplate": "/a/{y}", "templateParameters": [{"name": "y", "type": "string", "required": True}]}
    for text in ('<include-fragment fragment-id="rewriting" />', '<rewrite-uri template="/b/{{{rewritten}}}?q={q}" />'):
        assert own.management("PUT", f"{at}/policies/policy", {"properties": policy(text)}).status in (200, 201)
        refused(("PUT", at, other), ("PATCH", at, {name: other[name] for name in ("urlTemplate", "templateParameters")}),
                ("PATCH", at, {"request": {"queryParameters": []}}))
        again = own.management("PUT", "/apis/named", {"properties": {"path": "named", "format": "openapi+json", "value": json.dumps(document("/a/{y}", query=("q",)))}})
        assert again.status == 400 and "operations/get/policies/policy" in again.text
        if "fragment" in text:
            fragment = {"format": "rawxml", "value": '<fragment><rewrite-uri template="/b/{nothing}" /></fragment>'}
            refused(("PUT", "/policyFragments/rewriting", fragment), ("PATCH", "/policyFragments/rewriting", fragment))
        else:
            value = {"displayName": "rewritten", "value": "nothing"}
            refused(("PUT", "/namedValues/rewritten", value), ("PATCH", "/namedValues/rewritten", {"value": "nothing"}))
    # What breaks nothing passes.
    more = {**operation, "urlTemplate": "/a/{x}/{y}", "templateParameters": operation["templateParameters"] + other["templateParameters"]}
    assert change("PUT", at, more).status == 200
    assert change("PATCH", "/namedValues/rewritten", {"value": "y"}).status < 300
    assert change("PUT", "/policyFragments/rewriting", {"format": "rawxml", "value": '<fragment><rewrite-uri template="/c" /></fragment>'}).status == 200


def test_folders_change_operations_with_their_documents(tmp_path):
    with server() as one:
        bring(one, "both", document("/a/{x}"), "openapi+json")
        assert one.management("PUT", "/apis/both/operations/get/policies/policy", {"properties": {
            "format": "rawxml", "value": '<policies><inbound><base /><rewrite-uri template="/b/{x}" /></inbound></policies>'}}).status == 201
        folder = tmp_path / "folder"
        one.command("export", str(folder))
        operation = folder / "apis/both/operations/get.json"
        operation.write_text(operation.read_text().replace("/a/{x}", "/a/{y}").replace('"x"', '"y"'))
        done = one.command("apply", str(folder), check=False)
        assert done.returncode != 0 and "/apis/both/operations/get/policies/policy" in done.stderr, done.stderr
        text, = (folder / "apis/both/operations/get/policies").iterdir()
        text.write_text(text.read_text().replace("{x}", "{y}"))
        one.command("apply", str(folder))
        assert operations(one, "both")["get"]["urlTemplate"] == "/a/{y}"


def test_swagger_of_a_service_hosted_here(own):
    place = rrs_path(own.demo()).split("/execute")[0]
    document = call(own.urls["services"], "GET", f"{place}/swagger.json").json()
    petstore = {"swagger": "2.0", "info": {"title": "Petstore", "version": "1"}, "host": "petstore.example", "basePath": "/v2", "schemes": ["http"],
                "consumes": ["application/json", "application/xml"],
                "paths": {"/pet": {"post": {"operationId": "addPet", "parameters": [
                    {"in": "body", "name": "body", "required": True, "schema": {"$ref": "#/definitions/Pet"}}], "responses": {"405": {"description": "Invalid"}}}}},
                "definitions": {"Pet": {"type": "object"}}}
    made = bring(own, "petstore", petstore, "swagger-json")["properties"]
    assert (made["serviceUrl"], made["protocols"]) == ("http://petstore.example/v2", ["http"])
    found = operations(own, "petstore")["addpet"]
    assert [item["contentType"] for item in found["request"]["representations"]] == ["application/json", "application/xml"]
    assert found["request"]["representations"][0]["typeName"] == "Pet" and found["responses"][0]["statusCode"] == 405
    bring(own, "hosted", document, "swagger-json")
    found = operations(own, "hosted")
    assert len(found) == len([1 for path in document["paths"].values() for _ in path]) > 1
    assert any("execute" in item["urlTemplate"] for item in found.values())


def test_our_own_description_is_imported(own):
    document = (pathlib.Path(__file__).resolve().parent.parent / "docs" / "management.openapi.json").read_text()
    bring(own, "management", document, "openapi+json")
    described = json.loads(document)["paths"]
    assert len(operations(own, "management")) == sum(word in ("get", "put", "post", "patch", "delete", "head") for path in described.values() for word in path) > 300


@pytest.mark.parametrize("format, value, said", [
    ("openapi", "a: [", "YAML"), ("openapi+json", "{", "JSON"), ("openapi+json", "{}", "openapi"), ("swagger-json", '{"swagger":"1.2"}', "2.0"),
    ("openapi", "openapi: 3.0.0", "paths"), ("wsdl", "<x/>", "cannot be imported"), ("openapi-link", "http://169.254.169.254/x", "value"),
    ("openapi", "openapi: 3.0.0\npaths: {/a: {get: {summary: s}, 'delete': {}}, /{x: {get: {}}}", "get"),
    ("openapi", "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"b{n}: &b{n} [*{'a' if n == 0 else f'b{n - 1}'}" + f",*{'a' if n == 0 else f'b{n - 1}'}" * 8 + "]\n"
                                                       for n in range(9)), "values"),
])
def test_wrong_descriptions(own, format, value, said):
    answer = own.management("PUT", "/apis/wrong", json.dumps({"properties": {"path": "wrong", "format": format, "value": value}}))
    assert answer.status == 400 and said in answer.text, answer.text
    assert own.management("GET", "/apis/wrong").status == 404


def test_import_commands(own, tmp_path):
    """A service hosted here becomes an API of five operations in one command; a file becomes one as well."""
    demo = own.demo()
    done = own.command("api", "import", "--service", json.loads(own.command("service", "list", "--json").stdout)[0]["Name"], "--path", "imported-service", "--product", "unlimited")
    assert done.stdout == "api imported-service: 5 operations\n"
    found = operations(own, "imported-service")
    assert set(found) == {"execute", "submitjob", "getjobstatus", "canceljob", "startjob"}
    sample = found["execute"]["request"]["representations"][0]
    assert "Inputs" in json.loads(sample["examples"]["default"]["value"])
    assert own.management("GET", "/apis/imported-service/schemas/imported").status == 200
    # Its own sample is a call that is answered.
    answer = call(own.urls["gateway"], "POST", "/imported-service/execute?api-version=2.0&format=swagger", sample["examples"]["default"]["value"],
                  {"Ocp-Apim-Subscription-Key": demo["subscriptionKey"], "Authorization": f"Bearer {demo['apiKey']}", "Content-Type": "application/json"})
    assert answer.status == 200 and "Results" in answer.json(), answer.text
    file = tmp_path / "pets.yaml"
    file.write_text(PETS)
    assert own.command("api", "import", str(file), "--path", "from/file").stdout == "api from-file: 4 operations\n"
    assert own.management("GET", "/apis/from-file").json()["properties"]["path"] == "from/file"
    for words, said in ((("api", "import"), "--service"), (("api", "import", str(file)), "--path"), (("api", "import", "--service", "nobody"), "not found"),
                        (("api", "import", "http://127.0.0.1:1/x", "--path", "x", "--format", "openapi"), "value")):
        failed = own.command(*words, check=False)
        assert failed.returncode != 0 and said in failed.stderr, (words, failed.stderr)
