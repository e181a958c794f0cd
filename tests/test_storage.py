"""The storage accounts of an installation: commands, keys, datasets, the client of old, bounds of memory, hostile requests."""
import base64
import concurrent.futures
import datetime
import email.utils
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading
import time
import urllib.parse
import uuid

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, ContainerClient, generate_blob_sas, generate_container_sas

from gatehouse import ROOT, Server, call, server

PUBLIC_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def development(running):
    return BlobServiceClient.from_connection_string(
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={PUBLIC_KEY};"
        f"BlobEndpoint={running.urls['blobs']}/devstoreaccount1;", retry_total=0)


def test_the_client_of_the_guides_time(live):
    """azure-storage 0.33.0, in an environment of its own."""
    storage = live.guide["storage"]
    endpoint = live.urls["blobs"].removeprefix("http://") + "/" + storage["account"]
    done = subprocess.run([str(ROOT / ".venv-legacy/bin/python"), str(ROOT / "tests/legacy_storage.py"), storage["account"],
                           storage["key"], endpoint], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
    assert len(set(done.stdout.split("\n"))) > 60


@pytest.mark.parametrize("version", ["2012-02-12", "2014-02-14"])
def test_the_library_of_the_guides_era(live, version):
    """azure-storage 0.20.3, which signs as azure 0.8.4 did, in an environment of its own."""
    storage = live.guide["storage"]
    port = str(urllib.parse.urlsplit(live.urls["blobs"]).port)
    done = subprocess.run([str(ROOT / ".venv-era/bin/python"), str(ROOT / "tests/era_storage.py"), storage["account"], storage["key"],
                           port, version], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
    assert len(set(done.stdout.split("\n"))) > 40


def test_the_guides_container_is_there(live):
    storage = live.guide["storage"]
    assert set(storage) == {"account", "key", "container", "connectionString"}
    client = ContainerClient.from_connection_string(storage["connectionString"], storage["container"])
    client.upload_blob("mydatablob.csv", b"Col2\nThis is a good day\n", overwrite=True)
    assert client.download_blob("mydatablob.csv").readall().startswith(b"Col2")


def test_host_style_addresses(live):
    storage = live.guide["storage"]
    ContainerClient.from_connection_string(storage["connectionString"], storage["container"]).upload_blob("host", b"style", overwrite=True)
    signature = generate_blob_sas(storage["account"], storage["container"], "host", account_key=storage["key"], permission="r",
                                  expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
    path = f"/{storage['container']}/host?{signature}"
    assert call(live.urls["blobs"], "GET", path, headers={"Host": f"{storage['account']}.blob.example.org"}).body == b"style"
    assert call(live.urls["blobs"], "GET", path, headers={"Host": "nobody.blob.example.org"}).status == 404
    # By key the account stands once in what is signed.
    date = email.utils.formatdate(usegmt=True)
    path = f"/{storage['container']}/host"
    text = f"GET\n\n\n\nx-ms-date:{date}\nx-ms-version:2021-12-02\n/{storage['account']}{path}"
    lite = base64.b64encode(hmac.new(base64.b64decode(storage["key"]), text.encode(), "sha256").digest()).decode()
    headers = {"Host": f"{storage['account']}.blob.example.org", "x-ms-date": date, "x-ms-version": "2021-12-02"}
    for kind, status in (("SharedKeyLite", 200), ("SharedKey", 403)):
        found = call(live.urls["blobs"], "GET", path, headers={**headers, "Authorization": f"{kind} {storage['account']}:{lite}"})
        assert found.status == status, found.text
    late = {**headers, "x-ms-date": email.utils.formatdate(time.time() - 1000, usegmt=True)}
    assert call(live.urls["blobs"], "GET", path, headers={**late, "Authorization": f"SharedKeyLite {storage['account']}:{lite}"}).status == 403


def test_commands(live, tmp_path):
    storage = live.guide["storage"]
    assert storage["account"] in live.command("storage", "account", "list").stdout
    assert json.loads(live.command("storage", "account", "show", storage["account"]).stdout)["BlobEndpoint"].startswith(live.urls["blobs"])
    keys = json.loads(live.command("storage", "account", "keys", storage["account"], "--json").stdout)
    assert keys["keys"][0] == {"keyName": "key1", "value": storage["key"]}
    name = f"cmd-{uuid.uuid4().hex[:8]}"
    live.command("storage", "container", "create", name)
    assert name in [found["Name"] for found in json.loads(live.command("storage", "container", "list", "--prefix", "cmd-", "--json").stdout)]
    assert json.loads(live.command("storage", "container", "show", name).stdout)["x-ms-lease-state"] == "available"
    data = os.urandom(9_500_000)
    (tmp_path / "some file.bin").write_bytes(data)
    live.command("storage", "blob", "upload", name, str(tmp_path / "some file.bin"), "--content-type", "x/y")
    listed = json.loads(live.command("storage", "blob", "list", name, "--json").stdout)
    assert [(blob["Name"], blob["Length"], blob["ContentType"]) for blob in listed] == [("some file.bin", len(data), "x/y")]
    assert json.loads(live.command("storage", "blob", "show", name, "some file.bin").stdout)["x-ms-blob-type"] == "BlockBlob"
    live.command("storage", "blob", "copy", f"{name}/some file.bin", f"{name}/deep/copy")
    live.command("storage", "blob", "download", name, "deep/copy", "--output", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data and not (tmp_path / "back.part").exists()
    live.command("storage", "blob", "delete", name, "deep/copy")
    missing = live.command("storage", "blob", "download", name, "deep/copy", "--output", str(tmp_path / "none"), check=False)
    assert missing.returncode != 0 and "BlobNotFound" in missing.stderr and not (tmp_path / "none").exists()
    live.command("storage", "container", "delete", name)
    gone = live.command("storage", "container", "show", name, check=False)
    assert gone.returncode != 0 and "ContainerNotFound" in gone.stderr and storage["key"] not in gone.stderr


def test_keys_are_regenerated(fresh):
    before = fresh.demo()["storage"]
    old = BlobServiceClient.from_connection_string(before["connectionString"], retry_total=0)
    old.get_account_information()
    after = json.loads(fresh.command("storage", "account", "regenerate", before["account"], "key1", "--json").stdout)
    assert after["keys"][0]["value"] != before["key"]
    with pytest.raises(HttpResponseError) as refused:
        old.get_account_information()
    assert refused.value.error_code == "AuthenticationFailed"
    second = {"account_name": before["account"], "account_key": after["keys"][1]["value"]}
    BlobServiceClient(f"{fresh.urls['blobs']}/{before['account']}", credential=second).get_account_information()
    assert fresh.demo()["storage"]["key"] == after["keys"][0]["value"]
    fresh.stop()
    fresh.start()
    BlobServiceClient.from_connection_string(fresh.demo()["storage"]["connectionString"]).get_account_information()
    wrong = fresh.command("storage", "account", "regenerate", before["account"], "key9", check=False)
    assert wrong.returncode != 0 and "key1 or key2" in wrong.stderr
    log = (fresh.folder / "log").read_text()
    for key in after["keys"]:
        assert key["value"] not in log
    for path in fresh.data.rglob("*"):
        if path.is_file() and "secrets" not in path.parts:
            assert after["keys"][1]["value"].encode() not in path.read_bytes(), path


def test_datasets_live_in_the_account_and_travel(fresh, tmp_path):
    storage = fresh.demo()["storage"]
    service = BlobServiceClient.from_connection_string(storage["connectionString"])
    assert len(list(service.get_container_client("experimentdatasets").list_blobs())) == 1
    guide = service.get_container_client(storage["container"])
    guide.upload_blob("in/table.csv", b"a,b\n1,x\n2,y\n")
    # The account's name and key mean our own store, whatever endpoint stands beside them.
    elsewhere = f"DefaultEndpointsProtocol=https;AccountName={storage['account']};AccountKey={storage['key']};EndpointSuffix=core.windows.net"
    made = json.loads(fresh.command("dataset", "import", "--blob", f"{storage['container']}/in/table.csv", "--connection-string", elsewhere,
                                    "--name", "from blob", "--json").stdout)
    assert made["RowCount"] == 2
    fresh.command("dataset", "import", "--blob", f"{storage['container']}/in/table.csv", "--name", "from own blob")
    (tmp_path / "file.csv").write_bytes(b"a,b\n3,z\n")
    fresh.command("dataset", "import", "--file", str(tmp_path / "file.csv"))
    guide.set_container_access_policy({}, public_access="blob")
    fresh.command("dataset", "import", "--url", f"{guide.url}/in/table.csv", "--name", "from url")
    for name, text in [("from blob", b"a,b\n1,x\n2,y\n"), ("from own blob", b"a,b\n1,x\n2,y\n"), ("file.csv", b"a,b\n3,z\n"), ("from url", b"a,b\n1,x\n2,y\n")]:
        assert fresh.command("dataset", "export", name).stdout.encode() == text
    refused = fresh.command("dataset", "import", "--url", "http://169.254.169.254/latest/meta.csv", "--name", "no", check=False)
    assert refused.returncode != 0 and "blob-hosts-allowed" in refused.stderr
    fresh.command("dataset", "export", "from blob", "--blob", f"{storage['container']}/out/table.csv")
    assert guide.download_blob("out/table.csv").readall() == b"a,b\n1,x\n2,y\n"
    fresh.command("dataset", "export", "from blob", "--output", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_bytes() == b"a,b\n1,x\n2,y\n"
    fresh.command("dataset", "delete", "from blob")
    assert len(list(service.get_container_client("experimentdatasets").list_blobs())) == 4
    # After another start, and after its bytes were replaced, a dataset is what it was last.
    fresh.command("dataset", "create", str(tmp_path / "out.csv"), "--name", "file.csv", "--replace")
    fresh.stop()
    fresh.start()
    assert fresh.command("dataset", "export", "file.csv").stdout == "a,b\n1,x\n2,y\n"
    assert len(list(BlobServiceClient.from_connection_string(fresh.demo()["storage"]["connectionString"])
                    .get_container_client("experimentdatasets").list_blobs())) == 4


def test_remote_accounts_are_read_and_written_where_allowed(tmp_path):
    """A second installation is the remote account: by key, by signature, and by nobody's leave."""
    with server() as remote:
        there = remote.demo()["storage"]
        port = urllib.parse.urlsplit(remote.urls["blobs"]).port
        config = tmp_path / "settings.yaml"
        config.write_text(f"blob-hosts-allowed: '127.0.0.1:{port}'\n")
        container = ContainerClient.from_connection_string(there["connectionString"], there["container"])
        text = b"a,b\n" + b"1,x\n" * 3_000_000
        container.upload_blob("big.csv", text)
        with server("--config", str(config)) as local:
            here = local.demo()["storage"]
            local.command("dataset", "import", "--blob", f"{there['container']}/big.csv", "--connection-string", there["connectionString"], "--name", "big")
            local.command("dataset", "export", "big", "--blob", f"{there['container']}/back.csv", "--connection-string", there["connectionString"])
            assert hashlib.sha256(container.download_blob("back.csv").readall()).digest() == hashlib.sha256(text).digest()
            container.set_container_access_policy({}, public_access="blob")
            mine = ContainerClient.from_connection_string(here["connectionString"], here["container"])
            copied = mine.get_blob_client("copied")
            assert copied.start_copy_from_url(f"{container.url}/big.csv")["copy_status"] == "success"
            assert copied.get_blob_properties().size == len(text)
            missing = local.command("dataset", "import", "--blob", f"{there['container']}/none.csv", "--connection-string", there["connectionString"],
                                    "--name", "none", check=False)
            assert missing.returncode != 0 and "BlobNotFound" in missing.stderr and there["key"] not in missing.stderr
        with server() as strict:
            mine = strict.demo()["storage"]
            client = ContainerClient.from_connection_string(mine["connectionString"], mine["container"], retry_total=0)
            with pytest.raises(HttpResponseError) as refused:
                client.get_blob_client("copied").start_copy_from_url(f"{container.url}/big.csv")
            assert (refused.value.status_code, refused.value.error_code) == (403, "CannotVerifyCopySource")


def test_transfers_are_tried_again_and_redirects_are_not_followed(tmp_path):
    """Through a proxy that fails every third request, and sends some elsewhere."""
    seen = {"requests": 0, "failed": 0, "elsewhere": 0}

    class Flaky(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words):
            pass

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen["requests"] += 1
            if self.path.startswith("/elsewhere"):
                seen["elsewhere"] += 1
            if self.path.startswith("/redirect"):
                return self.reply(302, {"Location": f"http://127.0.0.1:{self.server.server_port}/elsewhere.csv"}, b"")
            if seen["requests"] % 3 == 0:
                seen["failed"] += 1
                return self.reply(503, {}, b"")
            found = call(self.server.upstream, self.command, self.path, body, {name: value for name, value in self.headers.items()})
            self.reply(found.status, {name: value for name, value in found.headers.items() if name.lower() not in ("content-length", "connection")}, found.body)

        def reply(self, status, headers, body):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = answer

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    config = tmp_path / "settings.yaml"
    config.write_text(f"blob-hosts-allowed: '127.0.0.1:{proxy.server_port}'\n")
    try:
        with server("--config", str(config)) as local:
            proxy.upstream = local.urls["blobs"]
            storage = local.demo()["storage"]
            container = ContainerClient.from_connection_string(storage["connectionString"], storage["container"])
            text = b"a,b\n" + b"1,x\n" * 5_000_000
            container.upload_blob("big.csv", text)
            signature = generate_container_sas(storage["account"], storage["container"], storage["key"], permission="rwc",
                                               expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
            base = f"http://127.0.0.1:{proxy.server_port}/{storage['account']}/{storage['container']}"
            local.command("dataset", "import", "--url", f"{base}/big.csv?{signature}", "--name", "big")
            local.command("dataset", "export", "big", "--url", f"{base}/back.csv?{signature}")
            assert hashlib.sha256(container.download_blob("back.csv").readall()).digest() == hashlib.sha256(text).digest()
            assert seen["failed"] >= 3
            refused = local.command("dataset", "import", "--url", f"http://127.0.0.1:{proxy.server_port}/redirect.csv", "--name", "no", check=False)
            assert refused.returncode != 0 and seen["elsewhere"] == 0
    finally:
        proxy.shutdown()


def test_the_development_account_can_be_switched_off(tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text("blob-development-account: 'false'\n")
    with server("--config", str(config)) as strict:
        with pytest.raises(HttpResponseError) as refused:
            development(strict).get_account_information()
        assert refused.value.status_code == 404
    with server("--bind", "0.0.0.0") as public:
        with pytest.raises(HttpResponseError):
            development(public).get_account_information()


def resident_peak(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def test_a_large_blob_costs_no_more_memory_than_a_small_one(fresh):
    storage = fresh.demo()["storage"]
    client = ContainerClient.from_connection_string(storage["connectionString"], storage["container"], max_single_put_size=1 << 40,
                                                    max_single_get_size=1 << 40, connection_timeout=60)

    class Zeros:
        def __init__(self, size):
            self.left = size

        def read(self, count=-1):
            count = self.left if count < 0 else min(count, self.left)
            self.left -= count
            return bytes(count)

    def transfer(name, size):
        signature = generate_blob_sas(storage["account"], storage["container"], name, account_key=storage["key"], permission="rwc",
                                      expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
        parts = urllib.parse.urlsplit(fresh.urls["blobs"])
        path = f"/{storage['account']}/{storage['container']}/{name}?{signature}"
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60, blocksize=1 << 20)
        connection.request("PUT", path, Zeros(size), {"x-ms-blob-type": "BlockBlob", "Content-Length": str(size)})
        answer = connection.getresponse()
        assert answer.status == 201, answer.read()
        answer.read()
        connection.request("GET", path)
        answer = connection.getresponse()
        found = 0
        while piece := answer.read(1 << 20):
            found += len(piece)
        assert found == size

    transfer("small", 5 << 20)
    before = resident_peak(fresh.process.pid)
    transfer("large", 1 << 30)
    after = resident_peak(fresh.process.pid)
    client.delete_blob("large")
    assert after - before < 48, (before, after)


def test_a_broken_upload_leaves_nothing(fresh):
    storage = fresh.demo()["storage"]
    client = ContainerClient.from_connection_string(storage["connectionString"], storage["container"], retry_total=0)
    before = set((fresh.data / "blobs").glob("*/*"))
    signature = generate_container_sas(storage["account"], storage["container"], storage["key"], permission="rwcd",
                                       expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
    parts = urllib.parse.urlsplit(fresh.urls["blobs"])
    for _ in range(5):
        with socket.create_connection((parts.hostname, parts.port)) as raw:
            raw.sendall((f"PUT /{storage['account']}/{storage['container']}/broken?{signature} HTTP/1.1\r\nHost: x\r\n"
                         "x-ms-blob-type: BlockBlob\r\nContent-Length: 9000000\r\n\r\n").encode() + bytes(3_000_000))
    end = time.time() + 10
    while (files := set((fresh.data / "blobs").glob("*/*")) - before) and time.time() < end:
        time.sleep(0.05)
    assert not files
    assert "broken" not in [blob.name for blob in client.list_blobs()]


def test_hostile_requests_are_answered(live):
    storage = live.guide["storage"]
    base = live.urls["blobs"]
    account = storage["account"]
    assert call(base, "GET", "/").status == 404
    assert call(base, "GET", "/nobody/x").status == 404
    assert call(base, "GET", f"/{account}/guide/%ff%zz").status in (400, 404)
    assert call(base, "GET", f"/{account}/guide?restype=container&comp=list").headers["x-ms-error-code"] == "ResourceNotFound"
    assert call(base, "PUT", f"/{account}/guide/x", b"x", {"Authorization": "SharedKey nonsense"}).status == 403
    assert call(base, "PUT", f"/{account}/guide/x", b"x", {"Authorization": f"SharedKey {account}:AAAA", "x-ms-date": "never"}).status == 403
    assert call(base, "BREW", f"/{account}/guide/x").status in (403, 404, 405)
    assert call(base, "GET", f"/{account}/guide/x", headers={"x-ms-version": "tomorrow"}).status == 400
    dot = call(base, "GET", f"/{account}/../../etc/passwd")
    assert dot.status in (400, 404)

    client = ContainerClient.from_connection_string(storage["connectionString"], storage["container"], retry_total=0)
    signature = generate_container_sas(account, storage["container"], storage["key"], permission="rwcd",
                                       expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
    for boundary in ("", '""', ";", "x"):
        headers = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
        found = call(base, "POST", f"/{account}/guide?restype=container&comp=batch&{signature}", b"--x\r\n\r\n--x--", headers)
        assert found.status in (202, 400), found.text
    pages = client.get_blob_client("sequence")
    pages.create_page_blob(512, sequence_number=2**63 - 1)
    with pytest.raises(HttpResponseError) as refused:
        pages.set_sequence_number("increment")
    assert refused.value.error_code == "SequenceNumberIncrementTooLarge"
    pages.delete_blob()
    for first, last in ((0, 2**63 - 1), (2**63 - 1, 2**63 - 1), (2**63, 5), (5, 1)):
        for name in ("Range", "x-ms-range"):
            assert call(base, "GET", f"/{account}/guide/none?{signature}", headers={name: f"bytes={first}-{last}"}).status in (400, 404)
        put = call(base, "PUT", f"/{account}/guide/none?comp=block&blockid=AAAA&{signature}", headers={
            "x-ms-copy-source": f"{base}/{account}/guide/none", "x-ms-source-range": f"bytes={first}-{last}"})
        assert put.status in (400, 403, 404, 416), put.text
        page = call(base, "PUT", f"/{account}/guide/none?comp=page&{signature}", b"", {"x-ms-page-write": "clear", "x-ms-range": f"bytes={first}-{last}"})
        assert page.status in (400, 404, 416), page.text
    for header in ("x-ms-if-tags", "x-ms-encryption-key", "x-ms-content-crc64"):
        assert call(base, "GET", f"/{account}/guide/none?{signature}", headers={header: "x"}).status == 501

    def many(number):
        return call(base, "GET", f"/{account}/guide/none-{number}?sv=2020-12-06&sr=b&sp=r&se=2030-01-01&sig=AAAA").status

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert set(pool.map(many, range(300))) == {403}


def test_a_damaged_file_is_reported_and_not_served(fresh):
    storage = fresh.demo()["storage"]
    client = ContainerClient.from_connection_string(storage["connectionString"], storage["container"], retry_total=0)
    data = os.urandom(3_000_000)
    client.upload_blob("damaged", data)
    path = next(path for path in (fresh.data / "blobs").glob("*/*") if path.stat().st_size == len(data))
    raw = bytearray(path.read_bytes())
    raw[10] ^= 1
    path.write_bytes(raw)
    with pytest.raises(HttpResponseError) as refused:
        client.download_blob("damaged").readall()
    assert refused.value.status_code == 500 and "damaged" in refused.value.message
    assert client.download_blob("damaged", offset=100_000, length=1000).readall() == data[100_000:101_000]
    raw[10] ^= 1
    raw[2_500_000] ^= 1
    path.write_bytes(raw)
    # The head is sent before the damage is met: the answer is cut, and not taken for a whole one.
    with pytest.raises(Exception):
        client.download_blob("damaged").readall()
    assert "damaged content" in (fresh.folder / "log").read_text()


def test_on_a_full_disk_deleting_works(tmp_path):
    """A small disk of its own, filled from outside: what stands there is read and deleted, and then written again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], capture_output=True).returncode != 0:
        pytest.skip("no disk may be mounted here")
    running = Server(disk)
    try:
        running.start()
        storage = running.demo()["storage"]
        client = ContainerClient.from_connection_string(storage["connectionString"], storage["container"], retry_total=0)
        for number in range(40):
            client.upload_blob(f"small/{number}", os.urandom(1000))
        client.upload_blob("large", os.urandom(6 << 20))
        with open(disk / "filler", "wb", buffering=0) as filler:
            with pytest.raises(OSError):
                while True:
                    filler.write(bytes(4096))
        # What is left in the files that are there is used up, too.
        refused = 0
        for number in range(4000):
            try:
                client.upload_blob(f"more/{number}", os.urandom(1000))
            except HttpResponseError as error:
                assert error.status_code == 500 and "No space left on device" in error.message
                refused += 1
                if refused == 3:
                    break
        assert refused == 3
        assert client.download_blob("small/7").readall()
        for number in range(40):
            client.delete_blob(f"small/{number}")
        client.delete_blob("large")
        assert [blob.name for blob in client.list_blobs(name_starts_with="small/")] == []
        deadline = time.monotonic() + 10
        while True:
            try:
                client.upload_blob("after", b"there is room again", overwrite=True)
                break
            except HttpResponseError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        running.kill()
        (disk / "filler").unlink()
        running.start()
        client = ContainerClient.from_connection_string(running.demo()["storage"]["connectionString"], storage["container"])
        assert client.download_blob("after").readall() == b"there is room again"
        assert not client.get_blob_client("large").exists() and not client.get_blob_client("small/7").exists()
    finally:
        if running.process is not None:
            running.stop()
        subprocess.run(["umount", "-l", str(disk)], check=False)
