"""The description of the management door: kept, true, and run over by schemathesis."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

from gatehouse import call, server

KEPT = pathlib.Path(__file__).resolve().parent.parent / "docs" / "management.openapi.json"
# Seconds: long enough that every operation is met several times.
BUDGET = 100


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        fresh.demo()
        yield fresh


def document(own):
    answer = call(own.urls["portal"], "GET", "/api/openapi.json", None, {"Authorization": f"Bearer {own.token}"})
    assert answer.status == 200, answer.text
    return answer.json()


def test_the_kept_description_is_the_served_one(own):
    """To keep it anew after a change of the types: KEEP=1 pytest tests/test_openapi.py -k kept."""
    served = document(own)
    served["servers"] = [{"url": "{portal}/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.ApiManagement"
                                 "/service/{serviceName}",
                          "variables": {"portal": {"default": "http://127.0.0.1:8081"}, "subscriptionId": {"default": "own"},
                                        "resourceGroup": {"default": "gatehouse"}, "serviceName": {"default": "gatehouse"}}}]
    if os.environ.get("KEEP"):
        KEPT.write_text(json.dumps(served, indent=1, sort_keys=True) + "\n")
    assert json.loads(KEPT.read_text()) == served


def test_schemathesis_finds_no_fault(own, tmp_path):
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document(own)))
    command = [str(pathlib.Path(sys.executable).parent / "st"), "run", str(file), "--url", document(own)["servers"][0]["url"],
               "-H", f"Authorization: Bearer {own.token}", "--checks", "not_a_server_error,status_code_conformance",
               "--phases", "examples,coverage,fuzzing", "--max-examples", "6", "--max-time", str(BUDGET), "--seed", "7", "--workers", "2",
               "--continue-on-failure", "--no-color", "--generation-database", "none", "--no-shrink"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUDGET + 120, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]
    # The server is what it was.
    assert own.management("GET", "/apis/echo-api").status in (200, 404)
