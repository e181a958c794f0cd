"""Batch execution from outside: jobs over real storage, every error that a caller can cause, crashes, other accounts."""
import concurrent.futures
import contextlib
import csv
import gzip
import io
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import time
import urllib.request

import arff
import pytest
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas

from gatehouse import GUIDE_TEXT, ROOT, call, server
from hashing import counts
from test_guide import experiment, publish

NAMES = ["Col2"] + [f"Col2_HashingFeature.{i}" for i in range(8)]
TEXTS = [GUIDE_TEXT, "", "a, \"quoted\" text\nin two lines", "äöü 日本語 😀", "2013 00042", "x" * 300]


def hashed(text):
    found = counts(text, 3)
    return [text] + [str(found.get(i, 0)) for i in range(8)]


def csv_of(texts, name="Col2"):
    output = io.StringIO()
    writer = csv.writer(output, quoting=csv.QUOTE_ALL)
    writer.writerow([name])
    writer.writerows([text] for text in texts)
    return output.getvalue().encode()


class Batch:
    """Jobs of one endpoint."""

    def __init__(self, running, guide, service=None, key=None, door="services"):
        self.server, self.guide = running, guide
        self.url = running.urls[door]
        prefix = "/azureml-demo" if door == "gateway" else ""
        self.base = f"{prefix}/workspaces/{guide['workspace']}/services/{service or guide['service']}/jobs"
        self.headers = {"Authorization": f"Bearer {key or guide['apiKey']}", "Ocp-Apim-Subscription-Key": guide["subscriptionKey"]}
        storage = guide["storage"]
        self.connection = f"DefaultEndpointsProtocol=https;AccountName={storage['account']};AccountKey={storage['key']}"
        self.container = BlobServiceClient.from_connection_string(storage["connectionString"]).get_container_client("guide")

    def blob(self, name, slash=False):
        return {"ConnectionString": self.connection, "RelativeLocation": f"{'/' if slash else ''}guide/{name}"}

    def put(self, name, data):
        self.container.upload_blob(name, data, overwrite=True)
        return self.blob(name)

    def get(self, name):
        return self.container.download_blob(name).readall()

    def call(self, method, path, body=None, query="?api-version=2.0"):
        return call(self.url, method, self.base + path + query, body, self.headers)

    def submit(self, body):
        answer = self.call("POST", "", body)
        assert answer.status == 200, answer.text
        assert re.fullmatch(r'"[0-9a-f]{32}"', answer.text)
        return answer.json()

    def start(self, job):
        answer = self.call("POST", f"/{job}/start", "")
        assert (answer.status, answer.body) == (200, b""), answer.text

    def status(self, job):
        answer = self.call("GET", f"/{job}")
        assert answer.status == 200, answer.text
        return answer.json()

    def wait(self, job, seconds=60):
        end = time.time() + seconds
        while True:
            status = self.status(job)
            if status["StatusCode"] not in ("NotStarted", "Running"):
                return status
            assert time.time() < end, status
            time.sleep(0.02)

    def run(self, body):
        job = self.submit(body)
        self.start(job)
        return self.wait(job)

    def finish(self, body):
        status = self.run(body)
        assert status["StatusCode"] == "Finished", status
        return status


@pytest.fixture(scope="module")
def batch(live):
    return Batch(live, live.guide)


def published(running, guide, document):
    running.guide = guide
    service = publish(running, document)
    return Batch(running, guide, service["service"], service["key"])


def fetch(reference):
    url = reference["BaseLocation"] + reference["RelativeLocation"] + reference["SasBlobToken"]
    with urllib.request.urlopen(url) as answer:
        return answer.read()


def rows(data):
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


# What comes out

@pytest.mark.parametrize("slash", [False, True])
@pytest.mark.parametrize("door", ["services", "gateway"])
def test_a_job_scores_what_a_call_scores(live, door, slash):
    batch = Batch(live, live.guide, door=door)
    batch.put("in.csv", csv_of(TEXTS))
    status = batch.finish({"Input": batch.blob("in.csv", slash), "Outputs": {"output1": batch.blob("out.csv", slash)},
                           "GlobalParameters": {}})
    assert rows(batch.get("out.csv")) == [NAMES] + [hashed(text) for text in TEXTS]
    assert list(status)[:3] == ["StatusCode", "Results", "Details"] and status["Details"] is None
    reference = status["Results"]["output1"]
    assert reference["ConnectionString"] is None and reference["RelativeLocation"] == "guide/out.csv"
    assert fetch(reference) == batch.get("out.csv")
    assert status["Progress"]["Rows"] == len(TEXTS) and status["Progress"]["BytesRead"] == len(csv_of(TEXTS))
    for name in ("CreateTime", "StartTime", "EndTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", status[name])


