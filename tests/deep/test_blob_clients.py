"""Storage clients in other languages, unchanged: Go (rclone), Rust (object_store, OpenDAL), C++ (Arrow's file system, GDAL)."""
import datetime
import json
import os
import pathlib
import random
import subprocess

import pytest
from azure.storage.blob import AccountSasPermissions, BlobServiceClient, ResourceTypes, generate_account_sas

from gatehouse import ROOT

FOREIGN = pathlib.Path(__file__).parent / "foreign_clients.py"
BYTES = random.Random(7)
FILES = {name: BYTES.randbytes(300 + 41 * index) for index, name in enumerate(
    ["a b.txt", "ä/ö ü.bin", "plus+sign", "per%20cent", "deep/er/x", "sp ace/one", "q?m", "h#h", "semi;colon", "quote'x", "[b]",
     "c&d", "eq=x"])} | {"big": BYTES.randbytes(9 << 20)}


@pytest.fixture
def container(live):
    """An empty container of the name that the foreign clients use, with the storage account and its address."""
    storage = live.guide["storage"]
    service = BlobServiceClient.from_connection_string(storage["connectionString"], retry_total=0)
    client = service.create_container("foreign")
    yield storage, service.url.rstrip("/")
    client.delete_container()


@pytest.mark.parametrize("client", ["object_store", "opendal", "arrow"])
def test_rust_and_cpp(container, client):
    storage, url = container
    done = subprocess.run([ROOT / ".venv-clients/bin/python", FOREIGN, client, storage["account"], storage["key"], url],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]


def test_go(container, tmp_path):
    storage, url = container
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    sas = generate_account_sas(storage["account"], storage["key"], ResourceTypes(True, True, True),
                               AccountSasPermissions(read=True, write=True, delete=True, list=True, add=True, create=True), until)
    environment = {**os.environ, "RCLONE_CONFIG": os.devnull, "RCLONE_CONFIG_STORE_TYPE": "azureblob",
                   "RCLONE_CONFIG_STORE_SAS_URL": f"{url}/?{sas}"}
    there, back = tmp_path / "there", tmp_path / "back"
    for name, data in FILES.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(data)

    def rclone(*words):
        done = subprocess.run(["rclone", "--retries", "1", "--low-level-retries", "1", *words], env=environment, capture_output=True,
                              text=True, timeout=120)
        assert done.returncode == 0, (words, done.stderr[-3000:])
        return done.stdout

    rclone("sync", "--azureblob-chunk-size", "4M", str(there), "store:foreign")
    listed = json.loads(rclone("lsjson", "-R", "--files-only", "store:foreign"))
    assert sorted(entry["Path"] for entry in listed) == sorted(FILES)
    rclone("check", "--download", str(there), "store:foreign")
    rclone("sync", "store:foreign", str(back))
    assert {name: (back / name).read_bytes() for name in FILES} == FILES
    assert rclone("ls", "store:foreign/sp ace").split() == [str(len(FILES["sp ace/one"])), "one"]
    rclone("copyto", "store:foreign/plus+sign", "store:foreign/copied by the server")
    rclone("moveto", "store:foreign/c&d", "store:foreign/moved/x+y")
    assert rclone("cat", "store:foreign/moved/x+y", "--count", "0") == ""
    rclone("settier", "Cool", "store:foreign/deep")


def test_gdal(container, tmp_path):
    storage, _ = container
    environment = {**os.environ, "AZURE_STORAGE_CONNECTION_STRING": storage["connectionString"]}
    source = tmp_path / "point.geojson"
    source.write_text('{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"n":7},'
                      '"geometry":{"type":"Point","coordinates":[1,2]}}]}')
    target = "/vsiaz/foreign/ge o/p+1.geojson"
    for words in (["ogr2ogr", "-f", "GeoJSON", target, str(source)], ["ogrinfo", "-al", target]):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert "n (Integer) = 7" in done.stdout
