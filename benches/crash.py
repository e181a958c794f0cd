"""Rounds of `kill -9` while clients write: what was acknowledged is there afterwards, runs and batch jobs are taken up again.

Half of the clients write management resources and start runs, half upload, commit, append, copy and delete blobs; twenty batch
jobs run beside them.
"""
import argparse
import pathlib
import random
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from crash_blobs import CONTAINER, Client, Storage, orphans  # noqa: E402
from crash_jobs import CONTAINER as JOBS_CONTAINER, Jobs, left_over  # noqa: E402
from gatehouse import Server, call  # noqa: E402


def write(server, names, number, acknowledged, runs, guide, stop):
    """Writes until the server is gone; notes only what was acknowledged."""
    turn = 0
    while not stop.is_set():
        turn += 1
        name = f"w{number}-{turn}-{random.randrange(10**9)}"
        try:
            made = server.management("PUT", f"/subscriptions/{name}", {"properties": {
                "displayName": name, "scope": "/products/unlimited", "state": "active", "primaryKey": f"key-{name}"}},
                token=guide["managementToken"], installation=names)
            if made.status == 201:
                acknowledged.append(name)
            if turn % 5 == 0:
                run = call(server.urls["portal"], "POST",
                           f"/api/workspaces/{guide['workspace']}/experiments/SimpleFeatureHashingExperiment/runs", None,
                           {"Authorization": f"Bearer {guide['managementToken']}"})
                if run.status == 202:
                    runs.append(run.json()["RunId"])
        except OSError:
            return
        except Exception as problem:
            if stop.is_set() or "Remote" in type(problem).__name__ or "Incomplete" in type(problem).__name__:
                return
            raise


def fetch(reference):
    with urllib.request.urlopen(reference["BaseLocation"] + reference["RelativeLocation"] + reference["SasBlobToken"]) as answer:
        return answer.read()


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--rounds", type=int, default=200)
    options = parse.parse_args()
    rng = random.Random()
    total = ended = 0
    with tempfile.TemporaryDirectory(prefix="gatehouse-soak-") as folder:
        server = Server(folder).start()
        guide = server.demo()
        names = guide["management"]
        clients = [Client(number) for number in range(4)]
        assert Storage(server, guide["storage"]).call("PUT", "", "restype=container")[0] == 201, CONTAINER
        jobs = Jobs()
        storage = Storage(server, guide["storage"], JOBS_CONTAINER)
        assert storage.call("PUT", "", "restype=container")[0] == 201, JOBS_CONTAINER
        jobs.prepare(storage)
        for turn in range(options.rounds):
            acknowledged, runs, stop = [], [], threading.Event()
            threads = [threading.Thread(target=write, args=(server, names, number, acknowledged, runs, guide, stop))
                       for number in range(3)]
            threads += [threading.Thread(target=client.work, args=(server, guide["storage"], stop)) for client in clients]
            threads.append(threading.Thread(target=jobs.submit, args=(server, guide)))
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.05, 0.9))
            server.kill()
            stop.set()
            for thread in threads:
                thread.join()
            server.start()
            guide = server.demo()
            jobs.verify(server, guide, turn, fetch)
            for client in clients:
                client.verify(Storage(server, guide["storage"]), turn)
            for name in acknowledged:
                found = server.management("POST", f"/subscriptions/{name}/listSecrets", installation=names)
                assert found.status == 200 and found.json()["primaryKey"] == f"key-{name}", f"round {turn}: {name} is lost"
            end = time.time() + 30
            for run in runs:
                path = f"/api/workspaces/{guide['workspace']}/experiments/SimpleFeatureHashingExperiment/runs/{run}"
                while True:
                    state = call(server.urls["portal"], "GET", path, None,
                                 {"Authorization": f"Bearer {guide['managementToken']}"}).json()["State"]
                    if state == "Finished":
                        break
                    assert time.time() < end, f"round {turn}: run {run} is {state}"
                    time.sleep(0.02)
            total += len(acknowledged)
            ended += len(runs)
            # Only now: jobs that were resumed have files that nothing names until they end, and what a kill left would still be there.
            lost = orphans(server.data)
            assert not any(lost), f"round {turn}: orphans {lost}"
            blocks, unfinished = left_over(server.data)
            assert not [name for name in blocks if not name.startswith("client-")] and not unfinished, f"round {turn}: {blocks} {unfinished}"
        assert server.stop() == 0
    changes = sum(client.count for client in clients)
    print(f"{options.rounds} kills: {total} acknowledged writes, {ended} accepted runs, {jobs.count} batch jobs and "
          f"{changes} changes of blobs, none lost")
    assert total > options.rounds and changes > options.rounds and jobs.count > options.rounds


if __name__ == "__main__":
    main()
