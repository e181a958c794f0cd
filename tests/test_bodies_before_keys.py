"""What a head tells is judged by the head: nobody's body is waited for, or kept, who would be refused anyway."""
import pathlib
import socket
import time
from email.utils import formatdate

import pytest

from gatehouse import rrs_path
from test_connections import answer, blob, blob_head, connect, lives, settings
from gatehouse import server

LENGTH = 30 << 20
GUID = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def early(tmp_path_factory):
    folder = tmp_path_factory.mktemp("early")
    with server(*settings(folder, {"services-unfinished-bytes-max": 64 << 20})) as running:
        running.guide = running.demo()
        assert blob(running, "PUT", "/early?restype=container") == 201
        yield running


def request(line, length, *fields, expect=False):
    lines = "".join(f"{field}\r\n" for field in fields) + ("Expect: 100-continue\r\n" if expect else "")
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"{line} HTTP/1.1\r\nHost: a\r\n{lines}{framing}\r\n\r\n".encode()


def refusals(running):
    """Door, request without its body, and the answer that is right whatever the body is."""
    guide, names = running.guide, running.demo_names
    rrs = rrs_path(guide, "api-version=2.0")
    good = f"Authorization: Bearer {guide['apiKey']}"
    key = f"Ocp-Apim-Subscription-Key: {guide['subscriptionKey']}"
    token = f"Authorization: Bearer {running.token}"
    service = (f"/subscriptions/{names['subscriptionId']}/resourceGroups/{names['resourceGroup']}"
               f"/providers/Microsoft.ApiManagement/service/{names['serviceName']}")
    workspace = guide["workspace"]
    date = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06", "x-ms-blob-type": "BlockBlob"}

    def signed(*words, **fields):
        return blob_head(*words, {**date, **fields}).decode().replace("Content-Length: 5", f"Content-Length: {LENGTH}").encode()

    services = [
        (f"POST {rrs}", [], 401), (f"POST {rrs}", ["Authorization: Bearer wrong"], 401), (f"POST {rrs}", ["Authorization: Basic eDp5"], 401),
        ("POST /nowhere", [good], 404), (f"PUT {rrs}", [good], 404), (f"DELETE {rrs}", [good], 404),
        (f"POST {rrs.replace('execute', 'other')}", [good], 404), (f"POST {rrs.replace('2.0', '9.9')}", [good], 400),
        (f"POST {rrs}&x=y", [good], 400), (f"POST {rrs.replace(guide['service'], GUID)}", [good], 404),
        (f"POST {rrs.replace(guide['service'], 'short')}", [good], 400), (f"POST {rrs.replace('execute', 'jobs')}", [], 401),
        (f"POST {rrs.replace('execute', 'jobs')}&x=y", [good], 400), (f"POST {rrs.replace('execute', 'score')}", [], 401),
        (f"POST {rrs.replace(guide['workspace'], GUID)}", [good], 404),
    ]
    found = [("services", line, fields, status) for line, fields, status in services]
    managed = f"/azureml-demo{rrs_path(guide)}"
    found += [
        # Of the gateway's own, then of the service behind it.
        ("gateway", f"POST {managed}", [good], 401), ("gateway", f"POST {managed}", [good, key + "x"], 401),
        ("gateway", "POST /nobody/here", [], 404), ("gateway", f"PATCH {managed}", [key], 404),
        ("gateway", f"POST {managed.replace('2.0', '9.9')}", [good, key], 400),
        ("gateway", f"POST {managed}", [key], 401), ("gateway", f"POST {managed}", [key, "Authorization: Bearer wrong"], 401),
        ("gateway", f"POST {managed}&x=y", [good, key], 400), ("gateway", f"POST {managed.replace(guide['service'], GUID)}", [good, key], 404),
        ("portal", f"PUT {service}/apis/x?api-version=2022-08-01", [], 401),
        ("portal", f"PUT {service}/apis/x?api-version=2022-08-01", ["Authorization: Bearer wrong"], 401),
        ("portal", f"PATCH {service}/apis/x?api-version=2022-08-01", ["Authorization: Bearer wrong"], 401),
        ("portal", f"POST {service}/users/1/generateSsoUrl?api-version=2022-08-01", [], 401),
        ("portal", f"PUT {service}/apis/x", [token], 400), ("portal", f"PUT {service}/apis/x?api-version=1999-01-01", [token], 400),
        ("portal", f"PUT {service}/nothing/x?api-version=2022-08-01", [token], 404), ("portal", "POST /nobody/here", [token], 404),
        ("portal", "PUT /health/live", [], 404), ("portal", "PUT /direct/apis/x?api-version=2022-08-01", [], 401),
        ("portal", "PUT /direct/apis/x?api-version=2022-08-01", ["Authorization: SharedAccessSignature uid=x&ex=2099-01-01&sn=y"], 401),
        ("portal", "POST /api/configuration", [], 401),
        ("portal", f"POST /api/workspaces/{workspace}/datasets?name=x&dataTypeId=GenericCSV", [], 401),
        ("portal", f"POST /api/workspaces/{workspace}/datasets?dataTypeId=GenericCSV", [token], 400),
        ("portal", f"POST /api/workspaces/{GUID}/experiments", [token], 404),
        ("portal", f"PUT /workspaces/{workspace}/webservices/{GUID}/endpoints/x", [], 401),
        ("portal", f"PATCH /workspaces/{workspace}/webservices/{GUID}/endpoints/x", ["Authorization: Bearer wrong"], 401),
        ("portal", f"PUT /workspaces/{workspace}/webservices/{GUID}/endpoints/x", [token], 404),
        ("blobs", "PUT /devstoreaccount1/early/b", [], 404), ("blobs", "PUT /nobody/early/b", [], 404),
        ("blobs", "PUT /devstoreaccount1/early/b", ["Authorization: SharedKey devstoreaccount1:eA==", f"x-ms-date: {formatdate(usegmt=True)}"], 403),
        ("blobs", "PUT /devstoreaccount1/early/b?comp=block&blockid=AAAA&sv=2021-08-06&sr=b&sp=w&se=2099-01-01&sig=eA", [], 403),
        ("blobs", "PUT /devstoreaccount1/?comp=properties&restype=service", [], 404),
    ]
    raw = [("blobs", signed("PUT", "/absent/b", "", 5), 404), ("blobs", signed("PUT", "/early/b", "comp=other", 5), 400)]
    return found, raw


