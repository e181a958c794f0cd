"""A thousand tries to sign in a second beside the gateway's calls: what they cost those who call."""
import http.client
import json
import statistics
import subprocess
import sys
import time
import urllib.parse

import pytest

from gatehouse import ROOT, GUIDE_TEXT, rrs_path, server, table
from visitor import Visitor

SECONDS = 8
CALLS_A_SECOND = 200
TRIES_A_SECOND = 1000
# Sends forms on one kept connection at an even pace, in a process of its own; prints how many heard what.
FLOOD = """
import collections, http.client, json, sys, time
host, port, address, cookie, token, seconds, pace = *sys.argv[1:6], float(sys.argv[6]), float(sys.argv[7])
connection = http.client.HTTPConnection(host, int(port), source_address=(address, 0))
counts, began, number = collections.Counter(), time.monotonic(), 0
while time.monotonic() - began < seconds:
    body = f"csrf={token}&email={number % 50}%40example.com&password=guess+{number}"
    connection.request("POST", "/signin", body, {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html",
                                                 "Cookie": cookie})
    response = connection.getresponse()
    response.read()
    counts[response.status] += 1
    number += 1
    time.sleep(max(0, began + number / pace - time.monotonic()))
print(json.dumps(counts))
"""


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        fresh.guide = fresh.demo()
        yield fresh


def latencies(own):
    """Milliseconds of the guide's call through the gateway, at an even pace."""
    parts = urllib.parse.urlsplit(own.urls["gateway"])
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    guide = own.guide
    fields = {"Ocp-Apim-Subscription-Key": guide["subscriptionKey"], "Authorization": f"Bearer {guide['apiKey']}",
              "Content-Type": "application/json"}
    path, body = f"/{guide['apiPath']}{rrs_path(guide)}", json.dumps(table([[GUIDE_TEXT]]))
    times, began = [], time.monotonic()
    while time.monotonic() - began < SECONDS:
        sent = time.perf_counter()
        connection.request("POST", path, body, fields)
        response = connection.getresponse()
        assert response.read() and response.status == 200
        times.append((time.perf_counter() - sent) * 1000)
        time.sleep(max(0, began + len(times) / CALLS_A_SECOND - time.monotonic()))
    return sorted(times)


def test_calls_beside_a_flood(own):
    parts = urllib.parse.urlsplit(own.urls["portal"])
    visitor = Visitor(own.urls["portal"], "127.0.3.1")
    token = visitor.token()
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    alone = latencies(own)
    senders = [subprocess.Popen([sys.executable, "-c", FLOOD, parts.hostname, str(parts.port), "127.0.3.1", cookie, token, str(SECONDS),
                                 str(TRIES_A_SECOND / 2)], stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    beside = latencies(own)
    counts = [json.loads(sender.communicate(timeout=60)[0]) for sender in senders]
    after = latencies(own)
    p99 = {name: times[len(times) * 99 // 100] for name, times in (("alone", alone), ("beside", beside), ("after", after))}
    print({name: round(value, 2) for name, value in p99.items()}, round(statistics.median(beside), 2), counts)
    tries = sum(sum(count.values()) for count in counts)
    assert tries >= TRIES_A_SECOND * SECONDS * 0.8, f"the flood was too slow to tell: {counts}"
    assert sum(count.get("422", 0) for count in counts) <= 60, counts
    assert p99["beside"] <= 2 * max(p99["alone"], p99["after"]), p99
