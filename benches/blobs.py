"""The blob store beside what it is made of, in one run on one disk.

Downloads: 4 MiB blobs against nginx with Debian's own configuration serving the same bytes. Uploads: synced 4 MiB blobs against
a writer that does nothing but write and fdatasync the same files. The server under test has one core, the load the other; 64
clients; rounds are interleaved, ratios taken within a round, medians quoted. With --many: what a page of a listing, a put and a
get cost in a container of 100 and of 100,000 blobs.
"""
import argparse
import datetime
import http.client
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from azure.storage.blob import AccountSasPermissions, ContainerClient, ResourceTypes, generate_account_sas

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from gatehouse import Server  # noqa: E402

SERVER_CORE, LOAD_CORE = "0", "1"
BLOB = 4 << 20
CLIENTS = 64
FILES = 16


def token(storage):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=4)
    return generate_account_sas(storage["account"], storage["key"], ResourceTypes(service=True, container=True, object=True),
                                AccountSasPermissions(read=True, write=True, create=True, list=True, delete=True), end)


def wrk(folder, url, lua, seconds):
    script = pathlib.Path(folder) / "load.lua"
    script.write_text(lua + """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"us":%d,"errors":%d}\\n', summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end""")
    printed = subprocess.run(["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--timeout", "30s", "-s",
                              str(script), url], capture_output=True, text=True, timeout=seconds + 60)
    found = re.search(r"RESULT (.*)", printed.stdout)
    assert found, printed.stdout + printed.stderr
    return json.loads(found[1])


def megabytes(result):
    assert result["errors"] == 0, result
    return result["requests"] * BLOB / result["us"]