def test_results_without_a_place_go_to_the_workspaces_storage(batch):
    batch.put("in.csv", csv_of(TEXTS))
    for body in ({"Inputs": {"input1": batch.blob("in.csv")}}, {"Input": batch.blob("in.csv"), "Outputs": None, "GlobalParameters": None}):
        job = batch.submit(body)
        assert batch.status(job)["Results"] is None
        batch.start(job)
        first = batch.wait(job)["Results"]["output1"]
        assert re.fullmatch(rf"experimentoutput/{job}/[0-9a-f-]{{36}}\.csv", first["RelativeLocation"])
        assert rows(fetch(first))[1:] == [hashed(text) for text in TEXTS]
        assert "sr=b" in first["SasBlobToken"] and "sp=r&" in first["SasBlobToken"]
        # Renewed with each answer; deleting a job that has finished keeps its results.
        time.sleep(1.1)
        again = batch.status(job)["Results"]["output1"]
        assert again["SasBlobToken"] != first["SasBlobToken"]
        deleted = batch.call("DELETE", f"/{job}")
        assert (deleted.status, deleted.body) == (200, b"")
        assert batch.status(job)["StatusCode"] == "Finished" and fetch(again) == fetch(first)


def test_a_reference_by_signature_is_read_and_written(batch):
    storage = batch.guide["storage"]
    batch.put("signed in.csv", csv_of(TEXTS))
    def reference(name, **permissions):
        token = generate_blob_sas(storage["account"], "guide", name, account_key=storage["key"],
                                  permission=BlobSasPermissions(**permissions), expiry="2099-01-01T00:00:00Z")
        return {"BaseLocation": f"{batch.server.urls['blobs']}/{storage['account']}/",
                "RelativeLocation": "guide/" + urllib.request.quote(name), "SasBlobToken": "?" + token}
    target = reference("signed-out.csv", read=True, write=True, create=True)
    status = batch.finish({"Inputs": {"input1": reference("signed in.csv", read=True)}, "Outputs": {"output1": target}})
    assert {name: status["Results"]["output1"][name] for name in target} == target
    assert rows(fetch(status["Results"]["output1"]))[1:] == [hashed(text) for text in TEXTS]
    # The results of one job are the input of the next.
    more = batch.run({"Input": status["Results"]["output1"]})
    assert more["StatusCode"] == "Failed" and "InputMismatchError" in more["Details"]


@pytest.mark.parametrize("source", ["csv", "csv.gz", "tsv", "nh.csv", "nh.tsv", "arff", "arff.gz", "tsv.gz"])
@pytest.mark.parametrize("target", ["csv", "tsv.gz", "arff", "nh.csv", "csv.gz"])
def test_formats(batch, source, target):
    texts = ["plain words", "with, comma", "with\ttab", "it's \"quoted\"", "new\nline", "ünïcode"]
    kind = source.removesuffix(".gz")
    output = io.StringIO(newline="")
    if kind == "arff":
        data = arff.dumps({"relation": "texts", "attributes": [("Col2", "STRING")],
                           "data": [[text.replace("\n", " ")] for text in texts]}).encode()
        texts = [text.replace("\n", " ") for text in texts]
    else:
        writer = csv.writer(output, delimiter="\t" if "tsv" in kind else ",", quoting=csv.QUOTE_MINIMAL)
        writer.writerows([["Col2"]] * ("nh." not in kind) + [[text] for text in texts])
        data = output.getvalue().encode()
    if source.endswith(".gz"):
        # Two members after one another, as concatenated files are.
        data = gzip.compress(data[:20]) + gzip.compress(data[20:])
    batch.put(f"formats.{source}", data)
    batch.finish({"Input": batch.blob(f"formats.{source}"), "Outputs": {"output1": batch.blob(f"scored.{target}")}})
    found = batch.get(f"scored.{target}")
    if target.endswith(".gz"):
        found = gzip.decompress(found)
    expected = [hashed(text) for text in texts]
    if "arff" in target:
        document = arff.loads(found.decode().replace("\r\n", "\n"))
        assert [name for name, _ in document["attributes"]] == NAMES
        assert [[row[0]] + [str(int(value)) for value in row[1:]] for row in document["data"]] == expected
    else:
        read = list(csv.reader(io.StringIO(found.decode(), newline=""), delimiter="\t" if "tsv" in target else ","))
        assert read == ([NAMES] if "nh." not in target else []) + expected


def test_an_input_without_rows_gives_an_output_without_rows(batch):
    batch.put("none.csv", b"Col2\r\n")
    assert batch.finish({"Input": batch.blob("none.csv"), "Outputs": {"output1": batch.blob("none-out.csv")}})["Progress"]["Rows"] == 0
    assert rows(batch.get("none-out.csv")) == [NAMES]


def test_order_is_kept_over_many_chunks(batch):
    texts = [f"text number {n} " + "word " * (n % 40) for n in range(60_000)]
    batch.put("many.csv", csv_of(texts))
    status = batch.finish({"Input": batch.blob("many.csv"), "Outputs": {"output1": batch.blob("many-out.csv")}})
    found = rows(batch.get("many-out.csv"))
    assert [row[0] for row in found[1:]] == texts and status["Progress"]["Rows"] == len(texts)
    for place in range(0, len(texts), 997):
        assert found[place + 1] == hashed(texts[place])


