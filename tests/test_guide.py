"""The guide's example and RRS, from outside."""
import concurrent.futures
import json
import random
import socket
import time
import urllib.parse

import pytest

from gatehouse import GUIDE_TEXT, call, rrs_path, table
from hashing import counts

NAMES = ["Col2"] + [f"Col2_HashingFeature.{i}" for i in range(8)]


def headers(guide, **others):
    return {"Ocp-Apim-Subscription-Key": guide["subscriptionKey"], "Authorization": f"Bearer {guide['apiKey']}", **others}


def rrs(live, body, path=None, door="services", **others):
    prefix = "/azureml-demo" if door == "gateway" else ""
    return call(live.urls[door], "POST", prefix + (path or rrs_path(live.guide)), body, headers(live.guide, **others))


def values(answer, output="output1"):
    assert answer.status == 200, answer.text
    return answer.json()["Results"][output]["value"]["Values"]


@pytest.mark.parametrize("door", ["gateway", "services"])
def test_the_guides_row(live, door):
    answer = rrs(live, table([[GUIDE_TEXT]]), door=door)
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    value = answer.json()["Results"]["output1"]
    assert value["type"] == "table"
    assert list(value["value"]) == ["ColumnNames", "ColumnTypes", "Values"]
    assert value["value"]["ColumnNames"] == NAMES
    assert value["value"]["ColumnTypes"] == ["String"] + ["Int32"] * 8
    assert value["value"]["Values"] == [[GUIDE_TEXT] + "1 1 2 2 0 2 0 1".split()]


def test_gateway_and_services_door_answer_byte_for_byte(live):
    bodies = [table([[GUIDE_TEXT]]), table([["x"], [None], [""]]), "{", table([["a"]], ["Other"])]
    for body in bodies:
        first, second = rrs(live, body, door="services"), rrs(live, body, door="gateway")
        assert (first.status, first.reason, first.body) == (second.status, second.reason, second.body)
        changing = {"Date", "x-ms-request-id"}
        assert [pair for pair in first.headers.items() if pair[0] not in changing] == \
            [pair for pair in second.headers.items() if pair[0] not in changing]


def random_text(rng):
    pools = ["abcdefghijklmnopqrstuvwxyz", "0123456789", ".,;:!?|'\"\\/()[]{}<>@#", "äöüñéçß", "日本語中文한국어", "😀🎉🚀", "\u00a0\u2003\u200b\ufeff", "\x00\x01\x1f\x7f"]
    words = []
    for _ in range(rng.randrange(0, 25)):
        pool = rng.choice(pools)
        words.append("".join(rng.choice(pool) for _ in range(rng.randrange(1, 9))))
    return "".join(word + rng.choice([" ", "  ", "\t", "\n", "\r\n", " \t "]) for word in words)[:rng.choice([0, 20, 400])]


@pytest.fixture(scope="module")
def texts():
    rng = random.Random(5)
    return [random_text(rng) for _ in range(497)] + ["", "2013", "4294967297 00042 9" * 3]


def test_500_texts_equal_the_independent_implementation(live, texts):
    rows = values(rrs(live, json.dumps(table([[text] for text in texts]))))
    assert len(rows) == 500
    for text, row in zip(texts, rows):
        expected = counts(text, 3)
        assert row == [text] + [str(expected.get(i, 0)) for i in range(8)], repr(text)


@pytest.fixture(scope="module")
def wide(live):
    """A service whose caller sets bits and N-grams."""
    document = experiment("wide hashing", {"Hashing bitsize": 10}, service_parameters=[
        {"Name": "bits", "Node": "hash", "Parameter": "Hashing bitsize", "HasDefault": True},
        {"Name": "ngrams", "Node": "hash", "Parameter": "N-grams", "HasDefault": False}])
    return publish(live, document)


def experiment(name, parameters, service_parameters=None, columns=("Col2",), has_input=True):
    edge = lambda a, b, c, d: {"From": {"Node": a, "Port": b}, "To": {"Node": c, "Port": d}}
    document = {"Name": name, "Nodes": [
        {"Id": "data", "Dataset": "Book Reviews from Amazon (sample)"},
        {"Id": "select", "Module": "Select Columns in Dataset", "Parameters": {"Select columns": {"rules": [
            {"ruleType": "ColumnNames", "columns": list(columns)}]}}},
        {"Id": "hash", "Module": "Feature Hashing", "Parameters": parameters},
        {"Id": "in", "Module": "Web service input"}, {"Id": "out", "Module": "Web service output"}],
        "Edges": [edge("data", "dataset", "select", "Dataset"), edge("select", "Results dataset", "hash", "Dataset"),
                  edge("in", "Dataset", "hash", "Dataset"), edge("hash", "Transformed dataset", "out", "Dataset")]}
    if service_parameters:
        document["WebServiceParameters"] = service_parameters
    if not has_input:
        document["Nodes"] = [node for node in document["Nodes"] if node["Id"] != "in"]
        document["Edges"] = [item for item in document["Edges"] if item["From"]["Node"] != "in"]
    return document


