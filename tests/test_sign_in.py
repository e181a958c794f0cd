"""People and their sessions by plain HTTP: the first minute, signing in and out, forms, links, roles, and whoever guesses."""
import concurrent.futures
import contextlib
import html
import http.client
import json
import re
import socket
import sqlite3
import ssl
import tempfile
import time
import urllib.parse

import pytest

from gatehouse import SECONDS_BESIDE_A_FLOOD, Server, call, server

PASSWORD = "a long way to the library"
EMAIL = "ines.robles@example.com"
FORM = "application/x-www-form-urlencoded"
# No page shows a password again that it was sent.
SHOWN_PASSWORD = re.compile(r'<input[^>]*type="password"[^>]* value=')
SCRIPT = '"><script>alert(1)</script>'


class Browser:
    """Keeps cookies and follows nothing; `address` is where it comes from, of this machine's many."""

    def __init__(self, base, address="127.0.0.1", authority=None):
        self.parts = urllib.parse.urlsplit(base)
        self.address, self.cookies, self.set = address, {}, []
        self.tls = ssl.create_default_context(cafile=authority) if authority else None

    def ask(self, method, path, body=None, headers=None):
        headers = {"Accept": "text/html,*/*;q=0.8", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", **(headers or {})}
        if self.cookies:
            headers.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        options = {"timeout": 30, "source_address": (self.address, 0)}
        if self.tls:
            connection = http.client.HTTPSConnection(self.parts.hostname, self.parts.port, context=self.tls, **options)
        else:
            connection = http.client.HTTPConnection(self.parts.hostname, self.parts.port, **options)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.text = answer.read().decode()
        finally:
            connection.close()
        self.set = answer.headers.get_all("Set-Cookie") or []
        for text in self.set:
            name, value = text.split(";")[0].split("=", 1)
            if "Max-Age=0" in text:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)

    def token(self, path="/"):
        """The token of this browser's forms, from a page that has one."""
        return re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(path).text)[1]

    def post(self, path, fields=None, token=None, headers=None):
        if token is None:
            token = self.token()
        body = urllib.parse.urlencode({"csrf": token, **(fields or {})})
        return self.ask("POST", path, body, {"Content-Type": FORM, **(headers or {})})

    def sign_in(self, email=EMAIL, password=PASSWORD, **fields):
        return self.post("/signin", {"email": email, "password": password, **fields})


def first_link(running, path):
    """The address that the server printed, alone on its line."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found = re.search(rf"^Open http://127\.0\.0\.1:\d+({re.escape(path)}\?code=[0-9a-f]{{64}})$", (running.folder / "log").read_text(), re.M)
        if found:
            return found[1]
        time.sleep(0.02)
    raise AssertionError((running.folder / "log").read_text())


def command_link(running, *words):
    """The link that a command prints, alone on standard output."""
    lines = running.command(*words).stdout.splitlines()
    assert len(lines) == 1, lines
    parts = urllib.parse.urlsplit(lines[0])
    assert f"{parts.scheme}://{parts.netloc}" == running.urls["portal"]
    return f"{parts.path}?{parts.query}"


def post_json(running, path, body, token=None):
    return call(running.urls["portal"], "POST", path, body, {"Authorization": f"Bearer {token or running.token}"})


@pytest.fixture(scope="module")
def house():
    """A server whose service was made by the first page, with TLS beside; `owner` is its administrator's browser."""
    with server("--portal-tls-port", "0") as running:
        running.setup = first_link(running, "/setup")
        running.owner = Browser(running.urls["portal"])
        page = running.owner.get(running.setup)
        assert page.status == 200
        code = running.setup.split("=")[1]
        refused = running.owner.post("/setup", {"code": code, "name": "1x", "organization": "", "email": SCRIPT, "password": "short"})
        assert refused.status == 422 and "<script>alert" not in refused.text and html.escape(SCRIPT) in refused.text
        assert not SHOWN_PASSWORD.search(refused.text)
        fields = {"code": code, "name": "demoazureml", "organization": f"Demo {SCRIPT}", "email": EMAIL, "password": PASSWORD}
        made = running.owner.post("/setup", fields)
        assert made.status == 303 and re.fullmatch(r"/welcome\?created=\d+", made.headers["Location"]), made.status
        yield running