def test_an_output_may_take_the_place_of_the_input(batch):
    batch.put("same.csv", csv_of(["one", "two"]))
    batch.finish({"Input": batch.blob("same.csv"), "Outputs": {"output1": batch.blob("same.csv")}})
    assert [row[0] for row in rows(batch.get("same.csv"))] == ["Col2", "one", "two"]


# Rows that cannot be read

@pytest.fixture(scope="module")
def typed(live):
    """A service with an Int32 and a String column, whose caller may set the bits."""
    return published(live, live.guide, experiment(
        "typed batch", {"Hashing bitsize": 2}, columns=["Col1", "Col2"],
        service_parameters=[{"Name": "bits", "Node": "hash", "Parameter": "Hashing bitsize", "HasDefault": False}]))


BAD = b'Col1,Col2\n1,good\nx,no number\n3\n4,four,too many\n5,fine\n'


def test_a_bad_row_fails_the_job_by_row_and_column(typed):
    typed.put("bad.csv", BAD)
    status = typed.run({"Input": typed.blob("bad.csv"), "Outputs": {"output1": typed.blob("never.csv")}, "GlobalParameters": {"bits": "2"}})
    assert status["StatusCode"] == "Failed" and status["Results"] is None
    assert "InputParseError" in status["Details"] and "row 2" in status["Details"] and '"Col1"' in status["Details"]
    assert not typed.container.get_blob_client("never.csv").exists()


def test_bad_rows_are_set_aside_on_demand(typed):
    typed.put("bad.csv", BAD)
    status = typed.finish({"Input": typed.blob("bad.csv"), "Outputs": {"output1": typed.blob("skipped.csv")},
                           "GlobalParameters": {"bits": 2}, "OnError": "skip"})
    assert [row[:2] for row in rows(typed.get("skipped.csv"))[1:]] == [["1", "good"], ["5", "fine"]]
    aside = rows(fetch(status["Errors"]))
    assert status["Errors"]["RelativeLocation"] == "guide/skipped.csv.errors"
    assert aside[0] == ["Row", "Column", "Message", "Record"]
    assert [row[:2] for row in aside[1:]] == [["2", "Col1"], ["3", ""], ["4", ""]]
    assert aside[1][3] == "x,no number\n"
    assert (status["Progress"]["Rows"], status["Progress"]["RowsSkipped"]) == (2, 3)


def test_the_row_is_counted_over_all_chunks(typed):
    lines = [f"{n},words {n} words\n" for n in range(100_000)]
    lines[87_654] = "1.5,here\n"
    typed.put("late.csv", "Col1,Col2\n" + "".join(lines))
    status = typed.run({"Input": typed.blob("late.csv"), "GlobalParameters": {"bits": 1}})
    assert "row 87655" in status["Details"], status
    assert not [blob for blob in typed.container.list_blobs() if "late.csv.errors" in blob.name]


@pytest.mark.parametrize("name, data, words", [
    ("x.csv", b"Other\n1\n", "InputMismatchError"), ("x.csv", b"", "InputMismatchError"), ("x.csv.gz", b"no gzip", "damaged"),
    ("x.csv.gz", gzip.compress(b"Col2\na\n")[:-3], "ends before"), ("x.csv", b'Col2\n"open\n', "not closed"),
    ("x.csv", b"Col2\n\xff\xfe\n", "UTF-8"), ("x.arff", b"@relation x\n@attribute Col2 string\n", "@data"),
    ("x.arff", b"@relation x\n@data\na\n", "no attributes"), ("x.csv", b"Col2,Col2\na,b\n", "twice")])
def test_files_that_cannot_be_read(batch, name, data, words):
    batch.put(name, data)
    status = batch.run({"Input": batch.blob(name)})
    assert status["StatusCode"] == "Failed" and words in status["Details"], status


def test_whole_tables_have_a_bound(monkeypatch):
    """A module that needs the whole table gets it, and beyond the bound the job says so."""
    monkeypatch.setenv("GATEHOUSE_BATCH_TABLE_BYTES_MAX", "2000")
    with server() as small:
        document = experiment("whole", {"Hashing bitsize": 2}, columns=["Col1", "Col2"])
        document["Nodes"].append({"Id": "clean", "Module": "Clean Missing Data", "Parameters": {
            "Columns to be cleaned": {"rules": [{"ruleType": "ColumnNames", "columns": ["Col1"]}]}, "Cleaning mode": "Replace with mean"}})
        (last,) = [edge for edge in document["Edges"] if edge["To"]["Node"] == "out"]
        document["Edges"].append({"From": last["From"], "To": {"Node": "clean", "Port": "Dataset"}})
        last["From"] = {"Node": "clean", "Port": "Cleaned dataset"}
        guide = small.demo()
        batch = published(small, guide, document)
        batch.put("few.csv", b"Col1,Col2\n2,a\n,b\n4,c\n")
        status = batch.finish({"Input": batch.blob("few.csv"), "Outputs": {"output1": batch.blob("few-out.csv")}})
        assert [row[0] for row in rows(batch.get("few-out.csv"))[1:]] == ["2", "3", "4"] and status["Progress"]["Rows"] == 3
        batch.put("many.csv", b"Col1,Col2\n" + b"2,a\n" * 1000)
        status = batch.run({"Input": batch.blob("many.csv")})
        assert "MemoryQuotaViolation" in status["Details"] and "Clean Missing Data" in status["Details"], status
        assert "batch-table-bytes-max" in status["Details"]


