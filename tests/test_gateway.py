"""The gateway door: keys, matches, forwarding."""
import http.server
import json
import socket
import threading
import urllib.parse

import pytest

from gatehouse import call, rrs_path, table

MISSING = ('{ "statusCode": 401, "message": "Access denied due to missing subscription key. '
           'Make sure to include subscription key when making requests to an API." }')
INVALID = ('{ "statusCode": 401, "message": "Access denied due to invalid subscription key. '
           'Make sure to provide a valid key for an active subscription." }')
NOT_FOUND = '{ "statusCode": 404, "message": "Resource not found" }'


def guide_call(live, key=None, path=None, method="POST", **headers):
    if key:
        headers["Ocp-Apim-Subscription-Key"] = key
    headers["Authorization"] = f"Bearer {live.guide['apiKey']}"
    return call(live.urls["gateway"], method, path or "/azureml-demo" + rrs_path(live.guide), table([["a"]]), headers)


def test_refusals_are_exact(live):
    assert (len(MISSING), len(INVALID), len(NOT_FOUND)) == (152, 143, 54)
    answer = guide_call(live)
    assert (answer.status, answer.reason, answer.text) == (401, "Access Denied", MISSING)
    realm = f'AzureApiManagementKey realm="{live.urls["gateway"]}/azureml-demo",name="Ocp-Apim-Subscription-Key",type="header"'
    assert answer.headers["WWW-Authenticate"] == realm
    assert answer.headers["Content-Type"] == "application/json"
    answer = guide_call(live, "0" * 32)
    assert (answer.status, answer.text, answer.headers["WWW-Authenticate"]) == (401, INVALID, realm)
    path = "/azureml-demo" + rrs_path(live.guide)
    for method, other in (("GET", path), ("POST", "/none"), ("POST", path.replace("&details=true", ""))):
        answer = guide_call(live, live.guide["subscriptionKey"], other, method)
        assert (answer.status, answer.text) == (404, NOT_FOUND)


def test_the_key_may_stand_in_the_query_and_the_header_comes_first(live):
    path = "/azureml-demo" + rrs_path(live.guide) + "&subscription-key="
    assert guide_call(live, None, path + live.guide["starterKey"]).status == 200
    assert guide_call(live, None, path + "wrong").status == 401
    assert guide_call(live, "wrong", path + live.guide["starterKey"]).status == 401


def test_a_key_in_the_query_is_read_as_forms_are(live):
    """A key of one's own may hold what a query has to escape; the names of parameters have no case."""
    own = "a+b/c= d%"
    put = lambda key: live.management("PUT", "/subscriptions/escaped", {"properties": {  # noqa: E731
        "displayName": "Escaped", "scope": "/products/unlimited", "state": "active", "primaryKey": key}})
    assert put(own).status == 201
    path = "/azureml-demo" + rrs_path(live.guide)
    good = urllib.parse.urlencode({"subscription-key": own})
    assert guide_call(live, own).status == 200
    for query, status in ((good, 200), (good.replace("subscription-key", "Subscription-KEY"), 200), (good.replace("+d", "%20d"), 200),
                          (good.replace("subscription-key", "subscription%2Dkey"), 200), (good.replace("%2B", "+"), 401), (good + "x", 401)):
        assert guide_call(live, None, f"{path}&{query}").status == status, query
    # One without blanks and percent signs may stand as it is.
    assert put("a+b/c=").status == 200
    assert guide_call(live, None, path + "&subscription-key=a+b/c=").status == 200
    assert guide_call(live, urllib.parse.quote_plus("a+b/c=")).status == 401, "a field is not escaped"
    live.management("DELETE", "/subscriptions/escaped", headers={"If-Match": "*"})