def test_the_first_minute(house):
    assert house.demo_names["serviceName"] == "demoazureml"
    page = house.owner.get("/welcome?created=120")
    assert page.status == 200 and "demoazureml" in page.text
    # What the form replaced is written down nowhere any more, and the form is gone.
    assert not (house.data / "secrets" / "admin-password").exists()
    guest = Browser(house.urls["portal"])
    assert guest.get(house.setup).status == 410
    fields = {"code": house.setup.split("=")[1], "name": "other", "organization": "o", "email": "x@y.z", "password": PASSWORD}
    assert guest.post("/setup", fields).status == 410
    assert house.demo_names["serviceName"] == "demoazureml"


def test_a_folder_that_was_filled_prints_a_sign_in_link_until_somebody_signed_in():
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as folder:
        running = Server(folder)
        made = running.command("init", "--name", "filled")
        assert "first password" in made.stdout.lower()
        running.start()
        try:
            path = first_link(running, "/signin/link")
            browser = Browser(running.urls["portal"])
            # Nothing but opening it uses it up.
            assert browser.ask("HEAD", path).status in (404, 405)
            assert browser.get(path, **{"Sec-Purpose": "prefetch;prerender"}).status == 503
            answer = browser.get(path)
            assert answer.status == 303 and answer.headers["Location"] == "/welcome"
            assert browser.get("/welcome").status == 200
            assert Browser(running.urls["portal"]).get(path).status == 410
            # The password of before signs in too.
            password = (running.data / "secrets" / "admin-password").read_text().strip()
            assert Browser(running.urls["portal"]).sign_in("ADMIN@filled.local", password).status == 303
            running.stop()
            (running.folder / "log").write_text("")
            running.start()
            time.sleep(0.3)
            assert "Open http" not in (running.folder / "log").read_text()
            # The session outlives the server.
            browser.parts = urllib.parse.urlsplit(running.urls["portal"])
            assert browser.get("/welcome").status == 200
            # What is written down of a password goes with the password, whoever changes it.
            changed = running.management("PATCH", "/users/1", {"properties": {"note": "n"}}, {"If-Match": "*"})
            assert changed.status == 200 and (running.data / "secrets" / "admin-password").exists()
            changed = running.management("PATCH", "/users/1", {"properties": {"password": PASSWORD}}, {"If-Match": "*"})
            assert changed.status == 200 and not (running.data / "secrets" / "admin-password").exists()
        finally:
            running.stop()


def test_a_service_in_use_is_nobodys_to_claim(tmp_path):
    running = Server(tmp_path).start()
    try:
        first_link(running, "/setup")
        running.stop()
        (running.folder / "log").write_text("")
        running.start()
        setup = first_link(running, "/setup")
        assert Browser(running.urls["portal"]).get(setup).status == 200
        made = running.management("PUT", "/products/zoo", {"properties": {"displayName": "Zoo"}})
        assert made.status == 201
        assert Browser(running.urls["portal"]).get(setup).status == 410
        running.stop()
        (running.folder / "log").write_text("")
        running.start()
        assert first_link(running, "/signin/link")
    finally:
        running.stop()


def test_a_folder_of_before_goes_on(tmp_path):
    """Sessions, members and the first form came later: folders without them start, and their administrator signs in."""
    running = Server(tmp_path).start()
    running.stop()
    with contextlib.closing(sqlite3.connect(running.data / "work.sqlite")) as work, work:
        for name in ("sessions", "codes", "first_sign_in"):
            work.execute(f"DROP TABLE {name}")
        done = work.execute("PRAGMA user_version").fetchone()[0]
        work.execute(f"PRAGMA user_version = {done - 1}")
    with contextlib.closing(sqlite3.connect(running.data / "configuration.sqlite")) as configuration, configuration:
        configuration.execute("DELETE FROM resources WHERE type IN ('workspaces/members', 'firstrun')")
    (running.folder / "log").write_text("")
    running.start()
    try:
        assert first_link(running, "/signin/link")
        browser = Browser(running.urls["portal"])
        password = (running.data / "secrets" / "admin-password").read_text().strip()
        assert browser.sign_in("admin@gatehouse.local", password).status == 303
        for page in ("/welcome", "/studio", "/studio/settings", "/publisher"):
            assert browser.get(page).status == 200
        assert re.findall(r"/studio/settings/members/(\w+)/role", browser.get("/studio/settings").text) in (["1"], [])
    finally:
        running.stop()


