"""The descriptions of the doors of management: kept, true, and run over by schemathesis."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

from gatehouse import DEEP, call, server
from test_changes import signature

KEPT = {door: pathlib.Path(__file__).resolve().parent.parent / "docs" / f"{name}.openapi.json"
        for door, name in (("arm", "management"), ("direct", "direct"))}
# Seconds: in scripts/check-deep long enough that every operation is met several times, else a short round.
BUDGETS = {"arm": 90, "direct": 60} if DEEP else {"arm": 20, "direct": 15}


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        fresh.demo()
        yield fresh


def document(own, door):
    answer = call(own.urls["portal"], "GET", f"/api/openapi.json?door={door}", None, {"Authorization": f"Bearer {own.token}"})
    assert answer.status == 200, answer.text
    return answer.json()


def authorization(own, door):
    if door == "arm":
        return f"Bearer {own.token}"
    assert own.management("PATCH", "/tenant/access", {"properties": {"enabled": True}}, {"If-Match": "*"}).status == 200
    keys = own.management("POST", "/tenant/access/listSecrets", {}).json()
    return "SharedAccessSignature " + signature(keys["principalId"], keys["primaryKey"])


@pytest.mark.parametrize("door", KEPT)
def test_the_kept_description_is_the_served_one(own, door):
    """To keep it anew after a change of the types: KEEP=1 pytest tests/test_openapi.py -k kept."""
    served = document(own, door)
    served["servers"] = [{"url": "{portal}/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.ApiManagement"
                                 "/service/{serviceName}",
                          "variables": {"portal": {"default": "http://127.0.0.1:8081"}, "subscriptionId": {"default": "own"},
                                        "resourceGroup": {"default": "gatehouse"}, "serviceName": {"default": "gatehouse"}}}]
    if door == "direct":
        served["servers"] = [{"url": "{portal}/direct", "variables": {"portal": {"default": "http://127.0.0.1:8081"}}}]
    if os.environ.get("KEEP"):
        KEPT[door].write_text(json.dumps(served, indent=1, sort_keys=True) + "\n")
    assert json.loads(KEPT[door].read_text()) == served


@pytest.mark.parametrize("door", KEPT)
def test_schemathesis_finds_no_fault(own, tmp_path, door):
    file = tmp_path / "openapi.json"
    described, budget = document(own, door), BUDGETS[door]
    # What would close the door that is being tried.
    for path in list(described["paths"]):
        if door == "direct" and path.startswith("/tenant"):
            del described["paths"][path]
    file.write_text(json.dumps(described))
    command = [str(pathlib.Path(sys.executable).parent / "st"), "run", str(file), "--url", described["servers"][0]["url"],
               "-H", f"Authorization: {authorization(own, door)}", "--checks", "not_a_server_error,status_code_conformance",
               "--phases", "examples,coverage,fuzzing", "--max-examples", "6", "--max-time", str(budget), "--seed", "7",
               # One: two threads that read Python at once end in "AST constructor recursion depth mismatch" of Python 3.11.
               "--workers", "1",
               "--continue-on-failure", "--no-color", "--generation-database", "none", "--no-shrink"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=budget + 120, cwd=tmp_path)
    # What failed, and what could not be asked, stands before pages of warnings.
    found = [done.stdout.partition(f" {title} ")[2][:5000] for title in ("ERRORS", "FAILURES")]
    assert done.returncode == 0, "\n".join([*found, done.stdout[-2000:], done.stderr[-2000:]])
    # The server is what it was.
    assert own.management("GET", "/apis/echo-api").status in (200, 404)
