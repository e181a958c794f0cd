"""Batch execution: rows per second of CPU time beside pandas and scikit-learn, memory, neighbours, many jobs at once.

The CSV has one column of text, hashed into 8 columns. The peer scores its first 100 MB; both are compared by rows per second of
CPU time (user and system) in one run.
"""
import argparse
import concurrent.futures
import multiprocessing
import os
import pathlib
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from azure.storage.blob import BlobServiceClient

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from gateway import Load, cpu_microseconds  # noqa: E402
from gatehouse import BINARY, Server, call, rrs_path  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def make_csv(path, megabytes):
    """Reviews of some 15 invented words; one in six has a comma and stands in quotes. Gives the count of rows."""
    rng = random.Random(7)
    words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(2, 10))) for _ in range(20_000)]
    weights = [1 / (place + 10) for place in range(len(words))]
    lines = []
    for _ in range(120_000):
        text = " ".join(rng.choices(words, weights, k=rng.randrange(6, 25)))
        lines.append(f'"{text}, {rng.choice(words)}"' if rng.random() < 1 / 6 else text)
    block = ("\n".join(lines) + "\n").encode()
    rows = written = 0
    with open(path, "wb") as output:
        output.write(b"Col2\n")
        while written < megabytes * 1_000_000:
            output.write(block)
            written += len(block)
            rows += len(lines)
    return rows


class Jobs:
    def __init__(self, server, guide):
        self.url, self.guide = server.urls["services"], guide
        self.base = f"/workspaces/{guide['workspace']}/services/{guide['service']}/jobs"
        self.headers = {"Authorization": "Bearer " + guide["apiKey"]}

    def blob(self, name):
        return {"ConnectionString": self.guide["storage"]["connectionString"], "RelativeLocation": f"guide/{name}"}

    def call(self, method, path, body=None):
        answer = call(self.url, method, f"{self.base}{path}?api-version=2.0", body, self.headers)
        assert answer.status == 200, answer.text
        return answer.json() if answer.body else None

    def run(self, source, target):
        job = self.call("POST", "", {"Input": self.blob(source), "Outputs": {"output1": self.blob(target)}})
        self.call("POST", f"/{job}/start", "")
        return job

    def wait(self, job, seconds=3600):
        end = time.time() + seconds
        while True:
            status = self.call("GET", f"/{job}")
            if status["StatusCode"] not in ("NotStarted", "Running"):
                assert status["StatusCode"] == "Finished", status
                return status
            assert time.time() < end, status
            time.sleep(0.1)


def memory_peak(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) / 1024


def reviews(guide, folder, options):
    """Makes the CSV and uploads it; gives its path and rows."""
    path = pathlib.Path(folder) / "reviews.csv"
    rows = make_csv(path, options.megabytes)
    container = BlobServiceClient.from_connection_string(guide["storage"]["connectionString"]).get_container_client("guide")
    with open(path, "rb") as source:
        container.upload_blob(path.name, source, overwrite=True, max_concurrency=2)
    return path, rows


def throughput(server, guide, folder, options):
    path, rows = reviews(guide, folder, options)
    size = path.stat().st_size
    sample = pathlib.Path(folder) / "sample.csv"
    with open(path, "rb") as source, open(sample, "wb") as target:
        target.write(source.read(min(size, 100_000_000)).rsplit(b"\n", 1)[0] + b"\n")
    jobs, pid = Jobs(server, guide), server.process.pid
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
    before, began = cpu_microseconds(pid), time.monotonic()
    job = jobs.run("reviews.csv", "scored.csv")
    answers = []
    while True:
        asked = time.monotonic()
        status = jobs.call("GET", f"/{job}")
        answers.append(time.monotonic() - asked)
        if status["StatusCode"] not in ("NotStarted", "Running"):
            break
        time.sleep(0.1)
    wall, cpu = time.monotonic() - began, (cpu_microseconds(pid) - before) / 1e6
    assert status["StatusCode"] == "Finished" and status["Progress"]["Rows"] == rows, (status, rows)
    peak = memory_peak(pid)
    began = os.times()
    done = subprocess.run([sys.executable, str(HERE / "bes_peer.py"), str(sample), str(pathlib.Path(folder) / "peer.csv")],
                          capture_output=True, text=True, check=True)
    ended = os.times()
    peer_cpu = ended.children_user + ended.children_system - began.children_user - began.children_system
    peer_rows = int(done.stdout)
    ours, theirs = rows / cpu, peer_rows / peer_cpu
    print(f"{size / 1e6:.0f} MB, {rows} rows: {wall:.1f} s, {rows / wall:,.0f} rows/s, {cpu:.1f} s of CPU, peak of memory {peak:.0f} MiB")
    print(f"status answers while it runs: median {statistics.median(answers) * 1e3:.1f} ms, most {max(answers) * 1e3:.1f} ms")
    print(f"rows per second of CPU: Gatehouse {ours:,.0f}, pandas and scikit-learn {theirs:,.0f}: {ours / theirs:.1f} times")