def test_links_from_the_command_line(house):
    path = command_link(house, "sign-in-link")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: Browser(house.urls["portal"]).get(path).status, range(4)))
    assert sorted(answers) == [303, 410, 410, 410]
    lines = house.command("audit", "--limit", "1000").stdout.splitlines()
    made = [line for line in lines if re.search(r"put +/users/1/links/[0-9a-f]{16} +management token", line)]
    used = [line for line in lines if re.search(r"delete +/users/1/links/[0-9a-f]{16} +users/1", line)]
    assert made and used
    assert path.split("=")[1] not in "\n".join(lines)
    for words in (("sign-in-link", "--user", "nobody@example.com"), ("user", "reset-password", "nobody@example.com"),
                  ("user", "invite", "no address"), ("user", "invite", "a@b.c", "--role", "king")):
        done = house.command(*words, check=False)
        assert done.returncode != 0 and done.stdout == "" and "ValidationError" in done.stderr
    # Nothing was made by what was refused, and another invitation may bring another role.
    found = house.management("GET", "/users?$filter=email%20eq%20'a@b.c'")
    assert found.status == 200 and found.json()["count"] == 0
    for role in ("user", "owner", "user"):
        command_link(house, "user", "invite", "again@example.com", "--role", role)
    # Codes of one kind open nothing else.
    reset = command_link(house, "user", "reset-password", EMAIL)
    assert Browser(house.urls["portal"]).get(reset.replace("/reset", "/link")).status == 410
    assert Browser(house.urls["portal"]).get(reset.replace("/reset", "/invite")).status == 410
    assert Browser(house.urls["portal"]).get(reset).status == 200


def invited(house, email, role=None, password=PASSWORD, first="Ada", last="Lovelace"):
    """A browser of somebody who followed an invitation."""
    path = command_link(house, "user", "invite", email, *(["--role", role] if role else []))
    browser = Browser(house.urls["portal"])
    assert browser.get(path).status == 200
    fields = {"code": path.split("=")[1], "firstName": first, "lastName": last, "password": password}
    answer = browser.post("/signin/invite", fields)
    assert answer.status == 303 and answer.headers["Location"] == "/welcome", answer.text[:500]
    return browser


def test_invitations_and_roles(house):
    browsers = {
        "guest": Browser(house.urls["portal"]), "developer": invited(house, "dev@example.com"),
        "user": invited(house, "user@example.com", "user", first=SCRIPT, last="Byron"),
        "owner": invited(house, "owner@example.com", "owner"), "administrator": house.owner,
    }
    pages = {
        "/": "AAAAA", "/account": "-AAAA", "/welcome": "-AAAA", "/studio": "-.AAA", "/studio/settings": "-.AAA", "/publisher": "-...A",
    }
    for path, line in pages.items():
        for (name, browser), expected in zip(browsers.items(), line):
            answer = browser.get(path)
            found = {200: "A", 403: ".", 303: "-"}.get(answer.status, str(answer.status))
            assert found == expected, f"{path} for {name}"
            assert "<script>alert" not in answer.text
            if found == "-":
                assert answer.headers["Location"] == f"/signin?next={path}"
    # Programs' APIs know the session as well, and its roles.
    experiments = f"/api/workspaces/{workspace(house)}/experiments"
    for name, expected in {"guest": 401, "developer": 403, "user": 200, "owner": 200, "administrator": 200}.items():
        assert browsers[name].ask("GET", experiments, headers={"Accept": "*/*"}).status == expected
    assert browsers["owner"].ask("GET", "/api/installation", headers={"Accept": "*/*"}).status == 403
    # An invitation is for once, and for nobody who has a password.
    assert house.command("user", "invite", "dev@example.com", check=False).returncode != 0


def workspace(house):
    return call(house.urls["portal"], "GET", "/api/installation", None, {"Authorization": f"Bearer {house.token}"}).json()["workspace"]


FORMS = [
    ("/signin", {"email": EMAIL, "password": PASSWORD}), ("/signin/again", {"password": PASSWORD}), ("/signout", {}), ("/setup", {}),
    ("/signin/invite", {}), ("/signin/reset", {}), ("/account/name", {"firstName": "A", "lastName": "B"}),
    ("/account/password", {"current": PASSWORD, "password": "another long way"}), ("/account/sessions/x/end", {}),
    ("/account/sessions/end-others", {}), ("/studio/settings/name", {"name": "other"}),
    ("/studio/settings/token", {"which": "primary", "action": "regenerate"}),
    ("/studio/settings/members", {"email": "dev@example.com", "role": "owner"}), ("/studio/settings/members/1/role", {"role": "user"}),
    ("/studio/settings/members/1/remove", {}), ("/preferences", {"theme": "dark"}),
]


