"""https upstreams, and proxies that end TLS before the gateway."""
import base64
import datetime
import http.server
import ipaddress
import ssl
import tempfile
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from gatehouse import Server, call
from test_gateway import NOT_FOUND, Upstream


def certificate(name, issuer=None, hosts=(), days=1):
    """A key and a certificate; without an issuer it is an authority of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[1].subject if issuer else subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=2)).not_valid_after(now + datetime.timedelta(days=days))
               .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True))
    if hosts:
        names = [x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())


def listen(folder, name, pair, version=None):
    """An https upstream; gives its port."""
    file = folder / f"{name}.pem"
    file.write_bytes(pair[0].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()) + pair[1].public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if version:
        context.maximum_version = context.minimum_version = version
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = certificate("Gatehouse test authority")
    other = certificate("Somebody else")
    (folder / "ca.pem").write_bytes(authority[1].public_bytes(serialization.Encoding.PEM))
    good = ["127.0.0.1", "localhost"]
    servers = {
        "good": listen(folder, "good", certificate("good", authority, good)),
        "old": listen(folder, "old", certificate("old", authority, good), ssl.TLSVersion.TLSv1_2),
        "name": listen(folder, "name", certificate("name", authority, ["other.test"])),
        "stranger": listen(folder, "stranger", certificate("stranger", other, good)),
        "expired": listen(folder, "expired", certificate("expired", authority, good, days=-1)),
    }
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as data:
        config = folder / "settings.yaml"
        config.write_text(f"upstream-ca-file: {folder / 'ca.pem'}\ngateway-trusted-proxies: 127.0.0.1\n")
        server = Server(data, "--config", str(config)).start()

        def put(path, properties):
            done = server.management("PUT", path, {"properties": properties})
            assert done.status == 201, done.text

        for name, upstream in servers.items():
            put(f"/apis/{name}", {"displayName": name, "path": name, "protocols": ["http"], "subscriptionRequired": False,
                                  "serviceUrl": f"https://localhost:{upstream.server_address[1]}/base"})
            for method in ("GET", "POST"):
                put(f"/apis/{name}/operations/{method}", {"displayName": "O", "method": method, "urlTemplate": "/*"})
        server.ports = {name: upstream.server_address[1] for name, upstream in servers.items()}
        server.put = put
        yield server
        assert server.stop() == 0
    for upstream in servers.values():
        upstream.shutdown()


def test_certificates_are_checked(secure):
    ask = lambda name, method="GET", body=None: call(secure.urls["gateway"], method, f"/{name}/x", body, {})  # noqa: E731
    for name in ("good", "old"):
        for _ in range(3):
            answer = ask(name)
            assert answer.status == 200, (name, answer.text)
            seen = {field.lower(): value for field, value in answer.json()["headers"]}
            assert seen["host"] == f"localhost:{secure.ports[name]}" and answer.json()["path"] == "/base/x"
        assert ask(name, "POST", b"y" * 3_000_000).json()["size"] == 3_000_000
    for name in ("name", "stranger", "expired"):
        answer = ask(name)
        assert answer.status == 500 and answer.json()["message"] == "Internal server error", name
    log = (secure.folder / "log").read_text()
    assert log.count("BackendConnectionFailure") >= 3 and "CERTIFICATE_VERIFY_FAILED" in log
    # By its address, which stands in the certificate as well.
    done = secure.management("PATCH", "/apis/good", {"properties": {"serviceUrl": f"https://127.0.0.1:{secure.ports['good']}/base"}},
                             headers={"If-Match": "*"})
    assert done.status == 200 and ask("good").status == 200


def test_a_proxy_that_is_believed_makes_https_apis_reachable(secure):
    secure.put("/apis/closed", {"displayName": "C", "path": "closed", "protocols": ["https"], "subscriptionRequired": False,
                                "serviceUrl": f"https://localhost:{secure.ports['good']}"})
    secure.put("/apis/closed/operations/get", {"displayName": "O", "method": "GET", "urlTemplate": "/*"})
    ask = lambda **headers: call(secure.urls["gateway"], "GET", "/closed/x", None, headers)  # noqa: E731
    for _ in range(2):
        assert (ask().status, ask().text) == (404, NOT_FOUND)
        assert ask(**{"X-Forwarded-Proto": "HTTPS"}).status == 200
        assert ask(**{"X-Forwarded-Proto": "http"}).status == 404


def test_nobody_else_is_believed(live):
    live.management("PUT", "/apis/closed", {"properties": {
        "displayName": "C", "path": "closed", "protocols": ["https"], "subscriptionRequired": False, "serviceUrl": "http://127.0.0.1:1"}})
    live.management("PUT", "/apis/closed/operations/get", {"properties": {"displayName": "O", "method": "GET", "urlTemplate": "/*"}})
    answer = call(live.urls["gateway"], "GET", "/closed/x", None, {"X-Forwarded-Proto": "https"})
    assert (answer.status, answer.text) == (404, NOT_FOUND)
    live.management("DELETE", "/apis/closed", headers={"If-Match": "*"})


def test_backends_are_shown_a_client_certificate(secure, tmp_path):
    """A backend that asks who calls gets the certificate of the backend's credentials, and another one once it is replaced."""
    authority = certificate("Clients' authority")
    (tmp_path / "ca.pem").write_bytes(authority[1].public_bytes(serialization.Encoding.PEM))
    server_authority = certificate("Server")
    listen(tmp_path, "mutual", certificate("mutual", server_authority, ["127.0.0.1", "localhost"])).shutdown()

    class Telling(Upstream):
        def do_GET(self):
            names = dict(item[0] for item in self.connection.getpeercert()["subject"])
            body = names["commonName"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "mutual.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(tmp_path / "ca.pem")
    mutual = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Telling)
    mutual.socket = context.wrap_socket(mutual.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=mutual.serve_forever, daemon=True).start()

    def pack(name):
        key, made = certificate(name, authority)
        data = pkcs12.serialize_key_and_certificates(name.encode(), key, made, None, serialization.BestAvailableEncryption(b"secret"))
        return {"data": base64.b64encode(data).decode(), "password": "secret"}, made.fingerprint(hashes.SHA1()).hex()

    put = lambda path, properties: secure.management("PUT", path, {"properties": properties})
    first, thumbprint = pack("first client")
    assert put("/certificates/who", first).status == 201
    backend = {"url": f"https://localhost:{mutual.server_address[1]}", "protocol": "http",
               "tls": {"validateCertificateChain": False}}
    assert put("/backends/mutual", {**backend, "credentials": {"certificateIds": ["/certificates/who"]}}).status == 201
    secure.put("/apis/mutual", {"displayName": "M", "path": "mutual", "protocols": ["http"], "subscriptionRequired": False})
    secure.put("/apis/mutual/operations/get", {"displayName": "O", "method": "GET", "urlTemplate": "/*"})
    secure.put("/apis/mutual/policies/policy", {"format": "rawxml", "value":
               '<policies><inbound><base /><set-backend-service backend-id="mutual" /></inbound><backend><base /></backend></policies>'})
    get = lambda: call(secure.urls["gateway"], "GET", "/mutual/x")
    assert get().text == "first client"
    second, other = pack("second client")
    assert put("/certificates/who", second).status == 200
    assert get().text == "second client"
    # By thumbprint, as the publisher portal's time named them.
    assert put("/backends/mutual", {**backend, "credentials": {"certificate": [other]}}).status == 200
    assert get().text == "second client"
    wrong = put("/backends/mutual", {**backend, "credentials": {"certificate": [thumbprint]}})
    assert wrong.status == 400 and "thumbprint" in wrong.text
    missing = put("/backends/mutual", {**backend, "credentials": {"certificateIds": ["/certificates/nobody"]}})
    assert missing.status == 404, missing.text
    # Without one the backend does not talk.
    assert put("/backends/mutual", {**backend, "credentials": {}}).status == 200
    assert get().status == 500
    mutual.shutdown()
