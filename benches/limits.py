"""Limits under load: a sliding window hit from many connections over two loops, and a quota over kills.

A call that passed was let through between the moment it was sent and the moment its answer came. So the first and the last of a
limit's calls and one more must lie a whole window apart, from the sending of the first to the answer of the last.
"""
import argparse
import concurrent.futures
import http.client
import pathlib
import random
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from gatehouse import Server  # noqa: E402

LIMIT, PERIOD = 100, 10
QUOTA = 1000


def policy(inbound):
    return f"<policies><inbound>{inbound}<return-response><set-status code='200' /></return-response></inbound></policies>"


def prepare(server, name, inbound):
    """An API whose calls are answered by its policies once they are let through."""
    def put(path, properties):
        done = server.management("PUT", path, {"properties": properties})
        assert done.status in (200, 201), done.text

    put(f"/apis/{name}", {"displayName": name, "path": name, "protocols": ["http"], "subscriptionRequired": False})
    put(f"/apis/{name}/operations/get", {"displayName": "Get", "method": "GET", "urlTemplate": "/"})
    put(f"/apis/{name}/policies/policy", {"value": policy(inbound), "format": "rawxml"})


class Caller:
    def __init__(self, server, path):
        parts = urllib.parse.urlsplit(server.urls["gateway"])
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        self.path = path

    def call(self):
        sent = time.monotonic()
        self.connection.request("GET", self.path)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status, sent, time.monotonic()


def window(options):
    with tempfile.TemporaryDirectory(prefix="gatehouse-limits-") as folder:
        server = Server(folder, "--loops", "2").start()
        prepare(server, "window", f'<rate-limit-by-key calls="{LIMIT}" renewal-period="{PERIOD}" counter-key="one" />')
        end = time.monotonic() + options.seconds

        def work(_):
            caller, passed, asked = Caller(server, "/window/"), [], 0
            while time.monotonic() < end:
                status, sent, answered = caller.call()
                asked += 1
                assert status in (200, 429), status
                if status == 200:
                    passed.append((sent, answered))
            return passed, asked

        with concurrent.futures.ThreadPoolExecutor(options.connections) as pool:
            found = list(pool.map(work, range(options.connections)))
        assert server.stop() == 0
    passed = sorted(call for calls, _ in found for call in calls)
    closest = min((max(answered for _, answered in passed[place:place + LIMIT + 1]) - passed[place][0]
                   for place in range(len(passed) - LIMIT)), default=PERIOD)
    least = LIMIT * (options.seconds // PERIOD)
    print(f"{sum(asked for _, asked in found)} calls of {options.connections} connections in {options.seconds} s over 2 loops: "
          f"{len(passed)} passed; {LIMIT + 1} of them took {closest:.6f} s at least")
    assert closest >= PERIOD, "more passed in a window than the limit"
    assert len(passed) >= least * 0.99, f"fewer than {least} passed where there was demand"


def quota(options):
    rng = random.Random()
    passed = 0
    with tempfile.TemporaryDirectory(prefix="gatehouse-limits-") as folder:
        server = Server(folder, "--loops", "2").start()
        prepare(server, "quota", f'<quota-by-key calls="{QUOTA}" renewal-period="0" counter-key="one" />')

        def work(stop, counts):
            caller = Caller(server, "/quota/")
            try:
                while not stop.is_set():
                    status, _, _ = caller.call()
                    assert status in (200, 403), status
                    if status == 200:
                        counts.append(1)
                    time.sleep(0.02)
            except (OSError, http.client.HTTPException):
                return

        for _ in range(options.kills):
            stop, counts = threading.Event(), []
            threads = [threading.Thread(target=work, args=(stop, counts)) for _ in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.02, 0.15))
            server.kill()
            stop.set()
            for thread in threads:
                thread.join()
            passed += len(counts)
            server.start()
        caller = Caller(server, "/quota/")
        after = 0
        while caller.call()[0] == 200:
            after += 1
        assert server.stop() == 0
    print(f"a quota of {QUOTA} over {options.kills} kills: {passed} passed before the last kill, {after} after it")
    assert passed + after <= QUOTA, "more passed than the quota"
    # A kill costs what is reserved and not used: fifteen calls of this quota at most, and four that were under way.
    assert passed + after >= min(QUOTA, QUOTA - options.kills * 19)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--seconds", type=int, default=60)
    parse.add_argument("--connections", type=int, default=64)
    parse.add_argument("--kills", type=int, default=50)
    options = parse.parse_args()
    window(options)
    quota(options)


if __name__ == "__main__":
    main()
