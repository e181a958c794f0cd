"""Time from `serve` to ready, and resident memory: first start, used folder, 10,000 APIs with 100,000 subscriptions."""
import argparse
import json
import os
import pathlib
import re
import sqlite3
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from gatehouse import Server  # noqa: E402


def resident(server):
    time.sleep(0.3)
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{server.process.pid}/status").read())[1]) / 1024


def fill(data, apis, subscriptions, operations=1, backend="http://127.0.0.1:9"):
    """Writes rows as the store does; ciphertexts are random, since nothing at start opens them, and no key opens anything."""
    database = sqlite3.connect(data / "configuration.sqlite")
    put = ("INSERT INTO resources (key, id, parent, word, type, etag, sequence, ix0, ix1, ix2, ix3, ix4, ix5, properties) "
           "VALUES (?, ?, ?, ?, ?, 'AAAAAAAAAAE=', 1, ?, ?, ?, ?, ?, ?, ?)")
    for number in range(apis):
        name = f"bulk-{number}"
        properties = json.dumps({"displayName": name, "path": name, "description": "x" * 300})
        database.execute(put, (f"/apis/{name}", f"/apis/{name}", "/", "apis", "apis", name, backend, "http", "key",
                               "Ocp-Apim-Subscription-Key", "subscription-key", properties))
        for place in range(operations):
            path = f"/apis/{name}/operations/get-{place}"
            database.execute(put, (path, path, f"/apis/{name}", "operations", "apis/operations", f"Get {place}", "GET",
                                   f"/items-{place}/{{id}}", None, None, None, json.dumps({"displayName": f"Get {place}"})))
    for number in range(subscriptions):
        path = f"/subscriptions/bulk-{number}"
        scope = f"/apis/bulk-{number % apis}" if apis else "/products/starter"
        database.execute(put, (path, path, "/", "subscriptions", "subscriptions", path, scope, "active",
                               None, None, None, json.dumps({"displayName": path})))
        for slot in ("primaryKey", "secondaryKey"):
            database.execute("INSERT INTO secrets VALUES (?, ?, ?, ?)", (path, slot, os.urandom(60), os.urandom(32)))
    database.commit()
    database.close()


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--rounds", type=int, default=5)
    parse.add_argument("--apis", type=int, default=10_000)
    parse.add_argument("--subscriptions", type=int, default=100_000)
    options = parse.parse_args()
    first = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
            server = Server(folder).start()
            first.append(server.started_in)
            server.stop()
    print("| start | ready after, median | RSS MiB |\n|---|---|---|")
    print(f"| first, empty folder | {statistics.median(first) * 1000:.0f} ms | |")
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        server = Server(folder).start()
        server.demo()
        server.stop()
        for label in ("used folder", f"{options.apis:,} APIs, {options.subscriptions:,} subscriptions"):
            times, memory = [], []
            for _ in range(options.rounds):
                server.start()
                times.append(server.started_in)
                memory.append(resident(server))
                server.stop()
            print(f"| {label} | {statistics.median(times) * 1000:.0f} ms | {statistics.median(memory):.0f} |")
            if label == "used folder":
                fill(server.data, options.apis, options.subscriptions)


if __name__ == "__main__":
    main()