class Nginx:
    """nginx as Debian configures it, but for its paths, its port and one worker on one core."""

    def __init__(self, folder, root):
        text = pathlib.Path("/etc/nginx/nginx.conf").read_text()
        text = re.sub(r"^user .*$", "", text, flags=re.M)
        text = re.sub(r"^pid .*$", f"pid {folder}/nginx.pid;", text, flags=re.M)
        text = re.sub(r"worker_processes .*;", "worker_processes 1;", text)
        text = re.sub(r"^error_log .*$", f"error_log {folder}/nginx-error.log;", text, flags=re.M)
        text = text.replace("/var/log/nginx", str(folder))
        text = re.sub(r"^\s*include /etc/nginx/(modules-enabled|sites-enabled|conf.d)/.*$", "", text, flags=re.M)
        self.port = free_port()
        where = text.rindex("}", 0, text.index("#mail") if "#mail" in text else len(text))
        server = f"server {{ listen 127.0.0.1:{self.port}; root {root}; }}\n"
        path = pathlib.Path(folder) / "nginx.conf"
        path.write_text(text[:where] + server + text[where:])
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, "nginx", "-p", str(folder), "-c", str(path), "-g", "daemon off;"])
        end = time.time() + 10
        while time.time() < end:
            try:
                http.client.HTTPConnection("127.0.0.1", self.port, timeout=1).connect()
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("nginx did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_and_sync(folder, count):
    """Files of the same size, written and synced by 64 threads on the server's core; MB/s."""
    code = f"""
import os, threading, time
data = os.urandom({BLOB})
numbers, lock = iter(range({count})), threading.Lock()
def work():
    while True:
        with lock:
            number = next(numbers, None)
        if number is None: return
        file = os.open("{folder}/" + str(number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(file, data); os.fdatasync(file); os.close(file)
threads = [threading.Thread(target=work) for _ in range({CLIENTS})]
began = time.time()
for thread in threads: thread.start()
for thread in threads: thread.join()
print({count} * {BLOB} / (time.time() - began) / 1e6)
"""
    os.makedirs(folder)
    try:
        return float(subprocess.run(["taskset", "-c", SERVER_CORE, sys.executable, "-c", code], capture_output=True, text=True,
                                    check=True, timeout=300).stdout)
    finally:
        shutil.rmtree(folder)


def transfers(options):
    rows = {name: [] for name in ("nginx", "download", "writer", "upload")}
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-", dir=options.folder) as folder:
        server = Server(folder).start()
        storage = server.demo()["storage"]
        server.stop()
        root = pathlib.Path(folder) / "files"
        root.mkdir()
        server = Server(folder, "--loops", "1", pin=SERVER_CORE).start()
        storage = server.demo()["storage"]
        container = ContainerClient.from_connection_string(storage["connectionString"], "bench")
        container.create_container()
        for number in range(FILES):
            data = os.urandom(BLOB)
            (root / f"file{number}").write_bytes(data)
            container.upload_blob(f"file{number}", data)
        os.chmod(folder, 0o755)
        for path in [root, *root.iterdir()]:
            os.chmod(path, 0o755)
        signature = token(storage)
        base = server.urls["blobs"]
        try:
            for turn in range(options.rounds):
                nginx = Nginx(folder, root)
                read = "local n = 0\nrequest = function() n = n + 1 return wrk.format('GET', string.format(%s, n %% {0})) end".format(FILES)
                rows["nginx"].append(megabytes(wrk(folder, f"http://127.0.0.1:{nginx.port}", read % "'/file%d'", options.seconds)))
                nginx.stop()
                path = f"/{storage['account']}/bench/file%d?{signature.replace('%', '%%')}"
                rows["download"].append(megabytes(wrk(folder, base, read % repr(path), options.seconds)))
                rows["writer"].append(write_and_sync(f"{folder}/written", options.files))
                path = f"/{storage['account']}/bench/up{turn}-%d?{signature.replace('%', '%%')}"
                write = f"""local n = 0
local body = string.rep(string.char({",".join(str(byte) for byte in os.urandom(64))}), {BLOB // 64})
local headers = {{["x-ms-blob-type"] = "BlockBlob"}}
request = function() n = n + 1 return wrk.format('PUT', string.format({path!r}, n), headers, body) end"""
                rows["upload"].append(megabytes(wrk(folder, base, write, options.seconds)))
        finally:
            server.stop()
    print(f"\n{CLIENTS} clients, {BLOB >> 20} MiB blobs, {options.rounds} rounds of {options.seconds} s, medians")
    print("| what | MB/s | against |\n|---|---|---|")
    for name, base in (("nginx", None), ("download", "nginx"), ("writer", None), ("upload", "writer")):
        ratio = f"{statistics.median(a / b for a, b in zip(rows[name], rows[base])):.2f} of {base}" if base else ""
        print(f"| {name} | {statistics.median(rows[name]):.0f} | {ratio} |")


def many(options):
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-", dir=options.folder) as folder:
        server = Server(folder).start()
        storage = server.demo()["storage"]
        signature = token(storage)
        parts = urllib.parse.urlsplit(server.urls["blobs"])

        def caller():
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

            def go(method, path, query="", body=None, headers=None):
                connection.request(method, f"/{storage['account']}/{path}?{query}{'&' if query else ''}{signature}", body, headers or {})
                answer = connection.getresponse()
                content = answer.read()
                assert answer.status in (200, 201), (answer.status, content[:300])
                return content
            return go

        def fill(container, count):
            caller()("PUT", container, "restype=container")
            numbers, lock = iter(range(count)), threading.Lock()

            def work():
                go = caller()
                while True:
                    with lock:
                        number = next(numbers, None)
                    if number is None:
                        return
                    go("PUT", f"{container}/blob-{number:06}", body=b"x" * 100, headers={"x-ms-blob-type": "BlockBlob"})
            threads = [threading.Thread(target=work) for _ in range(32)]
            began = time.time()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return count / (time.time() - began)

        def measure(container, count):
            go = caller()
            middle = f"blob-{count // 2:06}"
            work = {
                "list page of 50": lambda turn: go("GET", container, f"restype=container&comp=list&maxresults=50&prefix=blob-{'0' if count > 1000 else ''}"),
                "put": lambda turn: go("PUT", f"{container}/new-{turn}", body=b"y" * 100, headers={"x-ms-blob-type": "BlockBlob"}),
                "get": lambda turn: go("GET", f"{container}/{middle}"),
            }
            found = {}
            for name, one in work.items():
                times = []
                for turn in range(options.calls):
                    began = time.perf_counter()
                    one(turn)
                    times.append((time.perf_counter() - began) * 1e6)
                found[name] = statistics.median(times)
            return found

        fill("small", 100)
        rate = fill("large", options.blobs)
        small, large = measure("small", 100), measure("large", options.blobs)
        server.stop()
        print(f"\n{options.blobs} blobs of 100 bytes made by 32 clients at {rate:.0f} a second; medians of {options.calls} calls")
        print(f"| call | µs among 100 | µs among {options.blobs} | ratio |\n|---|---|---|---|")
        for name in small:
            print(f"| {name} | {small[name]:.0f} | {large[name]:.0f} | {large[name] / small[name]:.2f} |")


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--seconds", type=int, default=4)
    parse.add_argument("--files", type=int, default=400, help="files that the writer writes a round")
    parse.add_argument("--folder", help="folder on the disk to measure (default: the system's for temporary files)")
    parse.add_argument("--many", action="store_true", help="measure large containers instead of transfers")
    parse.add_argument("--blobs", type=int, default=100_000)
    parse.add_argument("--calls", type=int, default=300)
    options = parse.parse_args()
    many(options) if options.many else transfers(options)


if __name__ == "__main__":
    main()