def test_what_a_loop_remembers_of_a_line_is_of_the_key_it_came_with(live):
    """Each loop remembers request lines with their keys: every way to say a key, on both loops, again and again."""
    line = "/azureml-demo" + rrs_path(live.guide)
    with_key = f"{line}&subscription-key={live.guide['starterKey']}"
    good, wrong = live.guide["subscriptionKey"], "0" * 32
    own = live.management("PUT", "/apis/own-names", {"properties": {
        "displayName": "Own names", "path": "own-names", "protocols": ["http"], "serviceUrl": "http://127.0.0.1:9",
        "subscriptionKeyParameterNames": {"header": "X-Own", "query": "own"}}})
    assert own.status == 201, own.text
    try:
        mock = "<policies><inbound><return-response /></inbound></policies>"
        assert live.management("PUT", "/apis/own-names/policies/policy", {"properties": {"value": mock}}).status == 201
        live.management("PUT", "/apis/own-names/operations/get", {"properties": {"displayName": "Get", "method": "GET", "urlTemplate": "/"}})
        assert live.management("PUT", "/products/unlimited/apis/own-names").status in (200, 201)
        authorized = {"Authorization": f"Bearer {live.guide['apiKey']}"}
        usual = "Ocp-Apim-Subscription-Key"
        cases = [("POST", line, {usual: good}, 200), ("POST", line, {usual: wrong}, 401), ("POST", line, {}, 401),
                 ("POST", line, {usual: ""}, 401), ("POST", with_key, {}, 200), ("POST", with_key, {usual: wrong}, 401),
                 ("POST", with_key, {usual: good}, 200), ("POST", with_key, {usual: ""}, 401),
                 ("GET", "/own-names/", {usual: good}, 401), ("GET", "/own-names/", {"X-Own": good}, 200),
                 ("GET", "/own-names/", {"X-Own": wrong, usual: good}, 401), ("GET", "/own-names/", {usual: wrong, "X-Own": good}, 200),
                 ("GET", f"/own-names/?own={good}", {}, 200), ("GET", f"/own-names/?own={wrong}", {usual: good}, 401)]
        for turn in range(4):
            for method, path, headers, status in cases if turn % 2 == 0 else cases[::-1]:
                answer = call(live.urls["gateway"], method, path, table([["a"]]) if method == "POST" else None, {**authorized, **headers})
                assert answer.status == status, (turn, method, path, headers, answer.text)
    finally:
        live.management("DELETE", "/apis/own-names", headers={"If-Match": "*"})


def test_case_order_and_extra_parameters_do_not_matter(live):
    path = "/AzureML-Demo" + rrs_path(live.guide, "Details=true&API-version=2.0").replace("/execute", "/EXECUTE/")
    assert guide_call(live, live.guide["subscriptionKey"], path).status == 200


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = set()

    def handle_any(self):
        Upstream.connections.add(self.client_address)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        answer = json.dumps({"method": self.command, "path": self.path, "headers": self.headers.items(),
                             "size": len(body), "tail": body[-20:].decode("latin-1")}).encode()
        if "status=" in self.path:
            self.send_response(int(self.path.split("status=")[1]))
        else:
            self.send_response(200)
        self.send_header("X-Upstream", "yes")
        if "chunked" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(answer), 7):
                piece = answer[start:start + 7]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif "close" in self.path:
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer)
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def forward(live):
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    port = upstream.server_address[1]
    put = lambda path, properties: live.management("PUT", path, {"properties": properties})
    made = put("/apis/echo", {"displayName": "Echo", "path": "echoing", "protocols": ["http"],
                              "serviceUrl": f"http://127.0.0.1:{port}/base/"})
    assert made.status == 201, made.text
    for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"):
        assert put(f"/apis/echo/operations/{method.lower()}",
                   {"displayName": method, "method": method, "urlTemplate": "/*"}).status == 201
    assert put("/products/unlimited/apis/echo", {}).status == 201
    yield lambda method, path, body=None, **headers: call(
        live.urls["gateway"], method, f"/echoing{path}", body,
        {"Ocp-Apim-Subscription-Key": live.guide["subscriptionKey"], **headers})
    upstream.shutdown()


def test_forwarding_keeps_what_it_should(forward):
    answer = forward("POST", "/a%2Fb/c?x=1&subscription-key=k", b"hello", **{"X-Mine": "1", "Connection": "X-Drop", "X-Drop": "1"})
    seen = answer.json()
    names = {name.lower(): value for name, value in seen["headers"]}
    assert (seen["method"], seen["path"], seen["size"]) == ("POST", "/base/a%2Fb/c?x=1&subscription-key=k", 5)
    assert names["x-mine"] == "1" and "x-drop" not in names and "ocp-apim-subscription-key" in names
    assert names["x-forwarded-for"] == "127.0.0.1" and names["host"].startswith("127.0.0.1:")
    assert answer.headers["X-Upstream"] == "yes"


@pytest.mark.parametrize("status", [200, 201, 404, 500, 503])
def test_upstream_statuses_pass(forward, status):
    assert forward("GET", f"/?status={status}").status == status


def test_bodies_of_every_framing(forward):
    big = b"x" * 3_000_000 + b"the end"
    assert forward("PUT", "/big", big).json()["size"] == len(big)
    pieces = iter([b"a" * 100_000] * 20 + [b"the end"])
    assert forward("POST", "/pieces", pieces).json()["tail"].endswith("the end")
    assert forward("GET", "/chunked").json()["path"] == "/base/chunked"
    assert forward("GET", "/close").json()["path"] == "/base/close"
    assert forward("HEAD", "/head").body == b""
    assert forward("GET", "/" + "q" * 8000).status == 200


