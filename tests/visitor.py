"""Somebody with a browser's manners and an attacker's hands: cookies, forms and fields as they are told, over plain sockets."""
import html
import http.client
import re
import urllib.parse

from gatehouse import Answer


class Visitor:
    """Keeps cookies by name, as browsers do for all ports of a host. Each may come from an address of its own (127.x.y.z)."""

    def __init__(self, base, address="127.0.0.1"):
        parts = urllib.parse.urlsplit(base)
        self.base, self.host, self.port, self.address = base, parts.hostname, parts.port, address
        self.cookies = {}

    def ask(self, method, path, body=None, headers=None, cookies=True):
        fields = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        if cookies and self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        for name, value in (headers or {}).items():
            fields.pop(next((known for known in fields if known.lower() == name.lower()), name), None)
            if value is not None:
                fields[name] = value
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30, source_address=(self.address, 0))
        try:
            connection.putrequest(method, path, skip_host="Host" in fields, skip_accept_encoding=True)
            if body is not None or method == "POST":
                fields.setdefault("Content-Length", str(len(body or b"")))
            for name, value in fields.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            answer = Answer(response.status, response.reason, response.headers, response.read())
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            elif cookies:
                self.cookies[name] = value
        return answer

    def get(self, path, **headers):
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def token(self, path="/signin"):
        """The token that forms of this visitor carry."""
        page = self.get(path)
        found = re.search(r'name="csrf" value="([^"]*)"', page.text)
        return html.unescape(found[1]) if found else ""

    def post(self, path, fields=None, token=None, page="/signin", headers=None, **more):
        """A form; with the token of a page unless another is given (`False` for none)."""
        fields = {**(fields or {}), **more}
        if token is not False:
            fields["csrf"] = self.token(page) if token is None else token
        body = urllib.parse.urlencode(fields).encode()
        return self.ask("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.base, **(headers or {})})

    def sign_in(self, email, password, **more):
        return self.post("/signin", {"email": email, "password": password, "next": "", **more})

    @property
    def is_in(self):
        return self.get("/account").status == 200
