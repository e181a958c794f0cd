"""What calls leave behind: roll-ups, single calls, access log, metrics, health and trace context."""
import contextlib
import http.client
import http.server
import json
import re
import sqlite3
import threading
import time

import pytest

from gatehouse import call, server
from test_gateway import Upstream, guide_call
from test_policies import Managed, sections


@pytest.fixture(scope="module")
def upstream():
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()


@contextlib.contextmanager
def facts(running):
    connection = sqlite3.connect(f"file:{running.data / 'facts.sqlite'}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


def wait_for(running, sql, arguments, wanted, seconds=6):
    """Facts come within a second or two."""
    end = time.monotonic() + seconds
    while True:
        with facts(running) as connection:
            found = connection.execute(sql, arguments).fetchone()[0]
        if found == wanted or time.monotonic() > end:
            return found
        time.sleep(0.1)


def get(running, path, headers=None):
    return call(running.urls["gateway"], "GET", path, None, headers)


def test_every_call_is_counted_and_the_latest_stand_singly(live, upstream):
    managed = Managed(live, upstream, "facts")
    managed.set(sections(inbound='<base /><check-header name="x-ok" failed-check-httpcode="400"'
                         ' failed-check-error-message="no" ignore-case="true" id="needs-ok" />'))
    key = {"Ocp-Apim-Subscription-Key": managed.keys["products"]}
    for _ in range(3):
        assert get(live, "/facts/items/1?lang=es", {**key, "x-ok": "1"}).status == 200
    assert get(live, "/facts/items/1?lang=es", key).status == 400
    assert get(live, "/facts/items/1?lang=es").status == 401
    assert get(live, f"/facts/items/1?lang=es&subscription-key={managed.keys['apis']}&token=s3cr3t",
               {"x-ok": "1"}).status == 200
    assert get(live, "/facts/nothing", key).status == 404

    total = "SELECT COALESCE(SUM(success + blocked + failed + other), 0) FROM usage WHERE api = 'facts'"
    assert wait_for(live, total, (), 7) == 7
    with facts(live) as connection:
        rows = connection.execute(
            "SELECT operation, product, subscription, SUM(success) success, SUM(blocked) blocked, SUM(failed) failed,"
            " SUM(other) other, SUM(time_sum) time, SUM(service_count) service, SUM(bandwidth) bytes FROM usage"
            " WHERE api = 'facts' GROUP BY operation, product, subscription").fetchall()
        found = {(row["operation"], row["subscription"]): row for row in rows}
        paid = found["get", "facts-products"]
        assert (paid["success"], paid["failed"], paid["product"], paid["service"]) == (3, 1, "facts", 3)
        assert paid["time"] > 0 and paid["bytes"] > 800
        assert found["get", ""]["blocked"] == 1
        assert found["get", "facts-apis"]["success"] == 1
        assert found["", ""]["other"] == 1
        single = connection.execute("SELECT * FROM requests WHERE api = 'facts' ORDER BY ordinal").fetchall()
    # Calls of two loops are written in any order.
    assert sorted(row["status"] for row in single) == [200, 200, 200, 200, 400, 401, 404]
    plain = [row for row in single if row["subscription"] == "facts-products" and row["status"] == 200][0]
    assert plain["method"] == "GET" and plain["url"] == "/facts/items/1?lang=es"
    assert plain["backend_status"] == 200 and plain["service_microseconds"] <= plain["microseconds"]
    assert plain["address"] == "127.0.0.1" and plain["weight"] == 1
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", plain["id"])
    by_status = {row["status"]: row for row in single}
    refused = by_status[400]
    assert (refused["error_source"], refused["error_reason"], refused["error_section"], refused["error_policy"]) == (
        "check-header", "HeaderNotFound", "inbound", "needs-ok")
    assert by_status[401]["error_reason"] == "SubscriptionKeyNotFound"
    assert by_status[404]["error_reason"] == "OperationNotFound" and by_status[404]["operation"] == ""
    secret = [row for row in single if row["subscription"] == "facts-apis"][0]["url"]
    assert managed.keys["apis"] not in secret and "s3cr3t" not in secret and "lang=es" in secret, secret


def test_calls_of_local_services_are_counted(live):
    total = ("SELECT COALESCE(SUM(service_count), 0) FROM usage WHERE api ="
             " (SELECT api FROM requests WHERE url LIKE '/azureml-demo/%' ORDER BY ordinal LIMIT 1)")
    assert guide_call(live, live.guide["subscriptionKey"]).status == 200
    known, before = 0, -1
    while known != before:
        # What others called is counted within a second or two.
        time.sleep(1.5)
        with facts(live) as connection:
            known, before = connection.execute(total).fetchone()[0], known
    assert guide_call(live, live.guide["subscriptionKey"]).status == 200
    assert wait_for(live, total, (), known + 1) == known + 1


def test_counts_survive_a_stop_and_a_kill_but_for_a_second(upstream):
    with server() as running:
        managed = Managed(running, upstream, "kept")
        key = {"Ocp-Apim-Subscription-Key": managed.keys["products"]}
        total = "SELECT COALESCE(SUM(time_count), 0) FROM usage WHERE api = 'kept'"
        for _ in range(5):
            get(running, "/kept/items/1?lang=es", key)
        assert running.stop() == 0
        with facts(running) as connection:
            assert connection.execute(total).fetchone()[0] == 5
        running.start()
        # Perhaps in the same minute: the row of the first process stays beside.
        for _ in range(4):
            get(running, "/kept/items/1?lang=es", key)
        time.sleep(2.5)
        running.kill()
        with facts(running) as connection:
            assert connection.execute(total).fetchone()[0] == 9
        running.start()


def test_the_access_log_has_a_line_for_every_call(upstream, tmp_path):
    log = tmp_path / "access.jsonl"
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"access-log: {log}\n")
    with server("--config", str(settings)) as running:
        managed = Managed(running, upstream, "logged")
        key = {"Ocp-Apim-Subscription-Key": managed.keys["products"]}
        parts = running.urls["gateway"].rsplit(":", 1)
        connection = http.client.HTTPConnection("127.0.0.1", int(parts[1]))
        for number in range(600):
            connection.request("GET", f"/logged/items/{number}?lang=es", headers=key)
            assert connection.getresponse().read() is not None
        moved = log.with_suffix(".1")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and (not log.exists() or log.read_text().count("\n") < 600):
            time.sleep(0.1)
        log.rename(moved)
        get(running, "/logged/items/last?lang=es&Subscription%2Dkey=wrong")
        running.stop()
        lines = [json.loads(line) for line in moved.read_text().splitlines()]
        assert [line["url"] for line in lines] == [f"/logged/items/{number}?lang=es" for number in range(600)]
        assert lines[0]["api"] == "logged" and lines[0]["status"] == 200 and lines[0]["backendStatus"] == 200
        last = json.loads(log.read_text())
        assert last["status"] == 401 and "wrong" not in last["url"], "a file that was moved away is made anew"
        with facts(running) as store:
            stands_for, rows = store.execute("SELECT SUM(weight), COUNT(*) FROM requests").fetchone()
        assert rows <= 601
        assert 550 <= stands_for <= 650, "rows say how many calls they stand for"


