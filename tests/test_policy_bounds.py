"""Counters whose keys callers choose, and answers that are kept: bounds of memory and disk, and nobody gets another's."""
import contextlib
import http.client
import http.server
import json
import pathlib
import sqlite3
import tempfile
import threading
import time

import pytest

from gatehouse import server
from test_policies import GLOBAL, Managed, sections


class Answers(http.server.BaseHTTPRequestHandler):
    """Counts, and says of itself what the query asks for (`h-NAME=VALUE`)."""
    protocol_version = "HTTP/1.1"
    count = 0

    def do_GET(self):
        Answers.count += 1
        path, _, query = self.path.partition("?")
        answer = json.dumps({"count": Answers.count, "path": self.path, "lang": self.headers.get("Accept-Language")}).encode()
        self.send_response(int(self.headers.get("X-Status") or 200))
        for line in json.loads(self.headers.get("X-Say") or "[]"):
            self.send_header(*line)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def upstream():
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    running.daemon_threads = True
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()


@pytest.fixture
def cached(live, upstream, request):
    name = "c" + "".join(c for c in request.node.name.replace("_", "-").lower() if c.isalnum() or c == "-")[-40:].strip("-")
    made = Managed(live, upstream, name)

    def keep(lookup="", store="", inside=""):
        made.set(sections(f'<base /><cache-lookup vary-by-developer="false" vary-by-developer-groups="false" {lookup}>{inside}</cache-lookup>',
                          outbound=f'<base /><cache-store duration="60" {store} />'))
    made.keep = keep
    made.ask = lambda path="/items/1?lang=en", say=(), **headers: made.call(path=path, **{"X-Say": json.dumps(list(say))}, **headers)
    yield made
    live.management("DELETE", f"/apis/{name}", headers={"If-Match": "*"})
    live.management("DELETE", f"/products/{name}?deleteSubscriptions=true", headers={"If-Match": "*"})
    made.set(GLOBAL, "")


def test_one_answer_is_not_another_requests(cached):
    cached.keep(inside="<vary-by-query-parameter>a;b</vary-by-query-parameter><vary-by-header>X-One; X-Two</vary-by-header>")
    seen = set()
    for path in ("a=1%0D2", "a=1&a=2", "a=1%0D%0A2", "a=1%0Ab=2", "a=1&b=2", "a=1%00b=2", "a=%E9", "a=%E8", "a=1:2", "a=", "b=1"):
        seen.add(cached.ask(f"/items/1?lang=en&{path}").json()["count"])
    for headers in ({"X-One": "1"}, {"X-Two": "1"}, {"X-One": "1:x-two1:1"}, {"X-One": "1", "X-Two": "1"}, {"X-One": ""}):
        seen.add(cached.ask(**headers).json()["count"])
    assert len(seen) == 16
    # Bytes that are no text: nobody can tell their keys apart, so they are asked for each time.
    host, port = cached.live.urls["gateway"].split("//")[1].split(":")
    for value in (b"\xe9", b"\xe8", b"\xe9"):
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.putrequest("GET", f"/{cached.name}/items/1?lang=en")
        connection.putheader("Ocp-Apim-Subscription-Key", cached.keys["products"])
        connection.putheader("X-One", value)
        connection.endheaders()
        seen.add(json.loads(connection.getresponse().read())["count"])
        connection.close()
    assert len(seen) == 19


def test_the_answers_vary_and_age(cached):
    cached.keep('downstream-caching-type="public"')
    vary = [("Vary", "Accept-Language"), ("Vary", "X-Kind"), ("Age", "7")]
    english = cached.ask(say=vary, **{"Accept-Language": "en"})
    german = cached.ask(say=vary, **{"Accept-Language": "de"})
    other = cached.ask(say=vary, **{"Accept-Language": "en", "X-Kind": "1"})
    assert len({english.json()["count"], german.json()["count"], other.json()["count"]}) == 3
    assert english.headers["Cache-Control"] == "public, max-age=67, must-revalidate"
    time.sleep(1.1)
    for first, headers in ((english, {"Accept-Language": "en"}), (german, {"Accept-Language": "de"}), (other, {"Accept-Language": "en", "X-Kind": "1"})):
        again = cached.ask(say=vary, **headers)
        assert again.json() == first.json() and again.headers.get_all("Vary") == ["Accept-Language", "X-Kind"]
        age, limit = int(again.headers["Age"]), int(again.headers["Cache-Control"].split("max-age=")[1].split(",")[0])
        assert again.headers.get_all("Age") == [str(age)] and 8 <= age <= 20 and 66 <= limit <= 67
    assert cached.ask(path="/items/2?lang=en", say=[("Vary", "*")]).json()["count"] != cached.ask(
        path="/items/2?lang=en", say=[("Vary", "*")]).json()["count"]


