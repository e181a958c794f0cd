"""A server of the release binary in a folder of its own, for tests and benches. Loopback and free ports only."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("GATEHOUSE_BINARY", ROOT / ".build/release/gatehouse"))
# Whether large data and long times are wanted (scripts/check-deep).
DEEP = bool(os.environ.get("GATEHOUSE_DEEP"))
# Within which somebody elsewhere signs in while one address guesses; a slow machine that also guesses takes its time.
SECONDS_BESIDE_A_FLOOD = 5 if DEEP else 20
GUIDE_TEXT = "This is a good day"


class Server:
    """One `gatehouse serve`; `start` waits until it is ready."""

    def __init__(self, folder, *flags, pin=None, ports=None):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.flags = list(flags)
        self.pin = pin
        self.ports = ports or {}
        self.process = None
        self.urls = {}
        self.started_in = None

    def start(self, seconds=20):
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        command = [str(BINARY), "serve", "--data", str(self.data), "--ready-file", str(ready)]
        for door in ("gateway", "gateway-tls", "portal", "services", "blobs"):
            command += [f"--{door}-port", str(self.ports.get(door, 0))]
        if self.pin is not None:
            command = ["taskset", "-c", str(self.pin)] + command
        self.log = open(self.folder / "log", "a")
        began = time.monotonic()
        self.process = subprocess.Popen(command + self.flags, stdout=self.log, stderr=self.log)
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() - began > seconds:
                raise RuntimeError(f"the server did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.002)
        self.started_in = time.monotonic() - began
        self.urls = json.loads(ready.read_text())
        return self

    def stop(self):
        """Ends the server with SIGTERM and gives its exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self.process = None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def command(self, *words, check=True, stdin=None, env=None):
        """Runs a command of the binary against this server."""
        done = subprocess.run([str(BINARY), *words, "--data", str(self.data)], capture_output=True, text=True,
                              timeout=120, input=stdin, env=env)
        if check and done.returncode != 0:
            raise RuntimeError(f"{words}: {done.returncode}: {done.stderr}")
        return done

    def demo(self):
        return json.loads(self.command("demo", "--json").stdout)

    def management(self, method, path, body=None, headers=None, token=None, installation=None):
        """Calls the ARM door below the service."""
        names = installation or self.demo_names
        root = (f"/subscriptions/{names['subscriptionId']}/resourceGroups/{names['resourceGroup']}"
                f"/providers/Microsoft.ApiManagement/service/{names['serviceName']}")
        sign = "&" if "?" in path else "?"
        return call(self.urls["portal"], method, f"{root}{path}{sign}api-version=2022-08-01",
                    body, {"Authorization": f"Bearer {token or self.token}", **(headers or {})})

    @property
    def token(self):
        return (self.data / "secrets" / "management-token").read_text().strip()

    @property
    def demo_names(self):
        answer = call(self.urls["portal"], "GET", "/api/installation", None, {"Authorization": f"Bearer {self.token}"})
        return answer.json()["management"]


class Answer:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


def call(base, method, path, body=None, headers=None, timeout=60):
    """One request on a connection of its own; a dict or list is sent as JSON."""
    parts = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, parts.path + path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.reason, response.headers, response.read())
    finally:
        connection.close()


def rrs_path(demo, query="api-version=2.0&details=true"):
    return f"/workspaces/{demo['workspace']}/services/{demo['service']}/execute?{query}"


def table(values, names=("Col2",)):
    return {"Inputs": {"input1": {"ColumnNames": list(names), "Values": values}}, "GlobalParameters": {}}


@contextlib.contextmanager
def server(*flags, **options):
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as folder:
        running = Server(folder, *flags, **options).start()
        try:
            yield running
        finally:
            if running.process is not None:
                running.stop()
