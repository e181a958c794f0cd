"""Proves scripts/run: from its start to the pasted curl line and Ctrl-C, twice on one data folder."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PORTS = [word for door in ("gateway", "gateway-tls", "portal", "services", "blobs") for word in (f"--{door}-port", "0")]


def once(folder):
    output = pathlib.Path(folder) / "output"
    environment = dict(os.environ, GATEHOUSE_DATA=f"{folder}/data")
    with open(output, "w") as file:
        process = subprocess.Popen([str(ROOT / "scripts/run"), *PORTS], stdout=file, stderr=subprocess.STDOUT, env=environment,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
    end = time.time() + 900
    while "Serving until Ctrl-C." not in output.read_text():
        assert process.poll() is None and time.time() < end, output.read_text()[-3000:]
        time.sleep(0.1)
    text = output.read_text()
    assert re.search(r"^Open http://127\.0\.0\.1:\d+/signin/link\?code=[0-9a-f]{64}\nServing until Ctrl-C\.$", text, re.M), text[-500:]
    curl = re.search(r"^curl .*$", text, re.M)[0]
    answer = subprocess.run(["bash", "-c", curl + " -s --max-time 10"], capture_output=True, text=True).stdout
    assert '"This is a good day","1","1","2","2","0","2","0","1"' in answer, answer
    os.killpg(process.pid, signal.SIGINT)
    code = process.wait(40)
    assert code == 0, (code, output.read_text()[-2000:])
    return {name: re.search(rf"^{name} +(\S+)", text, re.M)[1] for name in ("service", "api key", "subscription key", "starter key")}


with tempfile.TemporaryDirectory(prefix="gatehouse-run-") as folder:
    first, second = once(folder), once(folder)
    assert first == second, "the second start found something else"
print("scripts/run: two starts, one installation, the pasted line was answered")
