"""CPU per request of the gateway beside nginx proxy_pass, and with --peers beside others, in one run.

The gateway under test has one core and one event loop; wrk and the nginx upstream share the other. Rounds are interleaved;
each starts its server afresh, warms it up for a second and measures. CPU is the time of the whole process on the CPU,
divided by wrk's requests; ratios are taken within a round, and their median is quoted.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
import peers  # noqa: E402
import startup  # noqa: E402
from gatehouse import BINARY, GUIDE_TEXT, Server, call, rrs_path, table  # noqa: E402

GATEWAY_CORE, LOAD_CORE = "0", "1"
UPSTREAM_BODY = json.dumps({"Results": {"output1": {"type": "table", "value": {
    "ColumnNames": ["Scored Labels", "Scored Probabilities"], "ColumnTypes": ["String", "Double"],
    "Values": [["positive", "0.87364512"]]}}}}, separators=(",", ":"))
BODY = json.dumps(table([[GUIDE_TEXT]]))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_port(port):
    end = time.time() + 10
    while time.time() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"port {port} did not open")


def family(pid):
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        # A thread may end meanwhile.
        with contextlib.suppress(FileNotFoundError):
            for child in open(f"/proc/{pid}/task/{task}/children").read().split():
                found += family(int(child))
    return found


def cpu_microseconds(pid):
    """Of all processes, threads that have ended among them: Linux's clock of a process is its number, inverted, and a kind in three bits."""
    return sum(time.clock_gettime_ns(~process << 3 | 2) for process in family(pid)) / 1000


def resident_mib(pid):
    total = 0
    for process in family(pid):
        total += int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{process}/status").read())[1])
    return total / 1024


class Load:
    DONE = """done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"us":%d,"errors":%d,"p50":%d,"p99":%d}\\n', summary.requests,
    summary.duration, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end"""

    def __init__(self, folder, connections, seconds):
        self.folder, self.connections, self.seconds = pathlib.Path(folder), connections, seconds

    def wrk(self, url, headers, seconds):
        lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
        script = self.folder / "request.lua"
        script.write_text(f"""wrk.method = "POST"
wrk.body = [==[{BODY}]==]
{lines}
{self.DONE}""")
        return self.run(script, url, seconds)

    def run(self, script, url, seconds):
        command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "-s", str(script), url]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30).stdout
        return json.loads(re.search(r"RESULT (.*)", printed)[1])

    def measure(self, pid, url, headers):
        self.wrk(url, headers, 1)
        return self.over(pid, lambda: self.wrk(url, headers, self.seconds))

    def over(self, pid, work):
        """What some load cost a process and showed its callers."""
        before = cpu_microseconds(pid)
        got = work()
        after = cpu_microseconds(pid)
        return {"cpu": (after - before) / max(1, got["requests"]), "rps": got["requests"] / got["us"] * 1e6,
                "p50": got["p50"], "p99": got["p99"], "errors": got["errors"], "rss": resident_mib(pid)}


def start_upstream(folder, port):
    """An nginx on the load's core that answers everything with a scored row."""
    process = subprocess.Popen(["taskset", "-c", LOAD_CORE] + peers.nginx(
        folder, "upstream", f"default_type application/json; server {{ listen 127.0.0.1:{port} backlog=4096; "
        f"location / {{ return 200 '{UPSTREAM_BODY}'; }} }}"))
    wait_port(port)
    return process