@pytest.mark.parametrize("path, fields", FORMS)
def test_forms_of_nobody_else(house, path, fields):
    token, other = house.owner.token(), Browser(house.urls["portal"])
    foreign = other.token()
    host = urllib.parse.urlsplit(house.urls["portal"]).netloc
    cookies = dict(house.owner.cookies)
    refused = [
        ("no token", "", {}), ("another's token", foreign, {}), ("a foreign page", token, {"Origin": "http://evil.example"}),
        ("another port", token, {"Origin": "http://127.0.0.1:1"}), ("no page", token, {"Origin": "null"}),
        ("by TLS", token, {"Origin": f"https://{host}"}), ("a site beside", token, {"Sec-Fetch-Site": "same-site"}),
        ("a foreign page, silent", token, {"Sec-Fetch-Site": "cross-site"}),
    ]
    for what, sent, headers in refused:
        answer = house.owner.post(path, fields, sent, headers)
        assert answer.status == 403, f"{path}, {what}: {answer.status}"
    # The token of a session is no good with another cookie, and none with none.
    assert other.post(path, fields, token).status == 403
    nobody = Browser(house.urls["portal"])
    assert nobody.post(path, fields, token).status == 403
    assert house.owner.cookies == cookies and house.owner.get("/welcome").status == 200


def test_scripts_send_the_token_in_a_field(house):
    token = house.owner.token()
    path = f"/api/workspaces/{workspace(house)}/experiments"
    ask = lambda **headers: house.owner.ask("POST", path, "{}", {"Content-Type": "application/json", "Accept": "*/*", **headers}).status
    assert ask() == 403 and ask(**{"X-CSRF-Token": "0" * 64}) == 403
    assert ask(**{"X-CSRF-Token": token, "Origin": "http://evil.example"}) == 403
    assert ask(**{"X-CSRF-Token": token}) == 400
    # A token of a program needs none, and no session helps a wrong one.
    assert ask(Authorization=f"Bearer {house.token}") == 400
    assert ask(Authorization="Bearer wrong", **{"X-CSRF-Token": token}) == 401
    assert house.owner.get("/api/installation", Authorization="Bearer wrong").status == 401
    # Whoever shows nothing is answered as ever, whatever is sent.
    assert Browser(house.urls["portal"]).ask("POST", path, "a=1", {"Content-Type": FORM, "Accept": "*/*"}).status == 401


def test_cookies(house):
    browser = Browser(house.urls["portal"])
    browser.get("/signin")
    assert len(browser.set) == 1 and re.fullmatch(r"gatehouse-guest=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Lax", browser.set[0])
    guest = dict(browser.cookies)
    assert browser.sign_in().status == 303
    session = [text for text in browser.set if text.startswith("gatehouse-session=")]
    assert len(session) == 1 and re.fullmatch(r"gatehouse-session=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Lax", session[0])
    assert "gatehouse-guest" not in browser.cookies and guest
    before = browser.cookies["gatehouse-session"]
    assert browser.sign_in(remember="true").status == 303
    session = [text for text in browser.set if text.startswith("gatehouse-session=")]
    assert session[0].endswith("; Path=/; HttpOnly; SameSite=Lax; Max-Age=7776000")
    # The session of before ended with the new one.
    stale = Browser(house.urls["portal"])
    stale.cookies["gatehouse-session"] = before
    assert stale.get("/welcome").headers["Location"] == "/signin?next=/welcome"
    secure = Browser(house.urls["portal-tls"], authority=str(house.data / "tls" / "authority.pem"))
    secure.get("/signin")
    assert secure.set[0].startswith("__Host-gatehouse-guest=") and secure.set[0].endswith("; HttpOnly; SameSite=Lax; Secure")
    assert secure.sign_in().status == 303
    session = [text for text in secure.set if "gatehouse-session=" in text]
    assert len(session) == 1 and re.fullmatch(r"__Host-gatehouse-session=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Lax; Secure", session[0])
    assert secure.get("/welcome").status == 200
    # A cookie that a door in the clear could have set is none over TLS.
    secure.cookies = {"gatehouse-session": browser.cookies["gatehouse-session"]}
    assert secure.get("/welcome").status == 303


