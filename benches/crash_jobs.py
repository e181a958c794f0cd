"""Batch jobs that run while the server is killed, and what must have come of each: all its rows, once, and nothing else."""
import csv
import gzip
import io
import random
import sqlite3
import time

from gatehouse import call
from hashing import counts

CONTAINER = "crash-jobs"
JOBS = 20
# From a few rows in the index itself to several chunks and pieces.
ROWS = (1, 50, 3000, 150_000)


def scored(text):
    found = counts(text, 3)
    return [text] + [str(found.get(i, 0)) for i in range(8)]


class Jobs:
    """Each round twenty jobs of all sizes, some compressed, half of them with places of their own for their output."""

    def __init__(self):
        self.rng = random.Random()
        self.accepted = []
        self.count = 0
        self.inputs = {}

    def prepare(self, storage):
        """Uploads the inputs, once: jobs do not change them."""
        for rows in ROWS:
            texts = [f"row {number} of {rows}, \"{number * 7919 % 97}\" and some more words" for number in range(rows)]
            output = io.StringIO(newline="")
            csv.writer(output).writerows([["Col2"]] + [[text] for text in texts])
            data = output.getvalue().encode()
            for name, content in ((f"{rows}.csv", data), (f"{rows}.csv.gz", gzip.compress(data))):
                status, answer = storage.call("PUT", name, "", content, {"x-ms-blob-type": "BlockBlob"})
                assert status == 201, answer
            expected = [texts[0], texts[-1]]
            self.inputs[rows] = (texts, {text: scored(text) for text in expected})

    def call(self, server, guide, method, path, body=None):
        answer = call(server.urls["services"], method, f"/workspaces/{guide['workspace']}/services/{guide['service']}/jobs{path}",
                      body, {"Authorization": "Bearer " + guide["apiKey"]})
        assert answer.status == 200, answer.text
        return answer.json() if answer.body else None

    def submit(self, server, guide):
        """Starts the round's jobs; what is noted was acknowledged."""
        storage = guide["storage"]
        connection = f"DefaultEndpointsProtocol=https;AccountName={storage['account']};AccountKey={storage['key']}"
        self.accepted = []
        try:
            for number in range(JOBS):
                rows = self.rng.choice(ROWS)
                source = f"{rows}.csv" + self.rng.choice(("", ".gz"))
                target = f"out-{number}.csv" + self.rng.choice(("", ".gz")) if number % 2 else None
                reference = lambda name: {"ConnectionString": connection, "RelativeLocation": f"{CONTAINER}/{name}"}
                body = {"Input": reference(source)}
                if target:
                    body["Outputs"] = {"output1": reference(target)}
                job = self.call(server, guide, "POST", "", body)
                self.call(server, guide, "POST", f"/{job}/start", "")
                self.accepted.append((job, rows))
        except OSError:
            return
        except Exception as problem:
            if "Remote" not in type(problem).__name__ and "Incomplete" not in type(problem).__name__:
                raise

    def verify(self, server, guide, turn, fetch):
        end = time.time() + 60
        for job, rows in self.accepted:
            while (status := self.call(server, guide, "GET", f"/{job}"))["StatusCode"] in ("NotStarted", "Running"):
                assert time.time() < end, f"round {turn}: job {job} is {status}"
                time.sleep(0.01)
            assert status["StatusCode"] == "Finished", f"round {turn}: {status}"
            assert status["Progress"]["Rows"] == rows, f"round {turn}: {status}"
            location = status["Results"]["output1"]["RelativeLocation"]
            data = fetch(status["Results"]["output1"])
            if location.endswith(".gz"):
                data = gzip.decompress(data)
            found = list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]
            texts, expected = self.inputs[rows]
            assert [row[0] for row in found] == texts, f"round {turn}: job {job} has {len(found)} rows of {rows}"
            for place in (0, -1):
                assert found[place] == expected[texts[place]], f"round {turn}: {found[place]}"
            self.count += 1


def left_over(data_folder):
    """Blocks that nobody committed, and jobs that are neither ended nor unstarted: none may be left once all have ended."""
    with sqlite3.connect(f"file:{data_folder}/work.sqlite?mode=ro", uri=True) as work:
        blocks = [row[0] for row in work.execute("SELECT name FROM blocks")]
        jobs = [row[0] for row in work.execute("SELECT id FROM work WHERE kind = 'batchJob' AND state IN ('Queued', 'Running')")]
    return blocks, jobs
