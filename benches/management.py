"""What the control plane costs: a page of 100 and of 100,000 subscriptions, a put beside the disk's own write, reports of 100 million calls.

Pages and puts go over one kept-alive connection, so that no handshake is counted. The bare write is 4 KiB and fdatasync into a file
of the same folder, taken between the puts. Roll-ups are those of 30 days by minute, as many subjects as --subjects says.
"""
import argparse
import datetime
import http.client
import json
import os
import pathlib
import random
import sqlite3
import statistics
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from gatehouse import Server  # noqa: E402

DAYS = 30


class Door:
    def __init__(self, server):
        parts = urllib.parse.urlsplit(server.urls["portal"])
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
        self.headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
        self.root = ("/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.ApiManagement/service/"
                     "{serviceName}").format(**server.demo_names)

    def __call__(self, method, path, body=None):
        sign = "&" if "?" in path else "?"
        start = time.perf_counter()
        self.connection.request(method, f"{self.root}{path}{sign}api-version=2022-08-01", body, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        took = (time.perf_counter() - start) * 1000
        assert answer.status < 300, text
        return took, json.loads(text)


def pages(server, rounds):
    """Milliseconds of the first page, of one in the middle, and of the last."""
    door = Door(server)
    first, page = [], None
    for _ in range(rounds):
        took, page = door("GET", "/subscriptions?$top=100")
        first.append(took)
    count = page["count"]
    middle = []
    for _ in range(rounds):
        token = urllib.parse.urlsplit(page["nextLink"]).query if "nextLink" in page else "$top=100"
        took, following = door("GET", f"/subscriptions?{token.replace('api-version=2022-08-01', 'x=1')}")
        middle.append(took)
        page = following if "nextLink" in following else page
    return count, statistics.median(first), statistics.median(middle)


def puts(server, rounds):
    """Milliseconds of puts and of bare writes between them."""
    door = Door(server)
    file = os.open(server.data / "bare-write", os.O_CREAT | os.O_WRONLY)
    block, whole, bare = os.urandom(4096), [], []
    for number in range(rounds):
        took, _ = door("PUT", f"/tags/bench-{number % 10}", json.dumps({"properties": {"displayName": f"bench {number}"}}))
        whole.append(took)
        start = time.perf_counter()
        os.pwrite(file, block, (number % 256) * 4096)
        os.fdatasync(file)
        bare.append((time.perf_counter() - start) * 1000)
    os.close(file)
    return statistics.median(whole), statistics.median(bare)


def fill(data, subscriptions):
    """Subscriptions as the store writes them; those of before are replaced."""
    database = sqlite3.connect(data / "configuration.sqlite")
    put = ("INSERT OR REPLACE INTO resources (key, id, parent, word, type, etag, sequence, ix0, ix1, ix2, properties) "
           "VALUES (?, ?, '/', 'subscriptions', 'subscriptions', 'AAAAAAAAAAE=', 1, ?, '/products/starter', 'active', ?)")
    database.executemany(put, ((f"/subscriptions/more-{number}", f"/subscriptions/more-{number}", f"More {number}",
                                json.dumps({"displayName": f"More {number}", "scope": "/products/starter", "state": "active"}))
                               for number in range(subscriptions)))
    database.commit()
    database.close()


# Of the table of roll-ups, but for the place of callers.
COLUMNS = ("minute, api, operation, product, subscription, user, run, success, blocked, failed, other, bandwidth, cache_hits, cache_misses, "
           "time_count, time_sum, time_min, time_max, service_count, service_sum, service_min, service_max, latency")


def fill_usage(data, calls, subjects):
    database = sqlite3.connect(data / "facts.sqlite")
    now = int(time.time()) // 60
    minutes = DAYS * 1440
    each = max(1, calls // (minutes * subjects))
    draw = random.Random(1)

    def rows():
        for minute in range(now - minutes, now):
            for subject in range(subjects):
                failed = draw.randrange(each // 50 + 1)
                yield (minute, f"api-{subject % 5}", f"operation-{subject}", "starter" if subject % 2 else "unlimited",
                       f"subscription-{subject % 7}", f"user-{subject % 3}", 1, each - failed, 0, failed, 0, each * 900, 0, 0, each,
                       each * 2000, 400, 90000, each, each * 1500, 300, 80000, b"")

    # The server has seen these days without a call.
    database.execute("DELETE FROM folded")
    database.execute("DELETE FROM usage_folded")
    database.executemany(f"INSERT OR REPLACE INTO usage ({COLUMNS}) VALUES ({', '.join('?' * 23)})", rows())
    database.commit()
    total = database.execute("SELECT sum(success + failed), count(*) FROM usage").fetchone()
    database.close()
    return total


def folded(data):
    """Waits until the server has added all up to hours and days."""
    end = time.time() + 180
    while time.time() < end:
        database = sqlite3.connect(f"file:{data / 'facts.sqlite'}?mode=ro", uri=True)
        found = dict(database.execute("SELECT span, until FROM folded").fetchall())
        database.close()
        now = int(time.time()) // 60
        if found.get(60, 0) > now - 70 and found.get(1440, 0) > now - 2 * 1440:
            return
        time.sleep(0.5)
    raise TimeoutError("hours and days were not added up")


def reports(server, rounds, calls):
    door = Door(server)
    now = datetime.datetime.now(datetime.timezone.utc)
    span = (f"timestamp ge datetime'{now - datetime.timedelta(days=DAYS + 1):%Y-%m-%dT%H:%M:%S}' and "
            f"timestamp le datetime'{now:%Y-%m-%dT%H:%M:%S}'")
    for name in ("byApi", "byOperation", "byProduct", "bySubscription", "byUser", "byGeo", "byTime"):
        more = "&interval=PT24H" if name == "byTime" else ""
        answers = [door("GET", f"/reports/{name}?$filter={urllib.parse.quote(span)}{more}") for _ in range(rounds)]
        counted = sum(row["callCountTotal"] for row in answers[0][1]["value"])
        assert abs(counted - calls) < calls / 1000, (name, counted, calls)
        yield name, statistics.median(took for took, _ in answers)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--rounds", type=int, default=200)
    parse.add_argument("--calls", type=int, default=100_000_000)
    parse.add_argument("--subjects", type=int, default=10)
    options = parse.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        server = Server(folder).start()
        server.demo()
        server.stop()
        print("| page of 100 | subscriptions | first, ms | following, ms |\n|---|---|---|---|")
        for subscriptions in (100, 100_000):
            fill(server.data, subscriptions)
            server.start()
            count, first, following = pages(server, options.rounds)
            print(f"| | {count:,} | {first:.2f} | {following:.2f} |")
            server.stop()
        server.start()
        whole, bare = puts(server, options.rounds)
        print(f"\na put: {whole:.2f} ms; a bare write of 4 KiB with fdatasync: {bare:.2f} ms; above it {whole - bare:.2f} ms")
        server.stop()
        calls, rows = fill_usage(server.data, options.calls, options.subjects)
        server.start()
        started = time.time()
        folded(server.data)
        print(f"\nhours and days are added up {time.time() - started:.0f} s after the start")
        print(f"\n| report over {calls:,} calls in {rows:,} roll-ups | ms |\n|---|---|")
        for name, took in reports(server, 9, calls):
            print(f"| {name} | {took:.0f} |")
        server.stop()


if __name__ == "__main__":
    main()
