"""The gateway over TLS: its own authority, names, versions, and certificates that change while it runs."""
import http.client
import socket
import ssl
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives import serialization

from gatehouse import call, server
from test_facts import upstream  # noqa: F401
from test_policies import Managed
from test_upstream_tls import certificate as certificate_of


def port(running):
    return urllib.parse.urlsplit(running.urls["gateway-tls"]).port


def trust(running):
    return ssl.create_default_context(cafile=str(running.data / "tls" / "authority.pem"))


def get(running, path, headers, context=None, host="127.0.0.1"):
    connection = http.client.HTTPSConnection(host, port(running), context=context or trust(running), timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.text = answer.read().decode()
    return answer


def certificate(running, name=None, context=None):
    """The names of the certificate that a client meets who asks for this name."""
    context = context or trust(running)
    with socket.create_connection(("127.0.0.1", port(running)), 5) as plain:
        with context.wrap_socket(plain, server_hostname=name or "127.0.0.1") as secure:
            return {value for _, value in secure.getpeercert()["subjectAltName"]}, secure.version()


def make_certificate(folder, name, *hosts):
    """A certificate that signs itself."""
    key, made = certificate_of(hosts[0], hosts=hosts)
    # The key first, and each file whole: the gateway may look at any time.
    for kind, data in (("key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                 serialization.NoEncryption())),
                       ("pem", made.public_bytes(serialization.Encoding.PEM))):
        draft = folder / f"{name}.{kind}.new"
        draft.write_bytes(data)
        draft.rename(folder / f"{name}.{kind}")
    return ssl.create_default_context(cafile=str(folder / f"{name}.pem"))


def test_https_works_at_once(live, upstream):  # noqa: F811
    managed = Managed(live, upstream, "overtls")
    key = {"Ocp-Apim-Subscription-Key": managed.keys["products"]}
    for host in ("127.0.0.1", "localhost"):
        assert get(live, "/overtls/items/1?lang=en", {}, host=host).status == 404, "the API takes http alone"
    managed.put("/apis/overtls", {"displayName": "overtls", "path": "overtls", "protocols": ["https"], "serviceUrl": upstream})
    managed.set('<policies><inbound><base /><set-header name="X-S"><value>@(context.Request.OriginalUrl.Scheme)</value>'
                '</set-header></inbound></policies>')
    answer = get(live, "/overtls/items/1?lang=en", key)
    assert answer.status == 200 and '"X-S", "https"' in answer.text
    assert call(live.urls["gateway"], "GET", "/overtls/items/1?lang=en", None, key).status == 404
    refused = get(live, "/overtls/items/1?lang=en", {})
    assert refused.status == 401
    managed.put("/apis/overtls", {"displayName": "overtls", "path": "overtls", "protocols": ["http", "https"], "serviceUrl": upstream})
    assert get(live, "/overtls/items/1?lang=en", key).status == 200
    assert call(live.urls["gateway"], "GET", "/overtls/items/1?lang=en", None, key).status == 200


def test_versions_and_secrets(live):
    names, version = certificate(live)
    assert {"localhost", "127.0.0.1"} <= names and version == "TLSv1.3"
    for asked, wanted in [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]:
        context = trust(live)
        context.minimum_version = context.maximum_version = asked
        assert certificate(live, context=context)[1] == wanted
    old = trust(live)
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        certificate(live, context=old)
    for file in ("secrets/authority.key", "tls/gateway.key"):
        assert (live.data / file).stat().st_mode & 0o077 == 0
    with pytest.raises(ssl.SSLError):
        get(live, "/", {}, ssl.create_default_context())


def test_what_is_no_handshake_is_let_go(live):
    with socket.create_connection(("127.0.0.1", port(live)), 5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        plain.settimeout(5)
        assert b"HTTP" not in plain.recv(100)


def test_names_have_certificates_that_change_without_a_restart(tmp_path):
    with server() as running:
        folder = running.data / "tls"
        first = make_certificate(folder, "shop", "shop.test", "*.shop.test")
        deadline = time.monotonic() + 8
        while True:
            try:
                assert certificate(running, "shop.test", first)[0] == {"shop.test", "*.shop.test"}
                break
            except ssl.SSLError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        assert certificate(running, "a.shop.test", first)[0] == {"shop.test", "*.shop.test"}
        assert "localhost" in certificate(running, "localhost")[0], "other names meet the gateway's own"
        # A connection that is open goes on; the next handshake meets the new one.
        with socket.create_connection(("127.0.0.1", port(running)), 5) as plain:
            with first.wrap_socket(plain, server_hostname="shop.test") as held:
                second = make_certificate(folder, "shop", "shop.test")
                deadline = time.monotonic() + 8
                while True:
                    try:
                        assert certificate(running, "shop.test", second)[0] == {"shop.test"}
                        break
                    except ssl.SSLError:
                        assert time.monotonic() < deadline
                        time.sleep(0.2)
                held.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
                assert held.recv(100).startswith(b"HTTP/1.1 404")
        # What cannot be used changes nothing, and is reported without the key.
        (folder / "shop.pem").write_text("nothing")
        time.sleep(3)
        assert certificate(running, "shop.test", second)[0] == {"shop.test"}
        log = (running.folder / "log").read_text()
        assert "certificates could not be taken" in log and "PRIVATE KEY" not in log
        (folder / "shop.pem").unlink()
        (folder / "shop.key").unlink()
        before = (folder / "gateway.pem").read_text()
        assert running.stop() == 0
        running.start()
        assert (folder / "gateway.pem").read_text() == before, "a certificate is made once"


def test_tls_can_be_left_out(tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("gateway-tls: false\n")
    with server("--config", str(settings)) as running:
        assert "gateway-tls" not in running.urls and not (running.data / "tls").exists()
