"""Portal, services and blobs over TLS: the gateway's authority and certificates, and the same doors behind them."""
import datetime
import json
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerSasPermissions, generate_container_sas

from gatehouse import call, rrs_path, server, table
from test_gateway_tls import make_certificate

DOORS = ("portal", "services", "blobs")


@pytest.fixture(scope="module")
def secured():
    """A server all of whose doors speak TLS too; one is known by another name too."""
    flags = [word for door in DOORS for word in (f"--{door}-tls-port", "0")]
    with server(*flags, "--public-url", "gateway=http://doors.test:8080") as running:
        running.guide = running.demo()
        running.authority = str(running.data / "tls" / "authority.pem")
        yield running


def ask(running, door, method, path, body=None, headers=None):
    """A call of a door over TLS, judged by the installation's authority."""
    context = ssl.create_default_context(cafile=running.authority)
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(running.urls[f"{door}-tls"] + path, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_without_ports_there_are_none(live):
    assert not [door for door in DOORS if f"{door}-tls" in live.urls]


def test_the_portal_over_tls(secured):
    assert secured.urls["portal-tls"].startswith("https://127.0.0.1:")
    token = {"Authorization": f"Bearer {secured.token}"}
    status, body = ask(secured, "portal", "GET", "/api/installation", headers=token)
    assert status == 200 and json.loads(body)["portal-tls"] == secured.urls["portal-tls"]
    assert ask(secured, "portal", "GET", "/api/installation")[0] == 401
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(secured.urls["portal-tls"] + "/health/live", timeout=10, context=ssl.create_default_context())


def test_services_over_tls_answer_the_same(secured):
    path, body = rrs_path(secured.guide), table([["This is a good day"]])
    headers = {"Authorization": f"Bearer {secured.guide['apiKey']}", "Content-Type": "application/json"}
    plain = call(secured.urls["services"], "POST", path, json.dumps(body), headers)
    assert ask(secured, "services", "POST", path, body, headers) == (200, plain.body)


def test_blobs_over_tls_with_the_sdk(secured):
    account = secured.guide["storage"]["account"]
    parts = dict(part.split("=", 1) for part in secured.guide["storage"]["connectionString"].strip(";").split(";"))
    key, url = parts["AccountKey"], f"{secured.urls['blobs-tls']}/{account}"
    service = BlobServiceClient(url, credential={"account_name": account, "account_key": key}, retry_total=0,
                                connection_verify=secured.authority)
    container = service.create_container("over-tls")
    container.upload_blob("words.txt", b"Este es un buen dia" * 1000)
    assert container.download_blob("words.txt").readall() == b"Este es un buen dia" * 1000
    # A signature for https alone is good here, and nowhere else.
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    signature = generate_container_sas(account, "over-tls", account_key=key, permission=ContainerSasPermissions(read=True),
                                       expiry=end, protocol="https")
    blob = BlobClient(url, "over-tls", "words.txt", credential=signature, connection_verify=secured.authority, retry_total=0)
    assert blob.get_blob_properties().size == 19_000
    plain = BlobClient(f"{secured.urls['blobs']}/{account}", "over-tls", "words.txt", credential=signature, retry_total=0)
    with pytest.raises(HttpResponseError) as refused:
        plain.download_blob()
    assert refused.value.status_code == 403


def names(running, door, name, context):
    """The names of the certificate that a client of a door meets who asks for this name."""
    port = urllib.parse.urlsplit(running.urls[f"{door}-tls"]).port
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secure:
            return {value for _, value in secure.getpeercert()["subjectAltName"]}


def test_certificates_are_of_all_doors_and_change_at_all(secured):
    trust = ssl.create_default_context(cafile=secured.authority)
    for door in DOORS + ("gateway",):
        assert {"localhost", "doors.test"} <= names(secured, door, "doors.test", trust)
    made = make_certificate(secured.data / "tls", "shop", "shop.test")
    deadline = time.monotonic() + 8
    for door in DOORS + ("gateway",):
        while True:
            try:
                assert names(secured, door, "shop.test", made) == {"shop.test"}
                break
            except ssl.SSLError:
                assert time.monotonic() < deadline
                time.sleep(0.2)


def test_a_port_that_is_taken_ends_the_start_and_is_named(secured):
    taken = urllib.parse.urlsplit(secured.urls["blobs-tls"]).port
    with pytest.raises(RuntimeError, match=f"The blobs-tls door cannot listen on 127.0.0.1:{taken}"):
        with server("--blobs-tls-port", str(taken)):
            pass