def studio(live, method, path, body=None):
    path = f"/api/workspaces/{live.guide['workspace']}{path}"
    return call(live.urls["portal"], method, path, body, {"Authorization": f"Bearer {live.token}"})


def publish(live, document):
    made = studio(live, "POST", "/experiments", document)
    assert made.status == 201, made.text
    identity = made.json()["ExperimentId"]
    run_to_end(live, identity)
    done = studio(live, "POST", f"/experiments/{identity}/webservice")
    assert done.status == 200, done.text
    service = done.json()
    path = f"/workspaces/{live.guide['workspace']}/webservices/{service['WebServiceGroupId']}/endpoints/default"
    endpoint = call(live.urls["portal"], "GET", path, None, {"Authorization": f"Bearer {live.token}"}).json()
    return {"experiment": identity, "workspace": live.guide["workspace"], "service": service["EndpointId"],
            "key": endpoint["PrimaryKey"], "group": service["WebServiceGroupId"], "endpoint": endpoint}


def run_to_end(live, identity):
    run = studio(live, "POST", f"/experiments/{identity}/runs")
    assert run.status == 202, run.text
    path = f"/experiments/{identity}/runs/{run.json()['RunId']}"
    for _ in range(400):
        state = studio(live, "GET", path).json()
        if state["State"] not in ("Queued", "Running"):
            return state
        time.sleep(0.02)
    raise TimeoutError(state)


def score(live, service, body, query="api-version=2.0&details=true"):
    return call(live.urls["services"], "POST", rrs_path(service, query), body, {"Authorization": f"bearer  {service['key']}"})


@pytest.mark.parametrize("bits,ngrams", [(10, 2), (3, 0), (3, 1), (10, 3), (10, 4)])
def test_bits_and_ngrams_by_global_parameters(live, wide, texts, bits, ngrams):
    body = table([[text] for text in texts])
    body["GlobalParameters"] = {"bits": bits, "ngrams": str(ngrams)}
    rows = values(score(live, wide, body))
    for text, row in zip(texts, rows):
        expected = counts(text, bits, ngrams)
        assert row[0] == text and {i: int(v) for i, v in enumerate(row[1:]) if v != "0"} == expected


@pytest.mark.parametrize("bits,ngrams", [(18, 2), (31, 0), (31, 4), (18, 3)])
def test_the_modules_own_output_for_many_bits(live, bits, ngrams):
    made = studio(live, "POST", "/experiments", experiment(f"bits {bits} {ngrams}", {"Hashing bitsize": bits, "N-grams": ngrams}))
    identity = made.json()["ExperimentId"]
    assert run_to_end(live, identity)["State"] == "Finished"
    port = urllib.parse.quote("Transformed dataset")
    lines = studio(live, "GET", f"/experiments/{identity}/outputdata/hash/{port}?format=sparse").text.splitlines()
    assert len(lines) == 300
    for line in lines:
        row = json.loads(line)
        assert {int(k): v for k, v in row["Col2_HashingFeature."].items()} == counts(row["Col2"], bits, ngrams)


def test_too_many_cells_are_refused_before_work(live, wide):
    body = table([["a"]] * 3)
    body["GlobalParameters"] = {"bits": 31, "ngrams": 2}
    began = time.monotonic()
    answer = score(live, wide, body)
    assert answer.status == 413 and answer.json()["error"]["code"] == "MemoryQuotaViolation"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("body,status,code,detail", [
    ({"GlobalParameters": {"bits": 3}}, 400, "BadUserArgument", "MissingRequiredGlobalParameters"),
    ({"GlobalParameters": {"ngrams": 1, "x": 1}}, 400, "BadUserArgument", "UnexpectedParameter"),
    ({"GlobalParameters": {"ngrams": 99}}, 400, "BadArgument", "BadParameterValue"),
    ({"GlobalParameters": {"ngrams": "two"}}, 400, "BadArgument", "BadParameterValue"),
])
def test_global_parameters_are_checked(live, wide, body, status, code, detail):
    answer = score(live, wide, {**table([["a"]]), **body})
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["details"][0]["code"]) == (status, code, detail)


