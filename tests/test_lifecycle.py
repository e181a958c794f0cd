"""Starts, restarts, settings and ends."""
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import threading
import time

import pytest

from gatehouse import BINARY, GUIDE_TEXT, Server, call, rrs_path, server, table


def test_first_start_says_where_the_password_is_and_keeps_it_private(tmp_path):
    running = Server(tmp_path).start()
    running.stop()
    log = (tmp_path / "log").read_text()
    password = (running.data / "secrets" / "admin-password").read_text().strip()
    assert log.count(str(running.data / "secrets" / "admin-password")) == 1 and len(password) == 20
    assert password not in log
    for name in ("admin-password", "management-token", "master.key", "workspace-token"):
        assert stat.S_IMODE(os.stat(running.data / "secrets" / name).st_mode) == 0o600
    running.start()
    shown = running.command("demo").stdout + running.command("demo", "--json").stdout
    assert password not in shown and str(running.data / "secrets" / "admin-password") in shown
    assert running.token not in running.command("demo").stdout
    running.stop()
    log = (tmp_path / "log").read_text()
    assert password not in log and log.count("secrets/admin-password") == 1


def test_two_installations_share_no_secret(tmp_path):
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        running = Server(folder).start()
        guide = running.demo()
        running.stop()
        secrets = {path.read_text() for path in (running.data / "secrets").iterdir()}
        found.append(secrets | {guide["apiKey"], guide["subscriptionKey"], guide["starterKey"], guide["workspace"]})
    assert not found[0] & found[1]


def test_secrets_are_sealed_at_rest(tmp_path):
    running = Server(tmp_path).start()
    guide = running.demo()
    running.stop()
    stored = b"".join(path.read_bytes() for path in running.data.glob("*.sqlite*"))
    for secret in (guide["apiKey"], guide["subscriptionKey"], guide["starterKey"], pathlib.Path(guide["admin"]["passwordFile"]).read_text().strip()):
        assert secret.encode() not in stored
    log = (tmp_path / "log").read_text()
    assert guide["subscriptionKey"] not in log and guide["managementToken"] not in log


def test_other_ports_change_no_key_and_no_link(tmp_path):
    running = Server(tmp_path).start()
    before = running.demo()
    running.stop()
    running.start()
    after = running.demo()
    for name in ("workspace", "service", "apiKey", "subscriptionKey", "starterKey", "managementToken", "management", "admin"):
        assert before[name] == after[name]
    assert before["gateway"] != after["gateway"]
    headers = {"Ocp-Apim-Subscription-Key": before["subscriptionKey"], "Authorization": f"Bearer {before['apiKey']}"}
    answer = call(running.urls["gateway"], "POST", "/azureml-demo" + rrs_path(before), table([[GUIDE_TEXT]]), headers)
    assert answer.status == 200
    shown = running.management("GET", "/apis/azureml-demo-api").json()["properties"]["serviceUrl"]
    assert shown == running.urls["services"]
    running.stop()


def test_a_door_that_cannot_open_closes_those_before_it(tmp_path):
    with socket.socket() as taken, socket.socket() as free:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free.bind(("127.0.0.1", 0))
        services = free.getsockname()[1]
        free.close()
        portal = taken.getsockname()[1]
        running = Server(tmp_path, ports={"services": services, "portal": portal})
        with pytest.raises(RuntimeError, match=f"The portal door cannot listen on 127.0.0.1:{portal}"):
            running.start()
        assert running.process.wait(20) == 1
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", services), 5)
    # Nothing is left that the next start would have to mend.
    again = Server(tmp_path).start()
    assert again.stop() == 0