# What a caller can do wrong

def wrong(batch, body, code, status=400, kind="BadArgument"):
    answer = batch.call("POST", "", body)
    check(answer, code, status, kind)
    return answer.json()["error"]["details"][0]["message"]


def check(answer, code, status=400, kind="BadArgument"):
    assert answer.status == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["details"][0]["code"]) == (kind, code), error
    assert error["message"] and error["details"][0]["message"]


def test_what_a_request_can_lack_or_have_too_much(batch):
    good = batch.put("in.csv", csv_of(TEXTS))
    wrong(batch, "", "RequestIsEmpty")
    for body in ("{", "[]", "3", {"Input": 5}, {"Input": [good]}, {"Outputs": "x", "Input": good}, {"Input": good, "GlobalParameters": []},
                 {"Input": {**good, "ConnectionString": 5}}):
        wrong(batch, body, "RequestBodyInvalid")
    wrong(batch, {"Input": good, "Inputs": {"input1": good}}, "DuplicateInputInBatchCall")
    for body in ({}, {"Inputs": {}}, {"Input": None}, {"Inputs": {"input1": None}}):
        assert "input1" in wrong(batch, body, "BatchJobInputsNotSpecified")
    assert wrong(batch, {"Inputs": {"input1": good, "Input2": good}}, "InvalidInputNames") == (
        "Invalid service input name(s) specified in the request: Input2. "
        "Please map the input data to the correct service inputs and try again.")
    assert "Output1" in wrong(batch, {"Input": good, "Outputs": {"Output1": good}}, "InvalidOutputOverrideName")
    wrong(batch, {"Input": good, "OnError": "ignore"}, "BadParameterValue")
    assert batch.call("POST", "", "{" + " " * 1_100_000 + "}").status == 413


def test_what_a_reference_can_lack(batch):
    good = batch.put("in.csv", csv_of(TEXTS))
    location, connection = good["RelativeLocation"], batch.connection
    for reference in ({}, {"ConnetionString": connection, "RelativeLocation": location}, {"ConnectionString": connection},
                      {"RelativeLocation": location}, {"ConnectionString": "", "RelativeLocation": location}):
        wrong(batch, {"Input": reference}, "MissingInputBlobInformation")
        wrong(batch, {"Input": good, "Outputs": {"output1": reference}}, "MissingOutputOverrideSpecification")
    wrong(batch, {"Input": good, "Outputs": {"output1": None}}, "MissingOutputOverrideSpecification")
    for text in ("nonsense", "AccountName=a", "AccountName=a;AccountKey=%%%", "AccountKey=YQ==",
                 connection.replace("https", "ftp"), "AccountName=elsewhere;AccountKey=YQ==",
                 f"AccountName={batch.guide['storage']['account']};AccountKey=YQ=="):
        message = wrong(batch, {"Input": {"ConnectionString": text, "RelativeLocation": location}}, "InvalidBlobConnectionString")
        assert "YQ==" not in message and "%%%" not in message
    for text, code in (("in.csv", "InputBlobRelativeLocationInvalid"), ("/in.csv", "InputBlobRelativeLocationInvalid"),
                       ("//in.csv", "ContainerIsEmpty"), ("Up/in.csv", "ContainerSegmentInvalid"), ("ab/in.csv", "ContainerSegmentInvalid"),
                       (f"guide/{'x' * 1025}.csv", "BlobNameTooLong"), ("guide/a\x01.csv", "InvalidBlob")):
        wrong(batch, {"Input": {"ConnectionString": connection, "RelativeLocation": text}}, code)
    wrong(batch, {"Input": good, "Outputs": {"output1": {"ConnectionString": connection, "RelativeLocation": "x.csv"}}}, "InvalidBlob")
    for base in ("ftp://host/", "http://user:word@host/", "http://169.254.169.254/", "nonsense/"):
        wrong(batch, {"Input": {"BaseLocation": base, "RelativeLocation": "c/x.csv", "SasBlobToken": "?sig=x"}}, "InvalidBlob")
    wrong(batch, {"Input": {"BaseLocation": batch.server.urls["blobs"] + "/", "RelativeLocation": "c/x.csv",
                            "SasBlobToken": "?se=2015-04-05T05%3A44%3A55Z&sig=x"}}, "ExpiryTimeInThePast")