def test_upstream_connections_are_kept(forward, live):
    Upstream.connections.clear()
    parts = urllib.parse.urlsplit(live.urls["gateway"])
    import http.client
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    for _ in range(50):
        connection.request("GET", "/echoing/x", headers={"Ocp-Apim-Subscription-Key": live.guide["subscriptionKey"]})
        assert connection.getresponse().read()
    connection.close()
    assert len(Upstream.connections) == 1


def test_an_unreachable_upstream_is_500(live):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    live.management("PUT", "/apis/dead", {"properties": {"displayName": "Dead", "path": "dead", "protocols": ["http"],
                    "serviceUrl": f"http://127.0.0.1:{port}", "subscriptionRequired": False}})
    live.management("PUT", "/apis/dead/operations/get", {"properties": {"displayName": "g", "method": "GET", "urlTemplate": "/"}})
    answer = call(live.urls["gateway"], "GET", "/dead")
    body = answer.json()
    assert answer.status == 500 and list(body) == ["statusCode", "message", "activityId"]
    assert body["message"] == "Internal server error"


def test_an_https_upstream_is_500_on_a_connection_that_served_before(live, forward):
    import http.client
    live.management("PUT", "/apis/tls", {"properties": {"displayName": "TLS", "path": "tls", "protocols": ["http"],
                    "serviceUrl": "https://127.0.0.1:9", "subscriptionRequired": False}})
    live.management("PUT", "/apis/tls/operations/get", {"properties": {"displayName": "g", "method": "GET", "urlTemplate": "/"}})
    parts = urllib.parse.urlsplit(live.urls["gateway"])
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    for path, status in (("/echoing/x", 200), ("/tls", 500), ("/echoing/x", 200)):
        # The key's product does not hold the other API, and a key of a wrong scope is refused even where none is needed.
        key = {} if path == "/tls" else {"Ocp-Apim-Subscription-Key": live.guide["subscriptionKey"]}
        connection.request("GET", path, headers=key)
        response = connection.getresponse()
        response.read()
        assert response.status == status, response.status
    connection.close()


@pytest.mark.parametrize("door", ["gateway", "services"])
@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"\x00\x01\x02\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\nHost: a\r\n x\r\n\r\n",
])
def test_ambiguous_requests_are_refused_and_the_connection_ends(live, door, request_bytes):
    parts = urllib.parse.urlsplit(live.urls[door])
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.sendall(request_bytes)
        received = b""
        while piece := connection.recv(4096):
            received += piece
    assert received.startswith(b"HTTP/1.1 400 ")


def test_pipelined_requests_are_answered_in_turn(live):
    parts = urllib.parse.urlsplit(live.urls["gateway"])
    body = json.dumps(table([["a good day"]])).encode()
    one = (f"POST /azureml-demo{rrs_path(live.guide)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live.guide['apiKey']}\r\n"
           f"Ocp-Apim-Subscription-Key: {live.guide['subscriptionKey']}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(one * 20 + last)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert received.count(b"HTTP/1.1 200 OK") == 21


def test_keys_die_and_come_at_once(live):
    put = lambda properties: live.management("PUT", "/subscriptions/short", {"properties": properties})
    base = {"displayName": "Short", "scope": "/products/unlimited"}
    assert put({**base, "state": "active", "primaryKey": "my own key"}).status == 201
    assert guide_call(live, "my own key").status == 200
    assert live.management("POST", "/subscriptions/short/regeneratePrimaryKey").status == 204
    assert guide_call(live, "my own key").status == 401
    keys = live.management("POST", "/subscriptions/short/listSecrets").json()
    assert guide_call(live, keys["primaryKey"]).status == 200 and guide_call(live, keys["secondaryKey"]).status == 200
    for state, status in (("suspended", 401), ("active", 200), ("cancelled", 401)):
        assert put({**base, "state": state}).status == 200
        assert guide_call(live, keys["primaryKey"]).status == status
    assert live.management("DELETE", "/subscriptions/short", headers={"If-Match": "*"}).status == 200
    assert guide_call(live, keys["secondaryKey"]).status == 401


def test_a_product_without_subscription_is_open(live):
    live.management("PUT", "/products/open", {"properties": {"displayName": "Open", "subscriptionRequired": False}})
    assert guide_call(live).status == 401
    live.management("PUT", "/products/open/apis/azureml-demo-api")
    assert guide_call(live).status == 200
    assert live.management("DELETE", "/products/open", headers={"If-Match": "*"}).status == 200
    assert guide_call(live).status == 401