def test_one_answer_for_whoever_is_not_let_in(house):
    answers = []
    for email, password in ((EMAIL, "not the password"), ("nobody@example.com", PASSWORD), (SCRIPT, ""), ("", "")):
        browser = Browser(house.urls["portal"], "127.0.1.1")
        answer = browser.sign_in(email, password)
        assert answer.status == 422 and "Set-Cookie" not in answer.headers and "<script>alert" not in answer.text
        answers.append(re.sub(r'value="[^"]*"| autofocus|[0-9a-f-]{36}', "", answer.text))
    assert len(set(answers)) == 1


@pytest.mark.parametrize("next_path, leads", [
    ("/studio", "/studio"), ("/studio?a=1&b=2", "/studio?a=1&b=2"), ("", "/welcome"), ("//evil.example", "/welcome"),
    ("/\\evil.example", "/welcome"), ("http://evil.example/", "/welcome"), ("/\t/evil.example", "/welcome"), ("javascript:alert(1)", "/welcome"),
])
def test_nobody_is_led_elsewhere(house, next_path, leads):
    answer = house.owner.get("/signin?" + urllib.parse.urlencode({"next": next_path}))
    assert answer.status == 303 and answer.headers["Location"] == leads
    answer = house.owner.post("/signin/again", {"password": PASSWORD, "next": next_path})
    assert answer.status == 303 and answer.headers["Location"] == leads
    if leads != "/studio":
        answer = Browser(house.urls["portal"]).sign_in(next=next_path)
        assert answer.status == 303 and answer.headers["Location"] == leads


def test_whoever_is_blocked_is_out_with_the_next_request(house):
    browser = invited(house, "blocked@example.com", "user")
    name = next(user["name"] for user in json.loads(house.command("user", "list", "--json").stdout)
                if user["properties"]["email"] == "blocked@example.com")
    assert browser.get("/studio").status == 200
    house.command("user", "update", name, "--state", "blocked")
    assert browser.get("/studio").headers["Location"] == "/signin?next=/studio"
    assert Browser(house.urls["portal"], "127.0.1.2").sign_in("blocked@example.com").status == 422
    house.command("user", "update", name, "--state", "active")
    assert browser.get("/studio").status == 303
    assert browser.sign_in("blocked@example.com").status == 303
    # A role that was taken away, too.
    token = house.owner.token("/account")
    assert house.owner.post(f"/studio/settings/members/{name}/remove", {}, token).status == 303
    assert browser.get("/studio").status == 403
    # Another password, by whoever manages the users, ends all sessions.
    house.command("user", "update", name, "--password-file", "-", stdin="the administrator's choice")
    assert browser.get("/account").status == 303
    assert browser.sign_in("blocked@example.com", "the administrator's choice").status == 303
    house.command("user", "delete", name)
    assert browser.get("/account").status == 303


def test_the_account(house):
    browser, other = invited(house, "account@example.com"), Browser(house.urls["portal"])
    assert other.sign_in("account@example.com").status == 303
    page = browser.get("/account")
    assert page.status == 200 and page.text.count("Firefox on Linux") >= 2
    assert browser.post("/account/name", {"firstName": SCRIPT, "lastName": ""}).status == 422
    assert browser.post("/account/name", {"firstName": SCRIPT, "lastName": "King"}).headers["Location"] == "/account?done=name"
    page = browser.get("/account?done=name")
    assert html.escape(SCRIPT) in page.text and "<script>alert" not in page.text
    # The other session, then all others.
    ids = set(re.findall(r"/account/sessions/([0-9a-f]{16})/end", page.text))
    assert len(ids) == 2
    assert house.owner.post(f"/account/sessions/{ids.pop()}/end").status == 404
    assert browser.post("/account/sessions/end-others").status == 303
    assert other.get("/account").status == 303 and browser.get("/account").status == 200
    assert other.sign_in("account@example.com").status == 303
    for fields in ({"current": "wrong password", "password": "another long way"}, {"current": PASSWORD, "password": "short"},
                   {"current": PASSWORD, "password": "account@example.com"}, {"current": PASSWORD, "password": PASSWORD}):
        answer = browser.post("/account/password", fields)
        assert answer.status == 422 and not SHOWN_PASSWORD.search(answer.text)
    before = browser.cookies["gatehouse-session"]
    answer = browser.post("/account/password", {"current": PASSWORD, "password": "another long way"})
    assert answer.status == 303 and browser.cookies["gatehouse-session"] != before
    assert browser.get("/account").status == 200 and other.get("/account").status == 303
    assert Browser(house.urls["portal"]).sign_in("account@example.com", "another long way").status == 303
    # By a link, without the one of before.
    path = command_link(house, "user", "reset-password", "account@example.com")
    guest = Browser(house.urls["portal"])
    fields = {"code": path.split("=")[1], "password": "a third long way"}
    assert guest.post("/signin/reset", {**fields, "password": "short"}).status == 422
    assert guest.post("/signin/reset", fields).status == 303 and guest.get("/account").status == 200
    assert guest.post("/signin/reset", fields).status == 410
    assert browser.get("/account").status == 303
    session = guest.cookies["gatehouse-session"]
    assert guest.post("/signout").headers["Location"] == "/signin?done=signedOut"
    guest.cookies = {"gatehouse-session": session}
    assert guest.get("/account").status == 303