@pytest.mark.parametrize("words, kept", [
    ("no-store", False), ("private", False), ("max-age=60, Private", False), ('private="x"', False), ("no-cache", True), ("max-age=0", True),
    ("s-maxage=0, must-revalidate", True), ("public", True)])
def test_what_the_answer_says_of_being_kept(cached, words, kept):
    say = [("Cache-Control", "x-y"), ("Cache-Control", words)]
    for store, expected in (("", kept), ('cache-response="true"', True), ('cache-response="@(context.Response.StatusCode == 200)"', True),
                            ('cache-response="false"', False)):
        cached.keep(store=store)
        path = f"/items/{len(store)}?lang=en"
        first, again = cached.ask(path, say), cached.ask(path, say)
        assert (first.json()["count"] == again.json()["count"]) == expected, store
        assert (again.headers["Age"] is not None) == expected


def test_a_part_of_an_answer_is_kept_for_nobody(cached):
    cached.keep(store='cache-response="true"')
    first = cached.ask(Range="bytes=0-1", **{"X-Status": "206"})
    assert first.status == 206 and cached.ask().status == 200


def resident(running):
    fields = pathlib.Path(f"/proc/{running.process.pid}/status").read_text()
    return int(fields.split("VmRSS:")[1].split()[0]) << 10


def disk(running):
    return sum(file.stat().st_size for file in running.data.glob("work.sqlite*"))


def rows(running):
    with contextlib.closing(sqlite3.connect(f"file:{running.data}/work.sqlite?mode=ro", uri=True)) as database:
        return database.execute("SELECT count(*), coalesce(max(length(subject)), 0) FROM quotas").fetchone()


def test_keys_of_callers_are_bounded_in_memory_and_on_the_disk(upstream):
    with tempfile.TemporaryDirectory() as folder:
        settings = pathlib.Path(folder) / "settings.yaml"
        settings.write_text("limit-keys-max: 1200\n")
        with server("--config", str(settings)) as running:
            managed = Managed(running, upstream, "bounded")
            # Nothing is forwarded: only counters grow.
            def limit(ends):
                start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 300 + ends))
                managed.set(sections(
                    f'<quota-by-key calls="2" renewal-period="300" first-period-start="{start}" counter-key="@(context.Request.Headers["X-Key"][0])" />'
                    '<rate-limit-by-key calls="2" renewal-period="200" counter-key="@(context.Request.Headers["X-Key"][0])" />', backend=""))

            limit(280)
            host, port = running.urls["gateway"].split("//")[1].split(":")
            connection = http.client.HTTPConnection(host, int(port), timeout=30)

            def ask(key, subscription="products"):
                connection.request("GET", "/bounded/items/1?lang=en", headers={
                    "Ocp-Apim-Subscription-Key": managed.keys[subscription], "X-Key": key})
                answer = connection.getresponse()
                answer.read()
                return answer.status

            long = "k" * 30_000
            for number in range(100):
                assert ask(f"{long}{number}") == 200
            memory, size = resident(running), disk(running)
            for number in range(100, 1200):
                assert ask(f"{long}{number}") == 200
            # 1,100 keys of 30 KB would be 33 MB for each of the two, and twice that on the disk.
            assert resident(running) - memory < 20 << 20
            assert disk(running) - size < 8 << 20
            count, longest = rows(running)
            assert count == 1200 and longest == 71
            assert ask(f"{long}7") == 200 and ask(f"{long}7") in (403, 429), "a known key goes on by itself"
            # New ones share a counter with the limit of one key.
            assert [ask(f"{long}new{number}") for number in range(3)] == [200, 200, 403] and rows(running)[0] == 1201
            assert ask(f"{long}new", "apis") == 200, "other subscriptions have a bound of their own"
            assert rows(running)[0] == 1202
            # What is over leaves the disk; the counters of the quota before go on. (Those of this one have the same bound.)
            limit(6)
            assert ask(f"{long}later", "apis") == 200
            until = time.monotonic() + 30
            while rows(running)[0] != 1202 and time.monotonic() < until:
                time.sleep(0.2)
            assert rows(running)[0] == 1202
            until = time.monotonic() + 10
            while "new keys of a limit share one counter" not in (running.folder / "log").read_text():
                assert time.monotonic() < until
                time.sleep(0.2)
            connection.close()