def prepare(folder, upstream_port):
    """An installation with the guide's example, an API that forwards, and 10,000 keys."""
    server = Server(folder, "--loops", "1").start()
    demo = server.demo()
    names = demo["management"]
    done = server.management("PUT", "/apis/forward", {"properties": {
        "displayName": "Forward", "path": "forward", "protocols": ["http"],
        "serviceUrl": f"http://127.0.0.1:{upstream_port}"}}, installation=names)
    assert done.status == 201, done.text
    template = "/workspaces/{workspace}/services/{service}/execute?api-version={apiversion}&details={details}"
    parameters = [{"name": name, "type": "string"} for name in ("workspace", "service", "apiversion", "details")]
    done = server.management("PUT", "/apis/forward/operations/execute", {"properties": {
        "displayName": "Execute", "method": "POST", "urlTemplate": template, "templateParameters": parameters}}, installation=names)
    assert done.status == 201, done.text
    for product in ("unlimited", "starter"):
        assert server.management("PUT", f"/products/{product}/apis/forward", installation=names).status == 201
    # Starter's policies with limits that never refuse: what a product's calls pay for being counted.
    policy = ('<policies><inbound><rate-limit calls="100000000" renewal-period="300" remaining-calls-header-name="X-Remaining" '
              'total-calls-header-name="X-Total" /><quota calls="1000000000" renewal-period="604800" /><base /></inbound></policies>')
    done = server.management("PUT", "/products/starter/policies/policy", {"properties": {"value": policy, "format": "rawxml"}},
                             installation=names)
    assert done.status == 200, done.text
    server.stop()
    startup.fill(server.data, 0, peers.KEYS)
    return demo


def run(options):
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        upstream_port, peer_port = free_port(), free_port()
        demo = prepare(folder, upstream_port)
        load = Load(folder, options.connections, options.seconds)
        upstream = start_upstream(folder, upstream_port)
        headers = {"Content-Type": "application/json", "Ocp-Apim-Subscription-Key": demo["subscriptionKey"],
                   "Authorization": f"Bearer {demo['apiKey']}"}
        rows = {name: [] for name in ("gatehouse RRS", "gatehouse forward", "gatehouse RRS, services door",
                                     "gatehouse RRS, starter", "gatehouse forward, starter")}
        limited = {**headers, "Ocp-Apim-Subscription-Key": demo["starterKey"]}
        others = {"nginx proxy_pass": peers.nginx_plain(folder, peer_port, upstream_port)}
        if options.peers:
            others["nginx, Lua in every phase"] = peers.nginx_lua_full(folder, peer_port, upstream_port, demo["starterKey"])
            others["Envoy, local rate limit"] = peers.envoy_rate_limited(folder, peer_port, upstream_port, demo["starterKey"])
        rows = {name: [] for name in (*others, *rows)}

        def peer_round(name, command):
            process = subprocess.Popen(["taskset", "-c", GATEWAY_CORE] + command)
            wait_port(peer_port)
            answer = call(f"http://127.0.0.1:{peer_port}", "POST", rrs_path(demo), BODY, limited)
            assert answer.status == 200, (name, answer.text)
            rows[name].append(load.measure(process.pid, f"http://127.0.0.1:{peer_port}{rrs_path(demo)}", limited))
            process.terminate()
            process.wait(20)

        def gatehouse_round(name, door, prefix, headers=headers):
            server = Server(folder, "--loops", "1", pin=GATEWAY_CORE).start()
            answer = call(server.urls[door], "POST", prefix + rrs_path(demo), BODY, headers)
            assert answer.status == 200, answer.text
            rows[name].append(load.measure(server.process.pid, server.urls[door] + prefix + rrs_path(demo), headers))
            server.stop()

        try:
            for _ in range(options.rounds):
                for name, command in others.items():
                    peer_round(name, command)
                gatehouse_round("gatehouse RRS", "gateway", "/azureml-demo")
                gatehouse_round("gatehouse forward", "gateway", "/forward")
                gatehouse_round("gatehouse RRS, services door", "services", "")
                gatehouse_round("gatehouse RRS, starter", "gateway", "/azureml-demo", limited)
                gatehouse_round("gatehouse forward, starter", "gateway", "/forward", limited)
            if options.callgrind:
                callgrind(folder, demo, headers)
        finally:
            upstream.terminate()
            upstream.wait()
        print(f"\n{options.connections} connections, {options.rounds} rounds of {options.seconds} s, medians")
        names = list(others)
        print("| gateway | req/s | p50 µs | p99 µs | CPU µs per request | RSS MiB | errors |"
              + "".join(f" CPU vs {name} |" for name in names))
        print("|---|---|---|---|---|---|---|" + "---|" * len(names))
        for name, found in rows.items():
            middle = lambda field: statistics.median(row[field] for row in found)
            ratios = [statistics.median(row["cpu"] / other["cpu"] for row, other in zip(found, rows[base])) for base in names]
            print(f"| {name} | {middle('rps'):.0f} | {middle('p50'):.0f} | {middle('p99'):.0f} | {middle('cpu'):.2f} "
                  f"| {middle('rss'):.0f} | {sum(row['errors'] for row in found)} |" + "".join(f" {ratio:.2f} |" for ratio in ratios))
        failed = sum(row["errors"] for found in rows.values() for row in found)
        if failed:
            sys.exit(f"{failed} requests failed")