@pytest.mark.parametrize("location", ["vishal/training/input", "guide/x.ilearner", "guide/x.txt", "guide/x.csv.zip", "guide/csv"])
def test_extensions_are_checked_at_submit(batch, location):
    good = batch.put("in.csv", csv_of(TEXTS))
    reference = {"ConnectionString": batch.connection, "RelativeLocation": location}
    words = (f"The blob reference: {location} has an invalid or missing file extension. "
             'Supported file extensions for this output type are: ".csv, .tsv, .arff".')
    assert wrong(batch, {"Input": good, "Outputs": {"output1": reference}}, "InvalidBlobExtension") == words
    assert wrong(batch, {"Input": reference}, "InvalidBlobExtension") == words


def test_parameters_are_judged_at_submit(typed, batch):
    good = typed.put("in.csv", b"Col1,Col2\n1,a\n")
    for parameters, code, kind in (({}, "MissingRequiredGlobalParameters", "BadUserArgument"),
                                   ({"bits": 99}, "BadParameterValue", "BadArgument"), ({"bits": "x"}, "BadParameterValue", "BadArgument"),
                                   ({"bits": 1, "more": 1}, "UnexpectedParameter", "BadUserArgument")):
        wrong(typed, {"Input": good, "GlobalParameters": parameters}, code, kind=kind)
    wrong(batch, {"Input": good, "GlobalParameters": {"bits": 1}}, "UnexpectedParameter", kind="BadUserArgument")
    typed.finish({"Input": good, "GlobalParameters": {"bits": "1"}, "Outputs": {"output1": typed.blob("wide.csv")}})
    assert rows(typed.get("wide.csv"))[0] == ["Col1", "Col2", "Col2_HashingFeature.0", "Col2_HashingFeature.1"]


def test_too_wide_an_output_fails_with_the_width(typed):
    good = typed.put("in.csv", b"Col1,Col2\n1,a\n")
    status = typed.run({"Input": good, "GlobalParameters": {"bits": 31}})
    assert "2147483650 columns" in status["Details"], status


def test_start_needs_input_and_container(batch):
    job = batch.submit({"Input": batch.blob("later.csv"), "Outputs": {"output1": batch.blob("later-out.csv")}})
    check(batch.call("POST", f"/{job}/start", ""), "BlobNotFound")
    assert batch.status(job)["StatusCode"] == "NotStarted"
    batch.put("later.csv", csv_of(TEXTS))
    batch.start(job)
    assert batch.wait(job)["StatusCode"] == "Finished"
    answer = batch.call("POST", f"/{job}/start", "")
    check(answer, "CannotStartJob", kind="InvalidOperation")
    assert "Finished" in answer.text
    elsewhere = {"ConnectionString": batch.connection, "RelativeLocation": "nowhere/out.csv"}
    job = batch.submit({"Input": batch.blob("later.csv"), "Outputs": {"output1": elsewhere}})
    check(batch.call("POST", f"/{job}/start", ""), "ContainerValidationFailed")
    batch.call("DELETE", f"/{job}")
    check(batch.call("POST", f"/{job}/start", ""), "CannotStartJob", kind="InvalidOperation")


def test_addresses_that_are_wrong(batch, typed):
    good = batch.put("in.csv", csv_of(TEXTS))
    job = batch.submit({"Input": good})
    check(batch.call("POST", "", {"Input": good}, query="?api-version=3.0"), "BadVersionCall")
    check(batch.call("GET", f"/{job}", query="?x=1"), "InvalidQueryParameter")
    assert batch.call("GET", f"/{job}", query="").status == 200
    for path in ("//start", "/start"):
        check(batch.call("POST", path, ""), "MissingJobId")
    check(batch.call("DELETE", "/"), "MissingJobId")
    for unknown in ("0" * 32, "x", job.upper() + "0"):
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/start")):
            check(batch.call(method, f"/{unknown}{path}"), "JobNotFound", 404, "NotFound")
    # A job of another endpoint is none of this one.
    check(typed.call("GET", f"/{job}"), "JobNotFound", 404, "NotFound")
    check(batch.call("PUT", f"/{job}"), "WebServiceNotFound", 404, "NotFound")
    check(batch.call("GET", f"/{job}/start"), "WebServiceNotFound", 404, "NotFound")
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
        for method, path in (("POST", ""), ("GET", f"/{job}"), ("DELETE", f"/{job}"), ("POST", f"/{job}/start"), ("GET", "")):
            check(call(batch.url, method, batch.base + path, None, headers), "ScoreRequestUnauthorized", 401, "Unauthorized")
    workspace = batch.base.replace(batch.guide["workspace"], "0" * 32)
    check(call(batch.url, "GET", f"{workspace}/{job}", None, batch.headers), "WorkspaceNotFound", 404, "NotFound")
    service = batch.base.replace(batch.guide["service"], "xyz")
    check(call(batch.url, "GET", f"{service}/{job}", None, batch.headers), "WebServiceIdInvalid")
    check(batch.call("GET", "", query="?top=0"), "InvalidQueryParameter")
    check(batch.call("GET", "", query="?state=Lost"), "BadParameterValue")