def test_a_second_server_names_the_first(tmp_path):
    running = Server(tmp_path).start()
    done = subprocess.run([str(BINARY), "serve", "--data", str(running.data)], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and str(running.process.pid) in done.stderr
    running.stop()


def test_sigterm_ends_open_requests_first(tmp_path):
    running = Server(tmp_path).start()
    guide = running.demo()
    body = json.dumps(table([["many words to hash " * 30]] * 20000))
    got = []
    headers = {"Authorization": f"Bearer {guide['apiKey']}"}
    caller = threading.Thread(target=lambda: got.append(call(running.urls["services"], "POST", rrs_path(guide), body, headers)))
    caller.start()
    time.sleep(0.15)
    assert running.stop() == 0
    caller.join()
    assert got and got[0].status == 200 and len(got[0].json()["Results"]["output1"]["value"]["Values"]) == 20000


def test_there_are_as_many_loops_as_processors_that_may_be_used(tmp_path):
    def loops(folder, *flags, **options):
        folder.mkdir()
        running = Server(folder, *flags, **options).start()
        names = [(task / "comm").read_text() for task in pathlib.Path(f"/proc/{running.process.pid}/task").iterdir()]
        groups = [int(name.split("-")[2]) for name in names if name.startswith("NIO-ELT-")]
        # More loops than processors give way to one another, and serve as well.
        assert call(running.urls["gateway"], "GET", "/nothing").status == 404
        assert running.stop() == 0
        return groups.count(min(groups))

    pinned = min(os.sched_getaffinity(0))
    assert loops(tmp_path / "all") <= len(os.sched_getaffinity(0))
    assert loops(tmp_path / "pinned", pin=pinned) == 1
    assert loops(tmp_path / "two", "--loops", "2", pin=pinned) == 2


def test_settings_come_from_flags_environment_and_file(tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text("rrs-rows-max: 2\ngateway-port: 1\n")
    with server("--config", str(config), "--public-url", "gateway=https://api.example.org", "--public-url",
                "services=https://ml.example.org/") as running:
        guide = running.demo_names and running.command("demo", "--json", check=False)
        assert running.urls["gateway"] == "https://api.example.org" and running.urls["services"] == "https://ml.example.org"
        assert guide is not None
    for wrong in (["--gateway-port", "70000"], ["--roles", "queen"], ["--public-url", "x"], ["--loops", "0"], ["--log-level", "loud"]):
        done = subprocess.run([str(BINARY), "serve", "--data", str(tmp_path / "d"), *wrong], capture_output=True, text=True, timeout=20)
        assert done.returncode != 0 and done.stderr.strip(), wrong


def test_limits_are_settings(tmp_path):
    with server("--config", str(write(tmp_path / "c.json", '{"rrs-rows-max": 2, "rrs-body-bytes-max": 500}'))) as running:
        guide = running.demo()
        headers = {"Authorization": f"Bearer {guide['apiKey']}"}
        rows = call(running.urls["services"], "POST", rrs_path(guide), table([["a"]] * 3), headers)
        assert rows.status == 413 and rows.json()["error"]["code"] == "MemoryQuotaViolation"
        assert call(running.urls["services"], "POST", rrs_path(guide), table([["a" * 600]]), headers).status == 413


def write(path, text):
    path.write_text(text)
    return path


def test_init_is_the_guides_form(tmp_path):
    run = lambda *words: subprocess.run([str(BINARY), "init", "--data", str(tmp_path / "d"), *words], capture_output=True, text=True, timeout=20)
    assert run("--name", "-bad-").returncode != 0
    done = run("--name", "demoazureml", "--organization", "demoazureml", "--admin-email", "me@example.org")
    assert done.returncode == 0 and "me@example.org" in done.stdout
    secret = tmp_path / "d" / "secrets" / "admin-password"
    assert str(secret) in done.stdout and secret.read_text().strip() not in done.stdout + done.stderr
    assert run().returncode != 0
    running = Server(tmp_path)
    running.data = tmp_path / "d"
    running.start()
    assert running.demo_names["serviceName"] == "demoazureml"
    service = running.management("GET", "").json()
    assert service["properties"]["publisherEmail"] == "me@example.org"
    running.stop()


def test_idle_memory_is_small(fresh):
    guide = fresh.demo()
    headers = {"Ocp-Apim-Subscription-Key": guide["subscriptionKey"], "Authorization": f"Bearer {guide['apiKey']}"}
    for _ in range(200):
        assert call(fresh.urls["gateway"], "POST", "/azureml-demo" + rrs_path(guide), table([["a"]]), headers).status == 200
    resident = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{fresh.process.pid}/status").read())[1])
    assert resident < 100_000, "scripts/bench startup says how much it is with many APIs and keys"


def test_doors_that_are_not_run_do_not_listen(tmp_path):
    with server("--roles", "portal,gateway,worker") as running:
        with pytest.raises(OSError):
            call(f"http://127.0.0.1:{running.ports.get('services', 8082)}", "GET", "/", timeout=2)