@pytest.mark.parametrize("query,status,detail", [
    ("api-version=1.0", 400, "BadVersionCall"), ("details=maybe", 400, "InvalidQueryParameter"),
    ("format=xml", 400, "InvalidQueryParameter"), ("other=1", 400, "InvalidQueryParameter"), ("", 200, None),
    ("details=TRUE", 200, None),
])
def test_queries(live, query, status, detail):
    answer = rrs(live, table([["a"]]), rrs_path(live.guide, query))
    assert answer.status == status
    if detail:
        assert answer.json()["error"]["details"][0]["code"] == detail


def test_swagger_form_and_legacy_score(live):
    answer = rrs(live, {"Inputs": {"input1": [{"Col2": GUIDE_TEXT}]}}, rrs_path(live.guide, "api-version=2.0&format=swagger"))
    row = answer.json()["Results"]["output1"][0]
    assert list(row) == NAMES and list(row.values()) == [GUIDE_TEXT] + "1 1 2 2 0 2 0 1".split()
    path = rrs_path(live.guide).split("/execute")[0] + "/score"
    answer = rrs(live, {"Id": "score00001", "Instance": {"FeatureVector": {"Col2": GUIDE_TEXT}, "GlobalParameters": {}}}, path)
    assert answer.json() == [GUIDE_TEXT] + "1 1 2 2 0 2 0 1".split()


def test_missing_text_and_empty_text(live):
    rows = values(rrs(live, table([[None], [""], [65], [True], ["\u0000"]])))
    assert [row[0] for row in rows] == [None, "", "65", "True", "\u0000"]
    rows = values(rrs(live, '{"Inputs":{"input1":{"ColumnNames":["Col2"],"Values":[[NaN]]}}}'))
    assert rows[0] == [None] + ["0"] * 8


def test_lone_surrogates_and_broken_utf8_are_400(live):
    for body in (b'{"Inputs":{"input1":[{"Col2":"\\ud800"}]}}', b'{"Inputs":{"input1":[{"Col2":"\xff"}]}}'):
        assert rrs(live, body.decode("latin-1").encode("latin-1")).status == 400


@pytest.mark.parametrize("authorization,status", [
    (None, 401), ("Bearer wrong", 401), ("Bearer ", 401), ("Basic {key}", 401), ("bEaReR   {key}", 200), ("BEARER {key}", 200),
])
def test_keys_of_the_service(live, authorization, status):
    sent = {"Authorization": authorization.format(key=live.guide["apiKey"])} if authorization else {}
    answer = call(live.urls["services"], "POST", rrs_path(live.guide), table([["a"]]), sent)
    assert answer.status == status
    if status == 401:
        error = answer.json()["error"]
        assert error["code"] == "Unauthorized" and error["details"][0]["message"] == "Invalid credentials provided."
        assert answer.headers["x-ms-request-id"] and answer.headers["Date"]


def test_unknown_services(live):
    other = dict(live.guide, service="0" * 32)
    assert rrs(live, table([["a"]]), rrs_path(other)).json()["error"]["details"][0]["code"] == "WebServiceNotFound"
    assert rrs(live, table([["a"]]), rrs_path(dict(live.guide, service="nope"))).status == 400
    assert rrs(live, table([["a"]]), rrs_path(dict(live.guide, workspace="0" * 32))).status == 404


def test_swagger_document(live):
    answer = call(live.urls["services"], "GET", rrs_path(live.guide).split("/execute")[0] + "/swagger.json")
    document = answer.json()
    assert list(document["paths"])[:2] == ["/swagger.json", "/execute?api-version=2.0&format=swagger"]
    assert document["host"] == live.urls["services"].split("//")[1]
    assert document["definitions"]["input1Item"]["required"] == ["Col2"]
    assert list(document["definitions"]["output1Item"]["properties"]) == NAMES
    assert document["definitions"]["ExecutionRequest"]["example"]["Inputs"]["input1"] == [{"Col2": ""}]


def test_republishing_needs_a_word_and_keeps_the_endpoint(live, wide):
    again = studio(live, "POST", f"/experiments/{wide['experiment']}/webservice")
    assert again.status == 409
    done = studio(live, "POST", f"/experiments/{wide['experiment']}/webservice?updateExistingWebService=true").json()
    assert done["EndpointId"] == wide["service"]
    path = f"/workspaces/{live.guide['workspace']}/webservices/{wide['group']}/endpoints/default"
    endpoint = call(live.urls["portal"], "GET", path, None, {"Authorization": f"Bearer {wide['key']}"}).json()
    assert endpoint["PrimaryKey"] == wide["key"] and len(endpoint["PrimaryKey"]) == 88


def test_a_second_run_takes_cached_outputs(live, wide):
    run = run_to_end(live, wide["experiment"])
    states = {node["Node"]: node["State"] for node in run["Nodes"]}
    assert run["State"] == "Finished" and states["hash"] == "Cached" and states["select"] == "Cached"
    assert all(node["StartedAt"] and node["EndedAt"] for node in run["Nodes"])