def test_metrics_have_the_names_of_opentelemetry(live, upstream):
    managed = Managed(live, upstream, "metered")
    get(live, "/metered/items/1?lang=es", {"Ocp-Apim-Subscription-Key": managed.keys["apis"]})
    deadline = time.monotonic() + 5
    while True:
        answer = call(live.urls["portal"], "GET", "/metrics")
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        if 'gatehouse_api_calls_total{api="metered"} 1' in answer.text or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert 'gatehouse_api_calls_total{api="metered"} 1' in answer.text
    assert "# TYPE http_server_request_duration_seconds histogram" in answer.text
    pattern = r'http_server_request_duration_seconds_(bucket|count)\{http_request_method="GET",http_response_status_code="200"'
    series = re.findall(pattern + r'(?:,le="([^"]+)")?\} (\d+)', answer.text)
    counts = [int(count) for kind, _, count in series if kind == "bucket"]
    assert counts == sorted(counts) and series[-1][0] == "count" and counts[-1] == int(series[-1][2])
    assert re.search(r"^process_resident_memory_bytes [1-9]\d+$", answer.text, re.M)


def test_metrics_ask_for_a_token_where_others_reach_the_door():
    with server("--bind", "0.0.0.0") as running:
        assert call(running.urls["portal"], "GET", "/metrics").status == 401
        wrong = call(running.urls["portal"], "GET", "/metrics", None, {"Authorization": "Bearer x"})
        assert wrong.status == 401
        right = call(running.urls["portal"], "GET", "/metrics", None, {"Authorization": f"Bearer {running.token}"})
        assert right.status == 200
        assert call(running.urls["portal"], "GET", "/health/live").json() == {"status": "ok"}
        assert call(running.urls["portal"], "GET", "/health/ready").json() == {"status": "ok"}


class Mirror(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_trace_context_goes_through(live):
    mirror = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=mirror.serve_forever, daemon=True).start()
    managed = Managed(live, f"http://127.0.0.1:{mirror.server_address[1]}", "traced")

    def seen(headers):
        answer = get(live, "/traced/items/1?lang=es", {"Ocp-Apim-Subscription-Key": managed.keys["apis"], **headers})
        found = [value for name, value in answer.json() if name == "traceparent"]
        states = [value for name, value in answer.json() if name == "tracestate"]
        assert len(found) == 1
        return found[0], states

    begun, _ = seen({})
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", begun)
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    carried, states = seen({"traceparent": f"00-{trace}-{span}-00", "tracestate": "vendor=1"})
    assert carried.startswith(f"00-{trace}-") and carried.endswith("-00") and span not in carried
    assert states == ["vendor=1"]
    for broken in (f"00-{'0' * 32}-{span}-01", f"ff-{trace}-{span}-01", f"00-{trace.upper()}-{span}-01", "x",
                   f"00-{trace}-{span}-01-more"):
        fresh, _ = seen({"traceparent": broken})
        assert trace not in fresh and re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", fresh)
    later, _ = seen({"traceparent": f"01-{trace}-{span}-01-more"})
    assert later.startswith(f"00-{trace}-")
    mirror.shutdown()