def callgrind(folder, demo, headers):
    """Instructions per request of a server that is warm."""
    # Valgrind cannot read the newest debug information, and needs none to count.
    stripped = pathlib.Path(folder) / "gatehouse"
    subprocess.run(["objcopy", "--strip-debug", str(BINARY), str(stripped)], check=True)
    print("\n| path | instructions of the loop per request (callgrind) |\n|---|---|")
    for name, prefix in (("RRS through the gateway", "/azureml-demo"), ("forward through the gateway", "/forward")):
        key = headers["Ocp-Apim-Subscription-Key"]
        calls = [(prefix + rrs_path(demo), key)]
        print(f"| {name} | {instructions(folder, stripped, calls * 200, calls * 1000, 'POST', BODY, headers).total:.0f} |")


class Instructions(typing.NamedTuple):
    """Of the loop for a call: all of them, those that note the call's facts, and those that hand facts on once a second."""
    total: float
    recording: float
    handing: float


def instructions(folder, binary, warm, pairs, method="GET", body=None, headers={}):
    """Instructions of the event loop for a request of each pair of path and key on one connection, after those of `warm`.

    Counted from zero in a server that has answered the warm ones: what a start leaves to the loop is not in it. What the background does goes
    by the clock, which runs many times too fast beside a server under valgrind.
    """
    out, ready = pathlib.Path(folder) / "callgrind.out", pathlib.Path(folder) / "ready.json"
    for old in out.parent.glob(f"{out.name}*"):
        old.unlink()
    ready.unlink(missing_ok=True)
    command = ["valgrind", "--tool=callgrind", "--fair-sched=yes", "--separate-threads=yes", f"--callgrind-out-file={out}",
               str(binary), "serve", "--data", f"{folder}/data", "--ready-file", str(ready), "--loops", "1"]
    for door in ("gateway", "gateway-tls", "portal", "services", "blobs"):
        command += [f"--{door}-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # Valgrind makes a start with 10,000 APIs some fifty times slower.
        end = time.time() + 600
        while not ready.exists():
            if process.poll() is not None or time.time() > end:
                raise RuntimeError("the server did not start under valgrind")
            time.sleep(0.1)
        parts = urllib.parse.urlsplit(json.loads(ready.read_text())["gateway"])
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

        def ask(pairs):
            for path, key in pairs:
                connection.request(method, path, body, {**headers, "Ocp-Apim-Subscription-Key": key})
                response = connection.getresponse()
                told = response.read()
                assert response.status == 200, told

        control = lambda flag: subprocess.run(["callgrind_control", flag, str(process.pid)], check=True, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL, timeout=120)
        ask(warm)
        control("-z")
        ask(pairs)
        # Before the end: which thread frees what the server held is by chance, and costs more than thousands of calls.
        control("-d")
        connection.close()
        counted = [part for part in out.parent.glob(f"{out.name}.1-*") if "takeHead" in part.read_text()]
        process.terminate()
        process.wait(120)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    loop = max(counted, key=lambda part: part.stat().st_size)
    told = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(loop)], check=True, capture_output=True,
                          text=True, timeout=120).stdout
    # Of the mangled names of FactRecorder's methods.
    parts = [sum(int(number.replace(",", "")) for number in re.findall(rf"^ *([\d,]+) .*FactRecorderC{name}", told, re.M))
             for name in ("6record_", "10handOnSomeSbyF")]
    total = int(re.search(r"(?:summary|totals): (\d+)", loop.read_text())[1])
    return Instructions(*(count / len(pairs) for count in (total, *parts)))



def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--connections", type=int, default=32)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--seconds", type=int, default=3)
    parse.add_argument("--peers", action="store_true", help="also nginx with Lua, and Envoy")
    parse.add_argument("--callgrind", action="store_true", help="also count instructions per request")
    run(parse.parse_args())


if __name__ == "__main__":
    main()