@pytest.mark.parametrize("length", [LENGTH, None, 1 << 40], ids=["length", "chunks", "endless"])
def test_a_head_that_is_refused_is_refused_at_once(early, length):
    found, _ = refusals(early)
    for door, line, fields, status in found:
        for expect in (False, True):
            with connect(early, door) as stream:
                stream.settimeout(3)
                stream.sendall(request(line, length, *fields, expect=expect))
                # Never 100: nobody is asked for a body that is not wanted. A length above a bound may be said first.
                given = answer(stream)
                assert given == status or length == 1 << 40 and given == 413, (door, line, fields, expect, given)


def test_a_length_above_the_bound_is_refused_at_once(early):
    guide, names = early.guide, early.demo_names
    rrs = rrs_path(guide, "api-version=2.0")
    good, key, token = (f"Authorization: Bearer {guide['apiKey']}", f"Ocp-Apim-Subscription-Key: {guide['subscriptionKey']}",
                        f"Authorization: Bearer {early.token}")
    service = (f"/subscriptions/{names['subscriptionId']}/resourceGroups/{names['resourceGroup']}"
               f"/providers/Microsoft.ApiManagement/service/{names['serviceName']}")
    date = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    requests = [
        ("services", request(f"POST {rrs}", 33 << 20, good)), ("services", request("POST /echo", 33 << 20)),
        ("services", request(f"POST {rrs.replace('execute', 'jobs')}", 33 << 20, good)),
        ("gateway", request(f"POST /azureml-demo{rrs_path(guide)}", 33 << 20, good, key)),
        ("portal", request(f"PUT {service}/apis/x?api-version=2022-08-01", 5 << 20, token)),
        ("portal", request("POST /api/configuration", 300 << 20, token)),
        ("portal", request(f"POST /api/workspaces/{guide['workspace']}/experiments", 5 << 20, token)),
        ("blobs", blob_head("PUT", "/early/b", "", 6000 << 20, date | {"x-ms-blob-type": "BlockBlob"})),
        ("blobs", blob_head("PUT", "/early/b", "comp=blocklist", 9 << 20, date)),
        ("blobs", blob_head("PUT", "/early", "comp=acl&restype=container", 9 << 20, date)),
    ]
    for door, head in requests:
        with connect(early, door) as stream:
            stream.settimeout(3)
            stream.sendall(head)
            assert answer(stream) == 413, (door, head)