def test_the_last_owner_stays(house):
    browser = invited(house, "heir@example.com", "owner")
    page = browser.get("/studio/settings")
    members = set(re.findall(r"/studio/settings/members/(\w+)/remove", page.text))
    heir = next(user["name"] for user in json.loads(house.command("user", "list", "--json").stdout)
                if user["properties"]["email"] == "heir@example.com")
    for name in members - {heir}:
        browser.post(f"/studio/settings/members/{name}/role", {"role": "user"})
    refused = browser.post(f"/studio/settings/members/{heir}/remove")
    assert refused.status in (409, 422)
    assert browser.post(f"/studio/settings/members/{heir}/role", {"role": "user"}).status in (409, 422)
    assert house.management("DELETE", f"/users/{heir}", headers={"If-Match": "*"}).json()["error"]["code"] == "LastOwner"
    assert browser.post("/studio/settings/members/1/role", {"role": "owner"}).status == 303
    assert house.management("DELETE", f"/users/{heir}", headers={"If-Match": "*"}).status == 204
    assert browser.get("/studio").status == 303


def test_passwords_in_the_clear_stay_on_this_machine():
    with server("--bind", "0.0.0.0", "--portal-tls-port", "0") as running:
        address = own_address()
        if address is None:
            pytest.skip("this machine has no address but loopback")
        port = urllib.parse.urlsplit(running.urls["portal"]).port
        path = first_link(running, "/setup")
        browser = Browser(f"http://{address}:{port}", address)
        for page in ("/signin", path, "/signin/link?code=x", "/signin/invite?code=x", "/signin/reset?code=x"):
            answer = browser.get(page)
            assert answer.status == 403 and running.urls["portal-tls"] in answer.text, page
        assert browser.sign_in("admin@gatehouse.local", "x").status == 403
        token = {"Authorization": f"Bearer {running.token}"}
        answer = call(f"http://{address}:{port}", "POST", "/api/people/sign-in-links", {}, token)
        assert answer.status == 403 and answer.json()["error"]["code"] == "TLSRequired"
        # The code was not used up by that.
        assert Browser(running.urls["portal"]).get(path).status == 200


def own_address():
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


def test_a_flood_of_guesses(house):
    """A thousand at once from one address: few are hashed, the rest hear 429, and somebody elsewhere gets in."""
    browsers = [Browser(house.urls["portal"], "127.0.2.1") for _ in range(8)]
    tokens = [browser.token() for browser in browsers]

    def guess(place):
        counts = {}
        for number in range(125):
            answer = browsers[place].post("/signin", {"email": EMAIL, "password": f"guess {place} {number}"}, tokens[place])
            counts[answer.status] = counts.get(answer.status, 0) + 1
            if answer.status == 429:
                assert int(answer.headers["Retry-After"]) >= 1
        return counts

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        guessing = [pool.submit(guess, place) for place in range(8)]
        time.sleep(0.1)
        began = time.monotonic()
        assert Browser(house.urls["portal"], "127.0.2.2").sign_in().status == 303
        assert time.monotonic() - began < SECONDS_BESIDE_A_FLOOD
        counts = {}
        for one in guessing:
            for status, count in one.result().items():
                counts[status] = counts.get(status, 0) + count
    assert set(counts) == {422, 429} and counts[422] <= 30 and sum(counts.values()) == 1000, counts
    # Not even the right password is judged from there for a while.
    assert Browser(house.urls["portal"], "127.0.2.1").sign_in().status == 429