def test_a_service_without_input_takes_none(live):
    document = experiment("no input", {"Hashing bitsize": 2}, has_input=False)
    batch = published(live, live.guide, document)
    wrong(batch, {"Input": batch.blob("in.csv")}, "BatchJobInputsTooManySpecified")
    wrong(batch, {"Inputs": {"input1": batch.blob("in.csv")}}, "BatchJobInputsTooManySpecified")
    status = batch.finish({"Outputs": {"output1": batch.blob("no-input.csv")}})
    assert len(rows(batch.get("no-input.csv"))) > 100 and status["StatusCode"] == "Finished"


# Waiting, cancelling, many at once

def big(batch, megabytes=60):
    line = "a line of some words that is neither short nor long\n"
    batch.put("big.csv", ("Col2\n" + line * (megabytes * 1_000_000 // len(line))).encode())
    return {"Input": batch.blob("big.csv"), "Outputs": {"output1": batch.blob("big-out.csv")}}


def test_a_job_is_cancelled_before_and_while_it_runs(batch):
    body = big(batch)
    job = batch.submit(body)
    assert batch.call("DELETE", f"/{job}").status == 200
    assert batch.status(job)["StatusCode"] == "Cancelled" and batch.status(job)["Results"] is None
    job = batch.submit(body)
    batch.start(job)
    while (status := batch.status(job))["StatusCode"] == "NotStarted" or status["Progress"]["Rows"] == 0:
        time.sleep(0.005)
    assert status["StatusCode"] == "Running", status
    progress = status["Progress"]
    assert 0 < progress["BytesRead"] < progress["BytesTotal"] and progress["RowsPerSecond"] > 0 and progress["SecondsLeft"] >= 0
    assert batch.call("DELETE", f"/{job}").status == 200
    assert batch.status(job)["StatusCode"] == "Cancelled"
    time.sleep(0.5)
    assert not batch.container.get_blob_client("big-out.csv").exists()
    assert batch.status(job)["StatusCode"] == "Cancelled"


def test_jobs_are_listed_newest_first(batch):
    good = batch.put("in.csv", csv_of(TEXTS))
    made = [batch.submit({"Input": good}) for _ in range(5)]
    listed = [entry["JobId"] for entry in batch.call("GET", "", query="?api-version=2.0&top=3").json()]
    assert listed == made[:1:-1]
    more = [entry["JobId"] for entry in batch.call("GET", "", query=f"?top=2&before={listed[-1]}&state=Created").json()]
    assert more == made[1::-1]


@pytest.mark.parametrize("setting", ["1", "3"])
def test_jobs_run_in_order_and_no_more_than_their_share(setting, monkeypatch):
    monkeypatch.setenv("GATEHOUSE_BATCH_JOBS_PER_ENDPOINT", setting)
    monkeypatch.setenv("GATEHOUSE_BATCH_JOBS_WAITING_MAX", "12")
    with server() as running:
        batch = Batch(running, running.demo())
        batch.put("in.csv", csv_of(TEXTS * 2000))
        bodies = [{"Input": batch.blob("in.csv"), "Outputs": {"output1": batch.blob(f"o{n}.csv")}} for n in range(12)]
        made = [batch.submit(body) for body in bodies]
        check(batch.call("POST", "", bodies[0]), "NoMoreResources", 503, "ServiceUnavailable")
        order = made[::-1]
        most = 0
        for job in order:
            batch.start(job)
        while True:
            listed = batch.call("GET", "", query="").json()
            most = max(most, sum(entry["StatusCode"] == "Running" for entry in listed))
            if all(entry["StatusCode"] not in ("NotStarted", "Running") for entry in listed):
                break
        assert 1 <= most <= int(setting)
        assert {entry["StatusCode"] for entry in listed} == {"Finished"}
        begun = {entry["JobId"]: entry["StartTime"] for entry in listed}
        assert [begun[job] for job in order] == sorted(begun.values())


def test_500_jobs_of_25_clients(fresh):
    batch = Batch(fresh, fresh.demo())
    batch.put("small.csv", csv_of(TEXTS))
    def client(number):
        jobs = []
        for turn in range(20):
            job = batch.submit({"Input": batch.blob("small.csv"), "Outputs": {"output1": batch.blob(f"many/{number}-{turn}.csv")}})
            batch.start(job)
            jobs.append(job)
        return jobs
    with concurrent.futures.ThreadPoolExecutor(25) as pool:
        jobs = [job for made in pool.map(client, range(25)) for job in made]
    assert len(set(jobs)) == 500
    for job in jobs:
        assert batch.wait(job)["StatusCode"] == "Finished"
    expected = rows(batch.get("many/0-0.csv"))
    assert expected[1:] == [hashed(text) for text in TEXTS]
    assert sum(1 for _ in batch.container.list_blobs("many/")) == 500


# Crashes and other accounts

def test_jobs_go_on_after_a_kill(fresh):
    batch = Batch(fresh, fresh.demo())
    texts = [f"row {n} of many words" for n in range(300_000)]
    batch.put("kill.csv", csv_of(texts))
    jobs = [batch.submit({"Input": batch.blob("kill.csv"), "Outputs": {"output1": batch.blob(f"kill-{n}.csv")}}) for n in range(4)]
    waiting = batch.submit({"Input": batch.blob("kill.csv")})
    for job in jobs:
        batch.start(job)
    while not any(batch.status(job)["Progress"] and batch.status(job)["Progress"]["Rows"] for job in jobs):
        time.sleep(0.01)
    fresh.kill()
    began = time.time()
    fresh.start()
    batch = Batch(fresh, fresh.demo())
    while batch.status(jobs[0])["StatusCode"] == "NotStarted":
        assert time.time() - began < 20
    for n, job in enumerate(jobs):
        assert batch.wait(job)["StatusCode"] == "Finished"
        assert [row[0] for row in rows(batch.get(f"kill-{n}.csv"))[1:]] == texts
    assert batch.status(waiting)["StatusCode"] == "NotStarted"


def test_accounts_elsewhere_are_read_and_written_once(monkeypatch):
    with server() as far:
        theirs = Batch(far, far.demo())
        port = far.urls["blobs"].rsplit(":", 1)[1]
        monkeypatch.setenv("GATEHOUSE_BLOB_HOSTS_ALLOWED", f"127.0.0.1:{port}")
        with server() as near:
            ours = Batch(near, near.demo())
            connection = theirs.guide["storage"]["connectionString"]
            far_blob = lambda name: {"ConnectionString": connection, "RelativeLocation": f"guide/{name}"}
            texts = [f"row {n} of many words" for n in range(400_000)]
            theirs.put("far.csv", csv_of(texts))
            status = ours.finish({"Input": far_blob("far.csv"), "Outputs": {"output1": far_blob("far-out.csv")}})
            assert [row[0] for row in rows(fetch(status["Results"]["output1"]))[1:]] == texts
            # Its key is in no file of ours in plain text.
            key = theirs.guide["storage"]["key"].encode()
            for path in pathlib.Path(near.data).rglob("*"):
                assert not path.is_file() or key not in path.read_bytes(), path
            assert key.decode() not in (near.folder / "log").read_text()
            # A successor finds the blocks, or the blob, of who died before it.
            properties = theirs.container.get_blob_client("far-out.csv").get_blob_properties()
            assert properties.metadata["gatehousenote"] == f"{len(texts)}-0"
            for turn in range(4):
                name = f"turn-{turn}.csv"
                job = ours.submit({"Input": far_blob("far.csv"), "Outputs": {"output1": far_blob(name)}})
                ours.start(job)
                target = theirs.container.get_blob_client(name)
                time.sleep(0.15 * (turn + 1))
                near.kill()
                near.start()
                ours = Batch(near, ours.guide)
                assert ours.wait(job)["StatusCode"] == "Finished"
                assert ours.status(job)["Progress"]["Rows"] == len(texts)
                assert [row[0] for row in rows(theirs.get(name))[1:]] == texts
                committed, uncommitted = target.get_block_list("all")
                assert not uncommitted and target.get_blob_properties().metadata["gatehousejob"] == job
            # The account goes away.
            job = ours.submit({"Input": far_blob("gone.csv")})
            ours.start(job)
            status = ours.wait(job)
            assert status["StatusCode"] == "Failed" and "BlobNotFound" in status["Details"]


def test_old_jobs_and_results_are_forgotten(monkeypatch):
    """The clock of the record is moved, not the machine's."""
    with server() as running:
        batch = Batch(running, running.demo())
        batch.put("in.csv", csv_of(TEXTS))
        old = batch.finish({"Input": batch.blob("in.csv")})
        young = batch.submit({"Input": batch.blob("in.csv")})
        batch.start(young)
        kept = batch.wait(young)
        jobs = {entry["JobId"] for entry in batch.call("GET", "", query="").json()}
        (gone,) = jobs - {young}
        running.stop()
        long_ago = time.time() - 91 * 86_400
        # Closed, or its log would stand beside a database that needs none.
        with contextlib.closing(sqlite3.connect(running.data / "work.sqlite")) as work, work:
            work.execute("UPDATE work SET ended = ? WHERE id = ?", (long_ago, gone))
            name = old["Results"]["output1"]["RelativeLocation"].split("/", 1)[1]
            work.execute("UPDATE blobs SET document = json_set(document, '$.modified', ?) WHERE name = ?", (long_ago, name))
        monkeypatch.setenv("GATEHOUSE_BATCH_OUTPUT_DAYS", "30")
        running.start()
        batch = Batch(running, running.demo())
        end = time.time() + 10
        while batch.call("GET", f"/{gone}").status != 404:
            assert time.time() < end
            time.sleep(0.05)
        assert batch.status(young)["StatusCode"] == "Finished"
        container = BlobServiceClient.from_connection_string(batch.guide["storage"]["connectionString"]).get_container_client("experimentoutput")
        while len(left := [blob.name for blob in container.list_blobs()]) != 1:
            assert time.time() < end
            time.sleep(0.05)
        assert left[0] == kept["Results"]["output1"]["RelativeLocation"].split("/", 1)[1]


# Documents, commands, the guide's own scripts

def test_swagger_names_the_jobs(live):
    guide = live.guide
    document = call(live.urls["services"], "GET", f"/workspaces/{guide['workspace']}/services/{guide['service']}/swagger.json").json()
    assert list(document["paths"])[:3] == ["/swagger.json", "/execute?api-version=2.0&format=swagger", "/jobs?api-version=2.0"]
    operations = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert operations == {"getSwaggerDocument", "execute", "submitjob", "startjob", "getjobstatus", "canceljob"}
    assert {"BatchExecutionRequest", "BatchExecutionStatus"} <= set(document["definitions"])


def test_the_demo_api_has_the_guides_five_operations(live):
    found = live.management("GET", "/apis/azureml-demo-api/operations").json()["value"]
    assert {(item["properties"]["displayName"], item["properties"]["method"]) for item in found} == {
        ("RRS Execute", "POST"), ("BES Submit", "POST"), ("BES Start", "POST"), ("BES Status", "GET"), ("BES Delete", "DELETE")}


def test_job_commands(live, batch):
    batch.put("in.csv", csv_of(TEXTS))
    done = live.command("job", "submit", "SimpleFeatureHashingExperiment", "--input", "guide/in.csv", "--output", "output1=guide/command.csv", "--watch")
    assert "Finished" in done.stdout and "guide/command.csv" in done.stdout
    assert rows(batch.get("command.csv"))[1:] == [hashed(text) for text in TEXTS]
    job = re.search(r"job ([0-9a-f]{32})", done.stdout)[1]
    assert job in live.command("job", "list", "--service", "SimpleFeatureHashingExperiment").stdout
    assert json.loads(live.command("job", "show", job).stdout)["StatusCode"] == "Finished"
    batch.put("wrong.csv", b"Other\n")
    failed = live.command("job", "submit", "SimpleFeatureHashingExperiment", "--input", "guide/wrong.csv", "--watch", check=False)
    assert failed.returncode == 1 and "InputMismatchError" in failed.stderr
    created = live.command("job", "submit", "SimpleFeatureHashingExperiment", "--input", "input1=guide/in.csv", "--no-start").stdout.strip()
    live.command("job", "cancel", created)
    watched = live.command("job", "watch", created, check=False)
    assert watched.returncode == 1 and "cancelled" in watched.stderr
    assert created in live.command("job", "list", "--state", "cancelled", "--json").stdout
    missing = live.command("job", "show", "0" * 32, check=False)
    assert missing.returncode == 1 and "not found" in missing.stderr


@pytest.mark.parametrize("door", ["services", "gateway"])
def test_the_guides_scripts(live, door, tmp_path):
    guide, storage = live.guide, live.guide["storage"]
    host = live.urls["services"] if door == "services" else live.urls["gateway"] + "/azureml-demo"
    values = {"THE ADDRESS OF THE SERVICES DOOR OR OF THE API AT THE GATEWAY": host, "THE ADDRESS OF THE BLOBS DOOR": live.urls["blobs"],
              "YOUR WORKSPACE ID": guide["workspace"], "YOUR SERVICE ID": guide["service"],
              "THE API KEY FOR YOUR WEB SERVICE": guide["apiKey"],
              "YOUR SUBSCRIPTION KEY": guide["subscriptionKey"] if door == "gateway" else "",
              "YOUR STORAGE ACCOUNT NAME": storage["account"], "YOUR STORAGE KEY": storage["key"],
              "YOUR STORAGE CONTAINER NAME": storage["container"], "THE LOCATION OF YOUR INPUT FILE": str(tmp_path / "mydata.csv"),
              "THE LOCATION OF YOUR OUTPUT FILE": str(tmp_path / "myresults.csv")}
    (tmp_path / "mydata.csv").write_bytes(csv_of(TEXTS))
    printed = {}
    for name in ("request_response", "batch_execution"):
        text = (ROOT / "examples" / "python" / f"{name}.py").read_text()
        for word, value in values.items():
            text = text.replace(f"<REPLACE WITH {word}>", value)
        assert "<REPLACE" not in text
        script = tmp_path / f"{name}.py"
        script.write_text(text)
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        printed[name] = done.stdout
    assert '"This is a good day","1","1","2","2","0","2","0","1"' in printed["request_response"]
    assert "finished!" in printed["batch_execution"] and "The results for output1 have been written" in printed["batch_execution"]
    assert rows((tmp_path / "myresults.csv").read_bytes()) == [NAMES] + [hashed(text) for text in TEXTS]
