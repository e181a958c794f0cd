"""Requests to the blobs door that are signed by hand: for versions, fields and mistakes that no client library sends."""
import base64
import email.utils
import hmac
import http.client
import socket
import urllib.parse
import uuid
import xml.etree.ElementTree

from gatehouse import Answer


class Door:
    """The blobs door as one account sees it; path style."""

    def __init__(self, url, account, key):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.account, self.key = account, key
        self.made = []

    def send(self, method, path, query="", headers=None, body=None):
        """One request as it is, with an answer whatever its status. `path` is below the account and encoded, `query` encoded."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.putrequest(method, f"/{self.account}{path}" + (f"?{query}" if query else ""), skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.reason, response.headers, response.read())
        finally:
            connection.close()

    def raw(self, data):
        """Bytes as they are; head and body of what comes until the connection ends."""
        with socket.create_connection((self.host, self.port), 20) as stream:
            stream.sendall(data)
            answer = b""
            while piece := stream.recv(65536):
                answer += piece
        head, _, body = answer.decode().partition("\r\n\r\n")
        return head + "\r\n", body

    def call(self, method, path, query="", headers=None, body=None, version="2021-12-02", lite=False):
        """The same, signed by the account's key. A length is sent where there is a body, or where the method has one."""
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": version, **(headers or {})}
        if body is not None or method in ("PUT", "POST"):
            headers.setdefault("Content-Length", str(len(body or b"")))
        low = {name.lower(): value for name, value in headers.items()}
        length = low.get("content-length", "")
        if length == "0" and version >= "2015-02-21":
            length = ""
        fields = "".join(f"{name}:{low[name].strip()}\n" for name in sorted(low) if name.startswith("x-ms-"))
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
        if lite:
            component = next((f"?comp={value}" for name, value in pairs if name == "comp"), "")
            text = f"{method}\n{low.get('content-md5', '')}\n{low.get('content-type', '')}\n\n{fields}/{self.account}/{self.account}{path}{component}"
        else:
            values = {}
            for name, value in pairs:
                values.setdefault(name.lower(), []).append(value)
            lines = [method, low.get("content-encoding", ""), low.get("content-language", ""), length]
            lines += [low.get(name, "") for name in ("content-md5", "content-type")] + [""]
            lines += [low.get(name, "") for name in ("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")]
            text = "\n".join(lines) + f"\n{fields}/{self.account}/{self.account}{path}"
            text += "".join(f"\n{name}:{','.join(sorted(values[name]))}" for name in sorted(values))
        kind = "SharedKeyLite" if lite else "SharedKey"
        headers["Authorization"] = f"{kind} {self.account}:{self.sign(text)}"
        return self.send(method, path, query, headers, body)

    def signed(self, token, method, path, query="", headers=None, body=None):
        """The same by a shared access signature."""
        headers = dict(headers or {})
        if body is not None or method in ("PUT", "POST"):
            headers.setdefault("Content-Length", str(len(body or b"")))
        return self.send(method, path, f"{query}&{token}" if query else token, headers, body)

    def sign(self, text):
        return base64.b64encode(hmac.new(base64.b64decode(self.key), text.encode(), "sha256").digest()).decode()

    def service_sas(self, permissions, container, blob=None, snapshot=None, version="2021-12-02", **fields):
        """A service SAS: of a container, of a blob, or of a snapshot."""
        kind = "c" if blob is None else "b" if snapshot is None else "bs"
        values = {"sv": version, "sr": kind, "sp": permissions, "se": "2099-01-01T00:00:00Z", **fields}
        resource = ("/blob/" if version >= "2015-02-21" else "/") + f"{self.account}/{container}" + (f"/{blob}" if blob is not None else "")
        get = lambda name: values.get(name, "")
        lines = [get("sp"), get("st"), get("se"), resource, get("si")]
        if version >= "2015-04-05":
            lines += [get("sip"), get("spr")]
        lines.append(version)
        if version >= "2018-11-09":
            lines += [kind, snapshot or ""]
        if version >= "2020-12-06":
            lines.append("")
        if version >= "2013-08-15":
            lines += [get(name) for name in ("rscc", "rscd", "rsce", "rscl", "rsct")]
        return urllib.parse.urlencode({**values, "sig": self.sign("\n".join(lines))})

    def account_sas(self, permissions, types="sco", version="2021-12-02", **fields):
        values = {"sv": version, "ss": "b", "srt": types, "sp": permissions, "se": "2099-01-01T00:00:00Z", **fields}
        lines = [self.account] + [values.get(name, "") for name in ("sp", "ss", "srt", "st", "se", "sip", "spr", "sv")]
        if version >= "2020-12-06":
            lines.append("")
        return urllib.parse.urlencode({**values, "sig": self.sign("\n".join(lines) + "\n")})

    def put(self, path, data=b"data", **headers):
        """A block blob."""
        answer = self.call("PUT", path, headers={"x-ms-blob-type": "BlockBlob", **headers}, body=data)
        assert answer.status == 201, answer.text
        return answer

    def container(self, public=None):
        """A container of a new name."""
        name = f"wire-{uuid.uuid4().hex[:12]}"
        answer = self.call("PUT", f"/{name}", "restype=container", {"x-ms-blob-public-access": public} if public else {})
        assert answer.status == 201, answer.text
        self.made.append(name)
        return name

    def tidy(self):
        """Deletes the containers that were made."""
        for name in self.made:
            self.call("DELETE", f"/{name}", "restype=container")


def code(answer):
    """What an answer was: its status, and the code of its error."""
    return answer.status, answer.headers.get("x-ms-error-code")


def document(answer):
    """The document of an answer, which must be well-formed."""
    return xml.etree.ElementTree.fromstring(answer.body.decode("utf-8-sig"))