def neighbours(server, guide, folder, options):
    """p99 of scored calls through the gateway, alone and beside a job, in turns, by how many connections there are."""
    jobs = Jobs(server, guide)
    url = server.urls["gateway"] + "/azureml-demo" + rrs_path(guide)
    headers = {"Ocp-Apim-Subscription-Key": guide["subscriptionKey"], "Authorization": "Bearer " + guide["apiKey"],
               "Content-Type": "application/json"}
    for connections in options.connections:
        load = Load(folder, connections, options.seconds)
        load.wrk(url, headers, 1)
        ratios = []
        for _ in range(options.rounds):
            alone = load.wrk(url, headers, options.seconds)
            job = jobs.run("reviews.csv", "beside.csv")
            time.sleep(0.3)
            begun = jobs.call("GET", f"/{job}")["Progress"]["Rows"]
            beside = load.wrk(url, headers, options.seconds)
            status = jobs.call("GET", f"/{job}")
            jobs.call("DELETE", f"/{job}")
            assert alone["errors"] == beside["errors"] == 0
            ratios.append(beside["p99"] / alone["p99"])
            rows = (status["Progress"]["Rows"] - begun) / options.seconds
            print(f"{connections} connections alone: {alone['requests'] / alone['us'] * 1e6:,.0f} req/s, p99 {alone['p99']} µs; "
                  f"beside a job ({status['StatusCode']}, {rows:,.0f} rows/s): {beside['requests'] / beside['us'] * 1e6:,.0f} req/s, "
                  f"p99 {beside['p99']} µs: {ratios[-1]:.2f}")
        print(f"{connections} connections: p99 beside a job {statistics.median(ratios):.2f} of alone (median of {len(ratios)})")


def watch(server_url, base, headers, started, answers, stop):
    """Asks for jobs that were started, in a process of its own: the clients' interpreter must not stand in the way."""
    known = []
    times = []
    while not stop.is_set():
        while not started.empty():
            known.append(started.get())
        if known:
            asked = time.monotonic()
            answer = call(server_url, "GET", f"{base}/{random.choice(known)}?api-version=2.0", None, headers)
            times.append((asked, time.monotonic() - asked))
            assert answer.status == 200, answer.text
        time.sleep(0.005)
    answers.put(times)


def many(server, guide, options):
    """Jobs submitted at once by 50 clients: none lost, none twice, in order, and what a status answer takes meanwhile."""
    container = BlobServiceClient.from_connection_string(guide["storage"]["connectionString"]).get_container_client("guide")
    container.upload_blob("small.csv", "Col2\n" + "".join(f"text number {n}\n" for n in range(5000)), overwrite=True)
    jobs = Jobs(server, guide)
    started, answers, stop = multiprocessing.Queue(), multiprocessing.Queue(), multiprocessing.Event()
    watcher = multiprocessing.Process(target=watch, args=(jobs.url, jobs.base, jobs.headers, started, answers, stop))
    watcher.start()

    def client(number):
        made = []
        for turn in range(options.jobs // 50):
            made.append(jobs.run("small.csv", f"many/{number}-{turn}.csv"))
            started.put(made[-1])
        return made

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        lists = list(pool.map(client, range(50)))
    submitted = time.monotonic() - began
    statuses = {job: jobs.wait(job) for made in lists for job in made}
    ended = time.monotonic() - began
    stop.set()
    times = answers.get()
    watcher.join()
    assert len(statuses) == options.jobs // 50 * 50
    assert all(status["Progress"]["Rows"] == 5000 for status in statuses.values())
    # What a client started earlier began earlier.
    for made in lists:
        begun = [statuses[job]["StartTime"] for job in made]
        assert begun == sorted(begun), begun
    written = sum(1 for _ in container.list_blobs("many/"))
    assert written == len(statuses), written
    with sqlite3.connect(f"file:{server.data}/work.sqlite?mode=ro", uri=True) as work:
        assert work.execute("SELECT max(attempt) FROM work WHERE kind = 'batchJob'").fetchone() == (1,), "a job ran twice"
    print(f"{len(statuses)} jobs of 5,000 rows by 50 clients: submitted and started in {submitted:.1f} s, finished in {ended:.1f} s")
    for words, found in (("while clients submit", [took for asked, took in times if asked < began + submitted]),
                         ("while jobs run", [took for asked, took in times if asked >= began + submitted])):
        found.sort()
        if found:
            print(f"{len(found)} status answers {words}: median {statistics.median(found) * 1e3:.1f} ms, "
                  f"p99 {found[int(len(found) * 0.99)] * 1e3:.1f} ms, most {found[-1] * 1e3:.1f} ms")


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--megabytes", type=int, default=2000)
    parse.add_argument("--jobs", type=int, default=2000)
    parse.add_argument("--rounds", type=int, default=5, help="of the comparison of the gateway alone and beside a job")
    parse.add_argument("--connections", type=int, nargs="+", default=[1, 4, 32], help="of that comparison, one after another")
    parse.add_argument("--seconds", type=int, default=3)
    parse.add_argument("--only", choices=["throughput", "neighbours", "many"], help="only this part")
    options = parse.parse_args()
    print(BINARY)
    with tempfile.TemporaryDirectory(prefix="gatehouse-bes-") as folder:
        server = Server(folder).start()
        guide = server.demo()
        if options.only in (None, "throughput"):
            throughput(server, guide, folder, options)
        if options.only == "neighbours":
            reviews(guide, folder, options)
        if options.only in (None, "neighbours"):
            neighbours(server, guide, folder, options)
        if options.only in (None, "many"):
            many(server, guide, options)
        assert server.stop() == 0


if __name__ == "__main__":
    main()