def resident(running):
    status = (pathlib.Path(f"/proc/{running.process.pid}") / "status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) >> 10


@pytest.mark.parametrize("kind", ["without a key", "with a key", "echo"])
def test_unfinished_bodies_take_no_memory_at_the_services_door(early, kind):
    guide = early.guide
    before = resident(early)
    line = "POST /echo" if kind == "echo" else f"POST {rrs_path(guide, 'api-version=2.0')}"
    fields = [f"Authorization: Bearer {guide['apiKey']}"] if kind == "with a key" else []
    length = (1 << 20) - 1 if kind == "echo" else LENGTH
    held, statuses = [], []
    for _ in range(30):
        stream = connect(early, "services")
        stream.settimeout(0.2)
        held.append(stream)
        try:
            stream.sendall(request(line, length, *fields) + bytes(length - 1 if kind == "echo" else length - 100))
        except OSError:
            pass
    for stream in held:
        try:
            statuses.append(answer(stream))
        except (TimeoutError, socket.timeout):
            statuses.append(None)
    assert resident(early) < before + 200, "thirty of them are 900 MiB"
    expected = {"without a key": {401}, "with a key": {503, None}, "echo": {503, None}}[kind]
    assert set(statuses) <= expected | {0} and (kind == "without a key" or statuses.count(None) > 0), statuses
    # Who asks for little is served all the while.
    assert lives(early)["services"]
    for stream in held:
        stream.close()
    time.sleep(0.3)
    with connect(early, "services") as stream:
        stream.sendall(request(f"POST {rrs_path(guide, 'api-version=2.0')}", LENGTH, f"Authorization: Bearer {guide['apiKey']}") + b"x" * LENGTH)
        assert answer(stream) == 400, "its memory is free again"


def test_an_early_refusal_ends_or_drains_the_body_within_bounds(early):
    # Little is left: the connection goes on.
    for door in ("services", "gateway", "portal", "blobs"):
        with connect(early, door) as stream:
            stream.sendall(request("POST /nobody/here", 1000) + b"x" * 500)
            assert answer(stream) >= 400
            time.sleep(0.2)
            stream.sendall(b"x" * 500 + request("POST /nobody/here", 0))
            assert answer(stream) >= 400, door
        # Never sent: it ends.
        with connect(early, door) as stream:
            stream.sendall(request("POST /nobody/here", 1000) + b"x" * 500)
            assert answer(stream) >= 400
            began = time.monotonic()
            assert stream.recv(1) == b"" and time.monotonic() - began < 8, door
        # Too much: it ends at once.
        with connect(early, door) as stream:
            stream.sendall(request("POST /nobody/here", 1 << 40))
            assert answer(stream) >= 400
            began = time.monotonic()
            assert stream.recv(1) == b"" and time.monotonic() - began < 2, door


def test_a_body_is_asked_for_once_it_is_wanted(early):
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06", "x-ms-blob-type": "BlockBlob", "Expect": "100-continue"}
    with connect(early, "blobs") as stream:
        stream.sendall(blob_head("PUT", "/early/asked", "", 5, headers))
        assert answer(stream) == 100
        stream.sendall(b"12345")
        assert answer(stream) == 201
    guide = early.guide
    with connect(early, "portal") as stream:
        stream.sendall(request(f"POST /api/workspaces/{guide['workspace']}/datasets?name=asked&dataTypeId=GenericCSV", 8,
                               f"Authorization: Bearer {early.token}", expect=True))
        assert answer(stream) == 100
        stream.sendall(b"a,b\n1,2\n")
        assert answer(stream) == 201
