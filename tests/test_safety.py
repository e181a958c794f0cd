"""A start destroys nothing that it does not understand, an end leaves whole files, and a full disk can be emptied."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import time

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient

from gatehouse import BINARY, Server, call

DATABASES = ("configuration.sqlite", "work.sqlite", "facts.sqlite")
LARGE = os.urandom(200_000)


def client(running):
    """A client of the workspace's account; its name and key stay, only the port is another at each start."""
    kept = running.folder / "connection"
    if not kept.exists():
        kept.write_text(json.loads(running.command("demo", "--json").stdout)["storage"]["connectionString"])
    text = re.sub(r"http://127\.0\.0\.1:\d+", running.urls["blobs"], kept.read_text())
    return BlobServiceClient.from_connection_string(text, retry_total=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder as SIGTERM left it, and as SIGKILL did: with blobs, datasets and a managed API in it."""
    folder = tmp_path_factory.mktemp("made")
    running = Server(folder).start()
    blobs = client(running)
    running.container = blobs.create_container("papers")
    for number in range(3):
        running.container.upload_blob(f"large-{number}", LARGE)
    running.container.upload_blob("small", b"few words")
    names = running.demo_names
    # The log is in the copy of a killed server, and what it holds is nowhere else.
    running.kill()
    shutil.copytree(running.data, folder / "killed")
    running.start()
    assert running.stop() == 0
    shutil.copytree(running.data, folder / "ended")
    return {"folder": folder, "names": names}


class Copy(Server):
    """A server on a copy of such a folder."""

    def __init__(self, made, kind, folder, *flags):
        super().__init__(folder, *flags)
        shutil.copytree(made["folder"] / kind, self.data)
        shutil.copy(made["folder"] / "connection", folder / "connection")

    def refused(self, *flags):
        """Starts it in vain: what it says, and nothing in the folder is another thing than before."""
        before = contents(self.data)
        done = subprocess.run([str(BINARY), "serve", "--data", str(self.data), "--gateway-port", "0", "--gateway-tls-port", "0",
                               "--portal-port", "0", "--services-port", "0", "--blobs-port", "0", *flags],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode != 0, done.stderr
        assert contents(self.data) == before
        return done.stderr

    def whole(self, flags=()):
        """Starts it, reads all blobs, and ends it."""
        self.flags = list(flags)
        self.start()
        container = client(self).get_container_client("papers")
        for number in range(3):
            assert container.download_blob(f"large-{number}").readall() == LARGE
        assert container.download_blob("small").readall() == b"few words"
        assert self.stop() == 0

    def orphans(self, *words):
        done = subprocess.run([str(BINARY), "orphans", *words, "--data", str(self.data)], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout


def contents(folder):
    """Files with their bytes, but for the lock."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and path.name != "gatehouse.lock"}


def content_files(data):
    return sorted(path for name in ("blobs", "content") for path in (data / name).rglob("*") if path.is_file())


# --- Databases that are missing, empty, or another's


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("how, kind", [("missing", "ended"), ("missing", "killed"), ("empty", "ended"), ("header", "ended")])
def test_a_start_without_a_database_is_refused_by_name(made, tmp_path, name, how, kind):
    running = Copy(made, kind, tmp_path)
    file = running.data / name
    kept = {end: file.with_name(name + end).read_bytes() for end in ("", "-wal") if file.with_name(name + end).exists()}
    for end in kept:
        file.with_name(name + end).unlink()
    if how == "empty":
        file.write_bytes(b"")
    if how == "header":
        empty = sqlite3.connect(file)
        empty.execute("PRAGMA journal_mode = WAL")
        empty.execute("VACUUM")
        empty.close()
        assert file.stat().st_size == 4096
    said = running.refused()
    assert name in said and "--accept-loss " + name in said and ("missing" if how == "missing" else "empty") in said
    for end, data in kept.items():
        file.with_name(name + end).write_bytes(data)
    running.whole()


@pytest.mark.parametrize("kept", [(), ("configuration.sqlite",), ("work.sqlite", "facts.sqlite")])
def test_folders_of_before_the_marks_are_judged_too(made, tmp_path, kept):
    running = Copy(made, "ended", tmp_path)
    strip_marks(running.data)
    for name in set(DATABASES) - set(kept):
        (running.data / name).unlink()
    said = running.refused()
    for name in {"configuration.sqlite", "work.sqlite"} - set(kept):
        assert name in said


def strip_marks(data):
    """Makes a folder what the version before the marks left: no mark, and databases that say nothing of whose they are."""
    (data / "installation.json").unlink()
    for name in DATABASES:
        with contextlib.closing(sqlite3.connect(data / name)) as database:
            database.execute("DELETE FROM installation")
            database.commit()


def test_a_folder_of_before_the_marks_starts(made, tmp_path):
    running = Copy(made, "ended", tmp_path)
    strip_marks(running.data)
    (running.data / "facts.sqlite").unlink()
    running.whole()
    assert json.loads((running.data / "installation.json").read_text())["complete"] is True


def test_contents_alone_are_a_reason_to_refuse(made, tmp_path):
    running = Copy(made, "ended", tmp_path)
    for path in running.data.iterdir():
        if path.name != "blobs":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = running.refused()
    assert "blobs" in said and "work.sqlite" in said


@pytest.fixture(scope="module")
def another(tmp_path_factory):
    """A folder of another installation."""
    running = Server(tmp_path_factory.mktemp("another")).start()
    client(running).create_container("theirs").upload_blob("x", LARGE)
    assert running.stop() == 0
    return running.data


@pytest.fixture(scope="module")
def another_killed(tmp_path_factory):
    """The same, of one that did not end by itself."""
    running = Server(tmp_path_factory.mktemp("killed")).start()
    client(running).create_container("theirs").upload_blob("x", LARGE)
    running.kill()
    return running.data


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("marked", [True, False])
def test_another_installations_database_is_refused(made, another, tmp_path, name, marked):
    (tmp_path / "other").mkdir()
    other = Server(tmp_path / "other")
    shutil.copytree(another, other.data)
    (tmp_path / "own").mkdir()
    running = Copy(made, "ended", tmp_path / "own")
    if not marked:
        if name == "facts.sqlite":
            pytest.skip("statistics of before the marks say nothing of whose they are")
        strip_marks(other.data)
        strip_marks(running.data)
    own = (running.data / name).read_bytes()
    shutil.copy(other.data / name, running.data / name)
    blobs = content_files(running.data)
    with pytest.raises(RuntimeError, match=f"{name}.*another installation|another installation.*{name}"):
        running.start()
    assert content_files(running.data) == blobs
    # It is not claimed either: back in its own folder it is served.
    shutil.copy(running.data / name, other.data / name)
    assert other.start().stop() == 0
    (running.data / name).write_bytes(own)
    running.whole()


def test_a_missing_master_key_is_not_made_anew(made, tmp_path):
    running = Copy(made, "ended", tmp_path)
    key = running.data / "secrets" / "master.key"
    kept = key.read_bytes()
    key.unlink()
    assert "master.key" in running.refused()
    assert not key.exists()
    key.write_bytes(kept)
    running.whole()


@pytest.mark.parametrize("file", ["tls/authority.pem", "secrets/authority.key"])
def test_half_of_the_gateways_authority_is_kept_beside_a_new_one(made, tmp_path, file):
    running = Copy(made, "ended", tmp_path)
    (running.data / file).unlink()
    other = running.data / ({"tls/authority.pem", "secrets/authority.key"} - {file}).pop()
    kept = other.read_bytes()
    running.start()
    assert running.stop() == 0
    assert other.read_bytes() != kept
    assert [path.read_bytes() for path in other.parent.glob(other.name + ".*")] == [kept]


def run_sql(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("kind", ["ended", "killed"])
def test_another_installations_log_is_refused_and_can_be_set_aside(made, another_killed, tmp_path, name, kind):
    running = Copy(made, kind, tmp_path)
    log = running.data / f"{name}-wal"
    kept = log.read_bytes() if log.exists() else None
    theirs = (another_killed / log.name).read_bytes()
    log.write_bytes(theirs)
    said = running.refused()
    if kept is None:
        assert f"{name}-wal does not belong to {name}" in said and f"--accept-loss {name}" in said
        running.whole([f"--accept-loss={name}"])
        assert [path.read_bytes() for path in (running.data / "damaged").iterdir()] == [theirs]
    else:
        assert "belongs to another installation" in said and name in said
        log.write_bytes(kept)
        running.whole()


@pytest.mark.parametrize("name", DATABASES)
def test_a_stale_log_beside_a_database_that_was_closed_is_refused(made, tmp_path, name):
    running = Copy(made, "ended", tmp_path)
    shutil.copy(made["folder"] / "killed" / f"{name}-wal", running.data)
    assert f"{name}-wal does not belong to {name}" in running.refused()
    running.whole([f"--accept-loss={name}"])
    running.whole()


@pytest.mark.parametrize("name", DATABASES)
def test_another_installations_log_is_refused_where_no_mark_tells(made, another_killed, tmp_path, name):
    """A folder of before the marks takes logs after a crash, but not those that say they are another's."""
    running = Copy(made, "ended", tmp_path)
    (running.data / "installation.json").unlink()
    shutil.copy(another_killed / f"{name}-wal", running.data)
    assert name in running.refused()
    (running.data / f"{name}-wal").unlink()
    running.whole()


def test_a_folder_of_before_the_marks_starts_with_its_logs_after_a_crash(made, tmp_path):
    running = Copy(made, "killed", tmp_path)
    (running.data / "installation.json").unlink()
    (running.data / "databases.open").unlink()
    running.whole()


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("how", ["foreign", "other", "table", "newer"])
@pytest.mark.parametrize("kind", ["ended", "killed"])
def test_a_database_that_is_not_ours_is_refused_by_name(made, tmp_path, name, how, kind):
    running = Copy(made, kind, tmp_path)
    file = running.data / name
    if kind == "killed":
        for end in ("-wal", "-shm"):
            file.with_name(name + end).unlink()
        shutil.copy(made["folder"] / "ended" / name, file)
        marked = (running.data / "databases.open").read_text().splitlines()
        (running.data / "databases.open").write_text("".join(line + "\n" for line in marked if line.split()[0] != name))
    if how == "foreign":
        file.unlink()
        run_sql(file, "CREATE TABLE t (a)")
    if how == "other":
        shutil.copy(made["folder"] / "ended" / DATABASES[DATABASES.index(name) - 1], file)
    if how == "table":
        run_sql(file, "DROP TABLE " + {"configuration.sqlite": "changes", "work.sqlite": "blobs", "facts.sqlite": "usage"}[name])
    if how == "newer":
        run_sql(file, "PRAGMA user_version = 999")
    assert f"The database {file} " in running.refused()


@pytest.mark.parametrize("what", ["secrets", "installation.json", *DATABASES])
@pytest.mark.parametrize("kind", ["ended", "killed"])
def test_what_is_another_installations_is_refused_unchanged(made, another, tmp_path, what, kind):
    running = Copy(made, kind, tmp_path)
    if what == "secrets":
        shutil.rmtree(running.data / what)
        shutil.copytree(another / what, running.data / what)
    else:
        shutil.copy(another / what, running.data / what)
    said = running.refused()
    assert "another installation" in said or "does not belong" in said or "is damaged" in said


@pytest.mark.parametrize("text", ["", "no key\n" * 20])
def test_a_damaged_key_of_the_gateways_authority_is_named(made, tmp_path, text):
    running = Copy(made, "ended", tmp_path)
    (running.data / "secrets" / "authority.key").write_text(text)
    with pytest.raises(RuntimeError, match="secrets/authority.key is damaged"):
        running.start()


@pytest.mark.parametrize("name", ["blobs", "content", "tls"])
def test_a_file_in_the_place_of_a_folder_is_named(made, tmp_path, name):
    running = Copy(made, "ended", tmp_path)
    shutil.move(running.data / name, tmp_path / "kept")
    (running.data / name).write_text("no folder")
    said = running.refused()
    assert str(running.data / name) in said and "must be a folder" in said


def test_losses_can_be_accepted_by_name(made, tmp_path):
    running = Copy(made, "ended", tmp_path)
    files = [path.read_bytes() for path in content_files(running.data)]
    (running.data / "work.sqlite").unlink()
    assert "configuration.sqlite" in running.refused("--accept-loss", "configuration.sqlite,works.sqlite")
    running.flags = ["--accept-loss", "work.sqlite"]
    running.start()
    assert "blobs" in running.orphans("list")
    assert running.stop() == 0
    # Without its names all is still there.
    assert sorted(files) == sorted(path.read_bytes() for path in content_files(running.data))
    shutil.copy(made["folder"] / "ended" / "work.sqlite", running.data / "work.sqlite")
    running.whole()
    assert json.loads(running.orphans("list", "--json")) == []


# --- Contents that no database names


def test_orphans_are_put_aside_listed_and_restored(made, tmp_path):
    running = Copy(made, "ended", tmp_path, "--log-level", "info")
    stray = running.data / "blobs" / "0" / "fff"
    stray.write_bytes(b"unknown")
    named = "ab" * 32
    (running.data / "content" / named).write_bytes(b"also unknown")
    (running.data / "content" / "notes.txt").write_bytes(b"somebody's own")
    running.start()
    assert not stray.exists() and not (running.data / "content" / named).exists()
    assert (running.data / "content" / "notes.txt").read_bytes() == b"somebody's own"
    listed = json.loads(running.orphans("list", "--json"))
    assert {(item["name"], item["bytes"]) for item in listed} == {("blobs/fff", 7), (f"content/{named}", 12)}
    assert re.fullmatch(r"\d{8}T\d{6}Z", listed[0]["since"]) and "blobs/fff" in running.orphans("list")
    log = (running.folder / "log").read_text()
    assert "put aside" in log and "gatehouse orphans" in log and "content.days=30" in log
    # A new content never takes the number of one that may come back.
    client(running).get_container_client("papers").upload_blob("later", LARGE)
    assert (running.data / "blobs" / "1" / "1000").exists()
    assert running.orphans("restore", "blobs/fff").startswith("1 ")
    assert stray.read_bytes() == b"unknown"
    assert running.orphans("restore", "--all").startswith("1 ")
    assert (running.data / "content" / named).read_bytes() == b"also unknown"
    missing = subprocess.run([str(BINARY), "orphans", "restore", "blobs/123", "--data", str(running.data)], capture_output=True, text=True)
    assert missing.returncode != 0 and "blobs/123" in missing.stderr
    running.stop()


def test_files_whose_names_are_not_exactly_ours_are_left_alone(made, tmp_path):
    running = Copy(made, "ended", tmp_path)
    names = ["blobs/0/FFE", "blobs/0/00fee", "blobs/0/+fe", "blobs/0/-1", "blobs/5", "blobs/00/1", "blobs/A/1", "content/mine.new",
             "content/" + "AB" * 32]
    for name in names:
        (running.data / name).parent.mkdir(exist_ok=True)
        (running.data / name).write_text("somebody's own")
    running.whole()
    assert all((running.data / name).read_text() == "somebody's own" for name in names)


def test_blobs_that_people_put_among_datasets_stay(made, tmp_path):
    running = Copy(made, "ended", tmp_path).start()
    blobs = client(running)
    container = blobs.get_container_client("experimentdatasets")
    container.upload_blob("mine.csv", b"a,b\n")
    container.upload_blob("0" * 32 + "/" + "0" * 64, b"as one of a dataset that an older configuration does not know")
    for _ in range(2):
        assert running.stop() == 0
        running.start()
        container = client(running).get_container_client("experimentdatasets")
        assert container.download_blob("mine.csv").readall() == b"a,b\n"
        assert container.get_blob_client("0" * 32 + "/" + "0" * 64).exists()
    running.stop()


# --- Logs of databases


def frames(log):
    """The offsets of a log's frames, and which of them are commits."""
    size = struct.unpack(">I", log[8:12])[0]
    salt = log[16:24]
    found = []
    for offset in range(32, len(log) - size - 23, size + 24):
        if log[offset + 8:offset + 16] == salt:
            found.append((offset, struct.unpack(">I", log[offset + 4:offset + 8])[0] != 0))
    return found, size + 24


@pytest.mark.parametrize("name", DATABASES)
def test_a_damaged_log_is_told_and_served_on_request_only(made, tmp_path, name):
    running = Copy(made, "killed", tmp_path)
    path = running.data / f"{name}-wal"
    log = bytearray(path.read_bytes())
    found, size = frames(log)
    # A middle frame: commits are before and behind it.
    bad = len(found) // 2
    log[found[bad][0] + 24 + 100] ^= 0xFF
    path.write_bytes(log)
    good = max(place for place in range(bad) if found[place][1]) + 1 if any(commit for _, commit in found[:bad]) else 0
    lost = sum(commit for _, commit in found[good:])
    said = running.refused()
    assert f"{name}-wal" in said and f"frame {bad + 1} " in said and f"{lost} acknowledged commits" in said
    assert f"--accept-loss {name}" in said
    running.flags = ["--accept-loss", name]
    if name == "facts.sqlite":
        running.start()
        assert running.stop() == 0
        # Every byte is kept where somebody may still look for it.
        kept = list((running.data / "damaged").iterdir())
        assert len(kept) == 1 and kept[0].read_bytes() == bytes(log)
        assert "acknowledged commits" in (running.folder / "log").read_text()


def test_a_torn_log_is_logged_and_served(made, tmp_path):
    running = Copy(made, "killed", tmp_path)
    path = running.data / "facts.sqlite-wal"
    log = bytearray(path.read_bytes())
    found, size = frames(log)
    assert len(found) > 2
    log[found[-1][0] + 24 + 100] ^= 0xFF
    path.write_bytes(log)
    running.whole()
    said = (running.folder / "log").read_text()
    assert "facts.sqlite-wal" in said and "never acknowledged" in said


@pytest.mark.parametrize("name", DATABASES)
def test_a_log_that_is_gone_is_missed(made, tmp_path, name):
    running = Copy(made, "killed", tmp_path)
    log = running.data / f"{name}-wal"
    kept = log.read_bytes()
    log.unlink()
    said = running.refused()
    assert name in said and f"--accept-loss {name}" in said
    log.write_bytes(kept)
    running.whole()


# --- Ends


def test_after_an_end_the_database_files_are_the_whole(made, tmp_path):
    data = made["folder"] / "ended"
    assert not list(data.glob("*-wal")) and not list(data.glob("*-shm")) and not (data / "databases.open").exists()
    for name, table in (("configuration.sqlite", "resources"), ("work.sqlite", "blobs"), ("facts.sqlite", "usage")):
        with contextlib.closing(sqlite3.connect(f"file:{data / name}?mode=ro&immutable=1", uri=True)) as database:
            count = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            assert count > 0 or table == "usage"
            assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    # Whoever copies these alone has copied all.
    running = Copy(made, "ended", tmp_path)
    for name in DATABASES:
        (running.data / name).write_bytes((data / name).read_bytes())
    running.whole()


def test_commands_that_open_the_databases_leave_them_whole(tmp_path):
    run = lambda *words: subprocess.run([str(BINARY), *words, "--data", str(tmp_path / "d")], capture_output=True, text=True, timeout=30)
    for words in (("init",), ("rotate-secret",), ("init",)):
        run(*words)
        assert sorted(path.name for path in (tmp_path / "d").glob("*sqlite*")) == sorted(DATABASES)
    with contextlib.closing(sqlite3.connect(f"file:{tmp_path / 'd' / 'configuration.sqlite'}?immutable=1", uri=True)) as database:
        assert database.execute("SELECT count(*) FROM resources").fetchone()[0] > 10


def test_a_first_start_that_was_cut_off_goes_on(tmp_path):
    for delay in (0.02, 0.05, 0.1, 0.2, 0.4):
        process = subprocess.Popen([str(BINARY), "init", "--data", str(tmp_path / "data")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
    running = Server(tmp_path).start()
    assert running.stop() == 0


# --- Files that are damaged or cannot be written


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("how", ["text", "header", "page", "cut"])
def test_a_damaged_database_is_named(made, tmp_path, name, how):
    running = Copy(made, "ended", tmp_path)
    file = running.data / name
    data = bytearray(file.read_bytes())
    if how == "text":
        data = b"this is no database\n" * 300
    if how == "header":
        data[:16] = b"SQLite format 9\0"
    if how == "page":
        data[4096:8192] = b"\xA5" * 4096
    if how == "cut":
        data = data[:4096 * 3]
    file.write_bytes(data)
    with pytest.raises(RuntimeError, match=f"{name} is damaged"):
        running.start()


def mounted(script, *words):
    """Runs a script in a mount namespace of its own; root only."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs root for a mount of its own")
    return subprocess.Popen(["unshare", "-m", "--propagation", "private", "bash", "-ec", script, "bash", *words],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("what", ["", "work.sqlite", "blobs", "blobs/0", "content", "tls", "installation.json", "reserve"])
def test_what_is_read_only_is_named(made, tmp_path, what):
    running = Copy(made, "ended", tmp_path)
    path = running.data / what
    script = ('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; "$2" serve --data "$3" --gateway-port 0 --gateway-tls-port 0'
              ' --portal-port 0 --services-port 0 --blobs-port 0 || exit 3')
    process = mounted(script, str(path).rstrip("/"), str(BINARY), str(running.data))
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 3 and str(path).rstrip("/") in out and "Read-only" in out, out


def test_a_read_only_folder_of_another_user_is_named(made, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    running = Copy(made, "ended", tmp_path)
    for path in [tmp_path, *tmp_path.parents]:
        if path.stat().st_uid == 0 and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    running.data.chmod(0o755)
    if subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "test", "-x", str(BINARY)]).returncode != 0:
        pytest.skip("the binary is not for others")
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", str(BINARY), "serve", "--data", str(running.data)],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and str(running.data) in done.stderr and "Permission denied" in done.stderr


# --- Secrets and modes


@pytest.mark.parametrize("name", ["management-token", "workspace-token", "workspace-token-secondary", "master.key"])
@pytest.mark.parametrize("text", ["", "\n", "short", "\0" * 40, "\x01\x02\x1b" * 20])
def test_an_empty_or_short_secret_is_refused_by_name(made, tmp_path, name, text):
    running = Copy(made, "ended", tmp_path)
    (running.data / "secrets" / name).write_text(text)
    assert f"secrets/{name}" in running.refused()


@pytest.mark.parametrize("value", ["Bearer ", "Bearer", "Bearer  ", ""])
def test_an_empty_token_opens_nothing(live, value):
    for path in ("/api/installation", "/metrics-none", "/api/audit"):
        assert call(live.urls["portal"], "GET", path, None, {"Authorization": value}).status in (401, 404)
    assert call(live.urls["portal"], "GET", "/api/installation", None, {"Authorization": value}).status == 401
    assert live.management("GET", "/apis", headers={"Authorization": value}).status == 401


def test_everything_is_its_owners_also_in_a_folder_that_was_open(made, tmp_path):
    running = Copy(made, "killed", tmp_path)
    (running.data / "foreign.txt").write_text("not ours")
    for path in [running.data, *running.data.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    running.start()
    client(running).get_container_client("papers").upload_blob("later", LARGE)
    for _ in range(2):
        for path in [running.data, *running.data.rglob("*")]:
            if path.name == "foreign.txt":
                continue
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == (0o700 if path.is_dir() else 0o600), (path, oct(mode))
        running.stop()


# --- Full disks


FULL = r'''
mount -t tmpfs -o size=24m tmpfs "$1"
cp -a "$2/." "$1/data"
"$3" serve --data "$1/data" --ready-file "$4" --gateway-port 0 --gateway-tls-port 0 --portal-port 0 --services-port 0 --blobs-port 0 &
server=$!
trap 'kill -TERM $server; wait $server' EXIT
while read -r word; do
  case $word in
  fill) dd if=/dev/zero of="$1/ballast" bs=64k 2>/dev/null || true; dd if=/dev/zero of="$1/ballast2" bs=512 2>/dev/null || true ;;
  free) rm -f "$1/ballast" "$1/ballast2" ;;
  readonly*) mount --bind "$1/data/${word#*:}" "$1/data/${word#*:}"; mount -o remount,bind,ro "$1/data/${word#*:}" ;;
  writable*) umount "$1/data/${word#*:}" ;;
  restart) kill -KILL $server; wait $server || true; "$3" serve --data "$1/data" --ready-file "$4" --gateway-port 0 \
    --gateway-tls-port 0 --portal-port 0 --services-port 0 --blobs-port 0 & server=$! ;;
  end) break ;;
  esac
  echo "did $word"
done
'''


class OnSmallDisk:
    """A server in a mount namespace, whose disk is filled and emptied on request."""

    def __init__(self, made, folder):
        (folder / "disk").mkdir()
        self.data = folder / "disk" / "data"
        self.made = made
        self.ready = folder / "ready.json"
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
            pytest.skip("needs root for a disk of its own")
        self.log = open(folder / "log", "w")
        self.process = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "bash", "-ec", FULL, "bash", str(folder / "disk"),
             str(made["folder"] / "ended"), str(BINARY), str(self.ready)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.wait()

    def wait(self):
        for _ in range(1000):
            if self.ready.exists():
                break
            time.sleep(0.02)
        self.urls = json.loads(self.ready.read_text())
        self.token = (self.made["folder"] / "ended" / "secrets" / "management-token").read_text().strip()

    def do(self, word):
        if word == "restart":
            self.ready.unlink()
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        while self.process.stdout.readline().strip() != f"did {word}":
            assert self.process.poll() is None
        if word == "restart":
            self.wait()

    def is_ready(self):
        answer = call(self.urls["portal"], "GET", "/health/ready")
        return answer.status == 200, answer.text

    def becomes(self, ready):
        end = time.monotonic() + 12
        while self.is_ready()[0] != ready:
            assert time.monotonic() < end, self.is_ready()
            time.sleep(0.1)
        return self.is_ready()[1]

    def management(self, method, path, body=None):
        names = self.made["names"]
        root = (f"/subscriptions/{names['subscriptionId']}/resourceGroups/{names['resourceGroup']}"
                f"/providers/Microsoft.ApiManagement/service/{names['serviceName']}")
        return call(self.urls["portal"], method, f"{root}{path}?api-version=2022-08-01", body,
                    {"Authorization": f"Bearer {self.token}", "If-Match": "*"} if method == "DELETE" else {"Authorization": f"Bearer {self.token}"})

    def container(self, name):
        done = subprocess.run([str(BINARY), "demo", "--json", "--server", self.urls["portal"]], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "GATEHOUSE_TOKEN": self.token})
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)["storage"]
        return BlobServiceClient.from_connection_string(shown["connectionString"], retry_total=0).get_container_client(name)

    def end(self):
        self.process.stdin.write("end\n")
        self.process.stdin.close()
        self.process.wait(30)
        self.log.close()


@pytest.fixture
def small(made, tmp_path):
    disk = OnSmallDisk(made, tmp_path)
    yield disk
    disk.end()


def named_value(text):
    return {"properties": {"displayName": "filler", "value": text}}


def test_a_full_disk_is_not_ready_and_can_be_emptied(small):
    assert small.is_ready()[0]
    for number in range(20):
        assert small.management("PUT", f"/namedValues/v{number}", {"properties": {"displayName": f"v{number}", "value": "x" * 4000}}).status == 201
    small.do("fill")
    assert "full" in small.becomes(False)
    # Nothing is stored any more, and what is said is that the disk is full.
    refusals = [small.management("PUT", f"/namedValues/w{number}", {"properties": {"displayName": f"w{number}", "value": "y" * 4000}})
                for number in range(400)]
    assert refusals[-1].status == 507 and refusals[-1].json()["error"]["code"] == "InsufficientStorage"
    stored = [answer.status for answer in refusals].count(201)
    assert set(answer.status for answer in refusals) <= {201, 507}
    # Deletions go on, also after a crash.
    for number in range(10):
        assert small.management("DELETE", f"/namedValues/v{number}").status == 200
    small.do("restart")
    for number in range(10, 20):
        assert small.management("DELETE", f"/namedValues/v{number}").status == 200
    # What was acknowledged before is there, what was refused is not.
    for number, answer in enumerate(refusals):
        if number % 50 == 0 or number == stored:
            assert (small.management("GET", f"/namedValues/w{number}").status == 200) == (answer.status == 201)
    small.do("free")
    small.becomes(True)
    assert small.management("PUT", "/namedValues/again", {"properties": {"displayName": "again", "value": "z"}}).status == 201


def test_blobs_can_be_deleted_from_a_full_disk(small):
    container = small.container("papers")
    for number in range(40):
        container.upload_blob(f"many-{number}", b"m" * 4000)
    small.do("fill")
    small.becomes(False)
    with pytest.raises(HttpResponseError, match="No space left on device|InternalError"):
        for number in range(2000):
            container.upload_blob(f"more-{number}", b"n" * 8000)
    for number in range(30):
        container.delete_blob(f"many-{number}")
    container.delete_blobs(*[f"many-{number}" for number in range(30, 40)])
    container.delete_container()
    small.do("free")
    small.becomes(True)


@pytest.mark.parametrize("folder", ["blobs", "blobs/0"])
def test_a_folder_that_turns_read_only_is_not_ready(small, folder):
    assert small.is_ready()[0]
    small.do(f"readonly:{folder}")
    assert "read-only" in small.becomes(False)
    small.do(f"writable:{folder}")
    small.becomes(True)