def test_experiments_are_checked_by_node(live):
    document = experiment("broken", {"Hashing bitsize": 99})
    answer = studio(live, "POST", "/experiments", document)
    assert answer.status == 400 and answer.json()["error"]["details"][0]["target"] == "hash"
    document = experiment("broken", {})
    document["Nodes"][0]["Dataset"] = "none such"
    assert studio(live, "POST", "/experiments", document).json()["error"]["details"][0]["target"] == "data"


def test_a_caller_who_hangs_up_stops_the_work(live, wide):
    body = json.dumps({**table([["some words to hash " * 40]] * 3000), "GlobalParameters": {"bits": 10, "ngrams": 10}}).encode()
    parts = urllib.parse.urlsplit(live.urls["services"])
    for _ in range(30):
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            head = (f"POST {rrs_path(wide)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {wide['key']}\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n").encode()
            connection.sendall(head + body)
    began = time.monotonic()
    assert score(live, wide, {**table([["a"]]), "GlobalParameters": {"ngrams": 1}}).status == 200
    assert time.monotonic() - began < 5


def test_many_callers_at_once(live):
    def one(number):
        text = f"row {number} is a good day"
        return values(rrs(live, table([[text]]), door="gateway"))[0] == \
            [text] + [str(counts(text, 3).get(i, 0)) for i in range(8)]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(400)))


def test_many_inputs_outputs_and_frozen_values(live):
    """Two callers' tables and one frozen branch; types beside text."""
    edge = lambda a, b, c, d: {"From": {"Node": a, "Port": b}, "To": {"Node": c, "Port": d}}
    data = "n,when,ok,name\\n1.5,2010-05-30T18:09:00,true,x\\n2,2011-01-01,false,\\n".replace("\\n", "\n")
    pick = lambda *names: {"Select columns": {"rules": [{"ruleType": "ColumnNames", "columns": list(names)}]}}
    document = {"Name": "many ports", "Nodes": [
        {"Id": "data", "Module": "Enter Data Manually", "Parameters": {"Data": data}},
        {"Id": "left", "Module": "Select Columns in Dataset", "Parameters": pick("n", "when", "ok")},
        {"Id": "right", "Module": "Select Columns in Dataset", "Parameters": pick("name")},
        {"Id": "still", "Module": "Clean Missing Data", "Parameters": {"Cleaning mode": "Remove entire row"}},
        {"Id": "in1", "Module": "Web service input", "Parameters": {"Name": "numbers"}},
        {"Id": "in2", "Module": "Web service input", "Parameters": {"Name": "names"}},
        {"Id": "out1", "Module": "Web service output", "Parameters": {"Name": "first"}},
        {"Id": "out2", "Module": "Web service output", "Parameters": {"Name": "second"}},
        {"Id": "out3", "Module": "Web service output", "Parameters": {"Name": "frozen"}}],
        "Edges": [edge("data", "dataset", "left", "Dataset"), edge("data", "dataset", "right", "Dataset"),
                  edge("data", "dataset", "still", "Dataset"), edge("in1", "Dataset", "left", "Dataset"),
                  edge("in2", "Dataset", "right", "Dataset"), edge("left", "Results dataset", "out1", "Dataset"),
                  edge("right", "Results dataset", "out2", "Dataset"), edge("still", "Cleaned dataset", "out3", "Dataset")]}
    service = publish(live, document)
    body = {"Inputs": {
        "names": [{"n": 0, "when": None, "ok": None, "name": "b"}],
        "numbers": {"ColumnNames": ["name", "ok", "when", "n"], "Values": [["a", 1, "5/30/2010 6:09 PM", "8219.6923828125"], [None, "", None, 1e20]]}}}
    results = score(live, service, body).json()["Results"]
    assert list(results) == ["first", "second", "frozen"]
    assert results["first"]["value"]["ColumnTypes"] == ["Double", "DateTime", "Boolean"]
    assert results["first"]["value"]["Values"] == [["8219.6923828125", "5/30/2010 6:09:00 PM", "True"], ["1E+20", None, None]]
    assert results["second"]["value"]["Values"] == [["b"]]
    assert results["frozen"]["value"]["Values"] == [["1.5", "5/30/2010 6:09:00 PM", "True", "x"]]
    legacy = rrs_path(service).split("/execute")[0] + "/score"
    refused = call(live.urls["services"], "POST", legacy, {"Instance": {}}, {"Authorization": f"Bearer {service['key']}"})
    assert refused.status == 400 and refused.json()["error"]["details"][0]["code"] == "MultipleInputsNotAllowed"
