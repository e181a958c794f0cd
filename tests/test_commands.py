"""The command line, as a person and as a program use it."""
import json
import os
import subprocess

import pytest

from gatehouse import BINARY, GUIDE_TEXT

EXPERIMENT = {"Name": "typed", "Nodes": [
    {"Id": "data", "Module": "Enter Data Manually", "Parameters": {"Data": "a,b\n1,x\n2,\n"}},
    {"Id": "clean", "Module": "Clean Missing Data", "Parameters": {"Cleaning mode": "Remove entire row"}}],
    "Edges": [{"From": {"Node": "data", "Port": "dataset"}, "To": {"Node": "clean", "Port": "Dataset"}}]}


def test_demo_is_idempotent(live):
    assert live.demo() == live.guide
    text = live.command("demo").stdout
    curl = next(line for line in text.splitlines() if line.startswith("curl "))
    answer = subprocess.run(["bash", "-c", curl + " -s"], capture_output=True, text=True, timeout=20)
    assert f'["{GUIDE_TEXT}","1","1","2","2","0","2","0","1"]' in answer.stdout
    for key in ("gateway", "portal", "services", "blobs", "workspace", "service", "apiKey", "apiPath", "subscriptionKey",
                "starterKey", "managementToken", "management", "admin"):
        assert live.guide[key]


def test_datasets(fresh, tmp_path):
    (tmp_path / "d.nh.tsv").write_text("1\ttwo\n")
    assert "GenericTSVNoHeader" in fresh.command("dataset", "create", str(tmp_path / "d.nh.tsv"), "--name", "mine").stdout
    assert fresh.command("dataset", "create", str(tmp_path / "d.nh.tsv"), "--name", "mine", check=False).returncode == 1
    fresh.command("dataset", "create", str(tmp_path / "d.nh.tsv"), "--name", "mine", "--replace")
    assert fresh.command("dataset", "export", "mine").stdout == "1\ttwo\n"
    assert [d["Name"] for d in json.loads(fresh.command("dataset", "list", "--json").stdout)] == ["mine"]
    assert json.loads(fresh.command("dataset", "show", "mine").stdout)["RowCount"] == 1
    fresh.command("dataset", "delete", "mine")
    assert json.loads(fresh.command("dataset", "list", "--json").stdout) == []
    (tmp_path / "latin.csv").write_bytes(b"n\n\xe9\n")
    refused = fresh.command("dataset", "create", str(tmp_path / "latin.csv"), check=False)
    assert refused.returncode == 1 and "not UTF-8" in refused.stderr
    (tmp_path / "d.svmlight").write_text("1 1:1")
    refused = fresh.command("dataset", "create", str(tmp_path / "d.svmlight"), check=False)
    assert refused.returncode == 1 and "SVMLight is not supported" in refused.stderr and refused.stdout == ""


def test_experiments_and_services(fresh, tmp_path):
    path = tmp_path / "e.json"
    path.write_text(json.dumps(EXPERIMENT))
    fresh.command("experiment", "create", str(path))
    run = fresh.command("experiment", "run", "typed", "--watch")
    assert "Finished" in run.stdout and "nodes" in run.stderr
    assert fresh.command("experiment", "output", "typed", "clean", "Cleaned dataset").stdout == "a,b\n1,x\n"
    assert "Finished" in fresh.command("experiment", "runs", "typed").stdout
    refused = fresh.command("experiment", "publish", "typed", check=False)
    assert refused.returncode == 1 and "no web service output" in refused.stderr
    fresh.demo()
    call = fresh.command("service", "call", "SimpleFeatureHashingExperiment", f"Col2={GUIDE_TEXT}")
    assert call.stdout.splitlines()[1].split() == GUIDE_TEXT.split() + "1 1 2 2 0 2 0 1".split()
    assert "SimpleFeatureHashingExperiment" in fresh.command("service", "list").stdout
    assert "PrimaryKey" not in fresh.command("service", "show", "SimpleFeatureHashingExperiment").stdout
    fresh.command("service", "delete", "SimpleFeatureHashingExperiment")
    assert fresh.command("service", "call", "SimpleFeatureHashingExperiment", "Col2=x", check=False).returncode == 1
    fresh.command("experiment", "delete", "typed")


def test_apis_products_and_subscriptions(fresh):
    fresh.command("api", "create", "weather", "--name", "Weather", "--path", "weather", "--service-url", "http://127.0.0.1:9")
    fresh.command("operation", "create", "today", "--api", "weather", "--name", "Today", "--method", "get", "--template", "/today/{city}?unit={u}")
    shown = json.loads(fresh.command("operation", "show", "today", "--api", "weather").stdout)["properties"]
    assert shown["method"] == "GET" and [p["name"] for p in shown["templateParameters"]] == ["city", "u"]
    fresh.command("api", "update", "weather", "--set", "description=How it is", "--protocols", "http,https")
    assert json.loads(fresh.command("api", "show", "weather").stdout)["properties"]["description"] == "How it is"
    fresh.command("product", "create", "gold", "--name", "Gold", "--state", "published")
    fresh.command("product", "add-api", "gold", "weather")
    assert "weather" in fresh.command("product", "apis", "gold").stdout
    fresh.command("subscription", "create", "mine", "--name", "Mine", "--scope", "/products/gold", "--state", "active")
    keys = json.loads(fresh.command("subscription", "keys", "mine", "--json").stdout)
    fresh.command("subscription", "regenerate", "mine", "--key", "secondary")
    after = json.loads(fresh.command("subscription", "keys", "mine", "--json").stdout)
    assert keys["primaryKey"] == after["primaryKey"] and keys["secondaryKey"] != after["secondaryKey"]
    assert "Mine" in fresh.command("subscription", "list").stdout
    refused = fresh.command("product", "delete", "gold", check=False)
    assert refused.returncode == 1 and "subscriptions" in refused.stderr
    fresh.command("subscription", "delete", "mine")
    fresh.command("product", "delete", "gold")
    fresh.command("operation", "delete", "today", "--api", "weather")
    fresh.command("api", "delete", "weather")
    assert fresh.command("api", "show", "weather", check=False).returncode == 1
    broken = fresh.command("api", "create", "x", "--name", "X", "--path", "x", "--protocols", "ftp", check=False)
    assert broken.returncode == 1 and "protocols" in broken.stderr


def test_help_completion_and_wrong_words():
    run = lambda *words: subprocess.run([str(BINARY), *words], capture_output=True, text=True, timeout=20)
    assert "experiment" in run("--help").stdout
    for shell in ("bash", "zsh", "fish"):
        assert len(run("--generate-completion-script", shell).stdout) > 1000
    wrong = run("nonsense")
    assert wrong.returncode != 0 and wrong.stderr and not wrong.stdout


def test_without_a_server_the_error_says_what_to_do(tmp_path):
    done = subprocess.run([str(BINARY), "api", "list", "--data", str(tmp_path)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "gatehouse serve" in done.stderr


def test_the_binary_works_when_copied_elsewhere(tmp_path):
    import shutil
    copy = tmp_path / "gatehouse"
    shutil.copy(BINARY, copy)
    done = subprocess.run([str(copy), "--version"], capture_output=True, text=True, timeout=20, env={"PATH": os.defpath})
    assert done.stdout.strip() == "0.1.0"
    needed = subprocess.run(["ldd", str(copy)], capture_output=True, text=True, timeout=20).stdout
    assert "swift" not in needed and "not found" not in needed
