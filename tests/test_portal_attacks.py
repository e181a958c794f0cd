"""The portal's pages before people who mean harm: sessions, forms of other sites, links, redirects, texts, floods, and what is left in files."""
import concurrent.futures
import itertools
import json
import re
import tempfile
import time
import urllib.parse

import pytest

from gatehouse import SECONDS_BESIDE_A_FLOOD, Server, call
from test_pages import link
from visitor import Visitor

PASSWORD, OTHER = "correct horse battery", "another long password"
ADMIN, USER, BLOCKED = "ada@example.com", "uma@example.com", "bob@example.com"
FORMS = {
    "/signin": {"email": USER, "password": OTHER, "next": ""}, "/signout": {}, "/account/name": {"firstName": "Eve", "lastName": "Evil"},
    "/account/password": {"current": OTHER, "password": "taken by somebody"}, "/account/sessions/end-others": {}, "/account/sessions/0/end": {},
    "/signin/again": {"password": OTHER, "next": "/"}, "/preferences": {"language": "es", "theme": "dark", "back": "/"},
    "/setup": {"code": "0", "name": "evil", "organization": "e", "email": "e@e", "password": PASSWORD},
    "/signin/invite": {"code": "0", "firstName": "e", "lastName": "e", "password": PASSWORD}, "/signin/reset": {"code": "0", "password": PASSWORD},
    "/welcome/sample": {}, "/studio/settings/name": {"name": "evil"}, "/studio/settings/token": {"which": "primary", "action": "show"},
    "/studio/settings/members": {"email": USER, "role": "owner"}, "/studio/settings/members/1/role": {"role": "user"}, "/studio/settings/members/1/remove": {},
}


@pytest.fixture(scope="module")
def portal():
    """A claimed server with an administrator, a user and a blocked one; at the end its files are searched for what must not be in them."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as folder:
        server = Server(folder, "--log-level", "trace").start()
        setup = link(server, "/setup")
        server.seen = {PASSWORD, OTHER, setup.split("code=")[1]}
        first = Visitor(server.urls["portal"], "127.9.9.9")
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(setup).query)["code"][0]
        form = {"code": code, "name": "attacked", "organization": "Org", "email": ADMIN, "password": PASSWORD}
        answer = first.post("/setup", form, page=f"/setup?code={code}")
        assert answer.status == 303, answer.text
        for name, email, state in ("user", USER, "active"), ("blocked", BLOCKED, "blocked"):
            properties = {"email": email, "firstName": name, "lastName": "L", "password": OTHER, "state": state}
            assert server.management("PUT", f"/users/{name}", {"properties": properties}).status in (200, 201)
        server.numbers = itertools.count(1)
        server.setup_code = code
        yield server
        server.stop()
        printed = setup.encode()
        for path in server.folder.rglob("*"):
            if path.is_file() and "secrets" not in path.parts:
                data = path.read_bytes().replace(printed, b"")
                for secret in server.seen:
                    assert secret.encode() not in data, (path, secret)


def visitor(portal, email=None, password=OTHER):
    """Somebody from an address that nobody had before, signed in where there is a mail."""
    number = next(portal.numbers)
    made = Visitor(portal.urls["portal"], f"127.{1 + number // 250}.{number % 250}.1")
    if email:
        answer = made.sign_in(email, PASSWORD if email == ADMIN else password)
        assert answer.status == 303, answer.text
    return made


def session(visitor):
    return visitor.cookies.get("gatehouse-session")


# Sessions


def test_no_session_is_one_that_was_there_before(portal):
    eve = visitor(portal, USER)
    for planted in "0" * 64, session(eve), "x":
        ada = visitor(portal)
        ada.cookies["gatehouse-session"] = planted
        ada.cookies["gatehouse-guest"] = "1" * 64
        if planted == session(eve):
            # Whoever is given another's session leaves it by signing in.
            answer = ada.post("/signin", {"email": ADMIN, "password": PASSWORD, "next": ""}, page="/account")
        else:
            answer = ada.sign_in(ADMIN, PASSWORD)
        assert answer.status == 303, answer.text
        assert session(ada) and session(ada) != planted and "gatehouse-guest" not in ada.cookies
        portal.seen.add(session(ada))
        planter = visitor(portal)
        planter.cookies["gatehouse-session"] = planted
        assert not planter.is_in
    # Two values of one name: somebody else set one of them.
    ada, eve = visitor(portal, ADMIN), visitor(portal, USER)
    two = f"gatehouse-session={session(eve)}; gatehouse-session={session(ada)}"
    assert ada.ask("GET", "/account", headers={"Cookie": two}, cookies=False).status == 303
    for other in f'gatehouse-session="{session(ada)}"', f"Gatehouse-Session={session(ada)}", f"__Host-gatehouse-session={session(ada)}", f"gatehouse-session={session(ada)[:-1]}", f"a=1, gatehouse-session={session(ada)}":
        assert ada.ask("GET", "/account", headers={"Cookie": other}, cookies=False).status == 303, other


def test_cookies_say_what_browsers_need(portal):
    ada = visitor(portal)
    page = ada.get("/signin")
    lines = page.headers.get_all("Set-Cookie") + ada.sign_in(ADMIN, PASSWORD, remember="true").headers.get_all("Set-Cookie")
    for line in lines:
        words = {word.strip().lower() for word in line.split(";")[1:]}
        assert {"path=/", "httponly", "samesite=lax"} <= words and not any(word.startswith("domain") for word in words), line


def test_a_session_ends_with_what_its_person_may(portal):
    portal.management("PUT", "/users/gone", {"properties": {"email": "gone@example.com", "firstName": "g", "lastName": "g", "password": OTHER}})
    changes = [("PATCH", {"properties": {"state": "blocked"}}), ("PATCH", {"properties": {"state": "active"}}), ("PATCH", {"properties": {"password": "a new one for gone"}}), ("DELETE", None)]
    password = OTHER
    for method, body in changes:
        if body != {"properties": {"state": "active"}}:
            gone = visitor(portal, "gone@example.com", password)
            assert gone.is_in
        assert portal.management(method, "/users/gone", body, {"If-Match": "*"}).status in (200, 204)
        assert not gone.is_in, (method, body)
        password = (body or {}).get("properties", {}).get("password", password)
    blocked = visitor(portal)
    answer, unknown, wrong = (blocked.sign_in(email, OTHER) for email in (BLOCKED, "nobody@example.com", ADMIN))
    strip = lambda answer: re.sub(r'value="[^"]*@[^"]*"|value="[0-9a-f]{64}"', "", answer.text)
    assert (answer.status, strip(answer)) == (unknown.status, strip(unknown)) == (wrong.status, strip(wrong))
    assert OTHER not in answer.text


# Forms of other sites


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("who", ["session", "guest"])
def test_forms_of_other_sites_are_refused(portal, path, who):
    if not hasattr(portal, "pair"):
        portal.pair = visitor(portal, ADMIN), visitor(portal, ADMIN), visitor(portal)
        portal.pair[2].get("/signin")
    ada, other, guest = portal.pair
    him = ada if who == "session" else guest
    own, others = him.token("/account" if who == "session" else "/signin"), (other if who == "session" else ada).token("/account")
    body = urllib.parse.urlencode(FORMS[path]).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    origin = {"Origin": him.base}
    both = body + b"&csrf=" + own.encode()
    evil = "http://evil.example"
    gateway, https, port = portal.urls["gateway"], him.base.replace("http:", "https:"), him.base + "0"
    boundary = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n' + own.encode() + b"\r\n--x--\r\n"
    tries = {
        "no token": (body, {**form, **origin}), "empty": (body + b"&csrf=", {**form, **origin}),
        "another's": (body + b"&csrf=" + others.encode(), {**form, **origin}), "guest's": (body + b"&csrf=" + guest.token().encode()[:-1] + b"0", {**form, **origin}),
        "in the query": (body, {**form, **origin}), "short": (both[:-1], {**form, **origin}), "two": (body + b"&csrf=x&csrf=" + own.encode(), {**form, **origin}),
        **{f"from {where}": (both, {**form, "Origin": where}) for where in (evil, "null", gateway, https, port, him.base + ".evil.example", "", him.base + "/")},
        "cross-site": (both, {**form, "Sec-Fetch-Site": "cross-site"}), "same-site": (both, {**form, "Sec-Fetch-Site": "same-site"}),
        "two origins": (both, {**form, "Origin": f"{evil}, {him.base}"}),
        "text": (both, {"Content-Type": "text/plain", **origin}), "multipart": (boundary, {"Content-Type": "multipart/form-data; boundary=x", **origin}),
        "JSON": (json.dumps({**FORMS[path], "csrf": own}).encode(), {"Content-Type": "application/json", **origin}), "no type": (both, origin),
        "no body": (b"", {**form, **origin}),
    }
    for what, (data, headers) in tries.items():
        answer = him.ask("POST", path + (f"?csrf={own}" if what == "in the query" else ""), data, headers)
        assert answer.status == 403, (what, answer.status, answer.headers.get("Location"))
        assert not [line for line in answer.headers.get_all("Set-Cookie") or [] if "session" in line], what
    assert ada.is_in and other.is_in


def test_guests_without_a_cookie_send_nothing(portal):
    for path, fields in FORMS.items():
        body = urllib.parse.urlencode(fields).encode()
        for type in "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "application/json", "APPLICATION/X-WWW-FORM-URLENCODED;charset=x", "application/x-www-form-urlencoded\t", None:
            answer = visitor_of(portal).ask("POST", path, body, {"Content-Type": type, "Origin": portal.urls["portal"]})
            # A guest who signs out is a guest; all others hear that they may not, that it is no form, or where to sign in.
            assert answer.status in (403, 415) or answer.status == 303 and answer.headers["Location"].startswith("/signin"), (path, type, answer.status)


def visitor_of(portal):
    return Visitor(portal.urls["portal"], "127.200.1.1")


def test_calls_by_a_session_show_the_token(portal):
    ada = visitor(portal, ADMIN)
    names = portal.demo_names
    path = (f"/subscriptions/{names['subscriptionId']}/resourceGroups/{names['resourceGroup']}/providers/Microsoft.ApiManagement"
            f"/service/{names['serviceName']}/tags/t?api-version=2022-08-01")
    body = json.dumps({"properties": {"displayName": "t"}}).encode()
    token = ada.token("/account")
    fields = {"Content-Type": "application/json", "Accept": "application/json"}
    for more in {}, {"Origin": ada.base}, {"X-CSRF-Token": token, "Origin": "http://evil.example"}, {"X-CSRF-Token": token, "Origin": "null"}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": token, "Authorization": "Basic eA=="}:
        assert ada.ask("PUT", path, body, {**fields, **more}).status in (401, 403), more
        assert ada.ask("DELETE", path, None, {**fields, "If-Match": "*", **more}).status in (401, 403), more
    assert ada.ask("PUT", path, body, {**fields, "X-CSRF-Token": token}).status == 201
    assert ada.ask("GET", path, None, fields).headers["Cache-Control"] == "no-store"
    uma = visitor(portal, USER)
    assert uma.ask("PUT", path, body, {**fields, "X-CSRF-Token": uma.token("/account")}).status == 403
    assert uma.ask("GET", path, None, fields).status == 403


# Redirects and texts


ELSEWHERE = ["http://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "\t//evil.example", " //evil.example", "/\n/evil.example",
             "javascript:alert(1)", "evil.example", "///evil.example", "/\u2028/evil.example", "/\x00/evil.example", "@evil.example", ".evil.example", "/a\r\nSet-Cookie: b=c"]


@pytest.mark.parametrize("where", ELSEWHERE, ids=repr)
def test_nobody_is_led_elsewhere(portal, where):
    ada = visitor(portal)
    quoted = urllib.parse.quote(where, safe="")
    answers = [ada.sign_in(ADMIN, PASSWORD, next=where), ada.get("/signin?next=" + quoted)]
    answers += [ada.post("/signin/again", {"password": PASSWORD, "next": where}, page="/account"), ada.post("/preferences", {"theme": "dark", "back": where}, page="/account")]
    for answer in answers:
        assert answer.status == 303 and answer.headers["Location"] in ("/welcome", "/"), answer.headers["Location"]
        assert "b" not in ada.cookies
    page = ada.get("/signin/again?next=" + quoted)
    found = re.findall(r'(?:href|action|name="next" value)="([^"]*)"', page.text)
    assert "/welcome" in found and not [address for address in found if "evil" in address]


def test_script_in_texts_is_text(portal):
    evil = '"><script>alert(1)</script>\'{{formToken}}{{{t}}}&lt;'
    raw = "<script>alert"
    ada = visitor(portal, ADMIN)
    token = ada.token("/account")
    assert ada.post("/account/name", {"firstName": evil, "lastName": evil}, token=token).status == 303
    assert ada.post("/studio/settings/name", {"name": evil[:40]}, token=token).status in (303, 422)
    portal.management("PUT", "/apis/evil", {"properties": {"displayName": evil, "path": "evil", "protocols": ["http"], "description": evil}})
    portal.management("PUT", "/products/evil", {"properties": {"displayName": evil, "description": evil, "state": "published", "subscriptionRequired": False}})
    portal.management("PUT", "/products/evil/apis/evil", {})
    portal.management("PUT", "/users/evil", {"properties": {"email": "<i>x</i>\"'@example.com", "firstName": evil, "lastName": evil, "password": OTHER}})
    quoted = urllib.parse.quote(evil)
    for path in ("/account", "/welcome", "/", "/studio", "/studio/settings", "/publisher", "/" + quoted, f"/?q={quoted}", f"/?tag={quoted}", f"/signin/again?next=/{quoted}",
                 f"/account?done={quoted}", f"/x?{quoted}", f"/signin/reset?code={quoted}", f"/setup?code={quoted}"):
        page = ada.get(path)
        assert page.status < 500 and page.headers["Content-Type"] == "text/html; charset=utf-8", path
        assert raw not in page.text and token not in page.text.replace(f'name="csrf" value="{token}"', ""), path
    refused = ada.post("/account/name", {"firstName": evil * 9, "lastName": "x"}, token=token)
    assert refused.status == 422 and raw not in refused.text
    guest = visitor(portal)
    assert raw not in guest.sign_in(evil, evil).text
    assert raw not in guest.get("/" + quoted, User_Agent=evil, Accept_Language=evil, Host=evil.replace(" ", "").split("<")[0][:5]).text
    portal.management("DELETE", "/products/evil?deleteSubscriptions=true", headers={"If-Match": "*"})
    portal.management("DELETE", "/apis/evil", headers={"If-Match": "*"})


def test_answers_hold_no_line_of_a_callers(portal):
    ada = visitor(portal, ADMIN)
    for path in "/a%0d%0aX-Evil:1", "/signin?next=/a%0d%0aX-Evil:1", "/studio%0d%0aX-Evil:%201", "/?done=a%0d%0aX-Evil:1", "/assets/%0d%0aX-Evil:1/app.css":
        for who in ada, visitor_of(portal):
            answer = who.get(path)
            assert answer.status < 500 and "X-Evil" not in answer.headers, path
    odd = ada.ask("GET", "/welcome", headers={"Cookie": "gatehouse-language=es%0d%0aX-Evil:1; gatehouse-theme=\"><script>"}, cookies=False)
    assert "X-Evil" not in odd.headers and "<script>" not in odd.text.split("</head>")[0].replace('<script type="module"', "")


# Links


def made(portal, kind, email):
    answer = call(portal.urls["portal"], "POST", f"/api/people/{kind}", {"email": email}, {"Authorization": f"Bearer {portal.token}"})
    assert answer.status == 201, answer.text
    code = answer.json()["link"].split("code=")[1]
    portal.seen.add(code)
    return code


def test_a_link_opens_once_and_only_what_it_is_for(portal):
    code = made(portal, "sign-in-links", USER)
    eve = visitor(portal)
    for method, headers in ("HEAD", {}), ("OPTIONS", {}), ("GET", {"Sec-Purpose": "prefetch"}), ("GET", {"Sec-Purpose": "prefetch;prerender"}), ("GET", {"Purpose": "prefetch"}), ("POST", {}):
        answer = eve.ask(method, f"/signin/link?code={code}", headers=headers)
        assert answer.status >= 400 and not session(eve), (method, headers)
    for path in "/signin/invite", "/signin/reset", "/setup":
        assert eve.get(f"{path}?code={code}").status in (404, 410)
        assert eve.post(path, {"code": code, "password": "a password of eve", "firstName": "e", "lastName": "e", "name": "eve", "organization": "e", "email": "e@e.example"}).status in (404, 410)
    for wrong in code[:-1], code.upper(), code + "0", "", code + "%00":
        assert eve.get(f"/signin/link?code={wrong}").status == 410, wrong
    assert eve.get(f"/setup?code={portal.setup_code}").status in (404, 410)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        people = [visitor(portal) for _ in range(8)]
        answers = list(pool.map(lambda one: one.get(f"/signin/link?code={code}").status, people))
    assert sorted(answers) == [303] + [410] * 7
    assert [bool(session(one)) for one in people].count(True) == 1
    assert eve.get(f"/signin/link?code={code}").status == 410


def test_a_new_password_by_a_link_is_chosen_once(portal):
    code = made(portal, "password-resets", USER)
    before = visitor(portal, USER)
    people = [visitor(portal) for _ in range(4)]
    tokens = [one.token(f"/signin/reset?code={code}") for one in people]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda pair: pair[1].post("/signin/reset", {"code": code, "password": f"password number {pair[0]}"}, token=tokens[pair[0]]).status, enumerate(people)))
    assert sorted(answers) == [303, 410, 410, 410], answers
    assert not before.is_in
    number = answers.index(303)
    assert portal.management("PATCH", "/users/user", {"properties": {"password": OTHER}}, {"If-Match": "*"}).status == 200
    assert not people[number].is_in
    # An older link does not lead in again behind a new password, nor where somebody ended all other sessions.
    older = [made(portal, kind, USER) for kind in ("sign-in-links", "password-resets", "password-resets")]
    uma = visitor(portal)
    assert uma.post("/signin/reset", {"code": older.pop(), "password": "yet another password"}).status == 303
    older.append(made(portal, "password-resets", USER))
    assert uma.post("/account/password", {"current": "yet another password", "password": OTHER}, page="/account").status == 303
    older.append(made(portal, "sign-in-links", USER))
    assert uma.post("/account/sessions/end-others", {}, page="/account").status == 303
    assert [visitor(portal).get(f"{path}?code={code}").status for code in older for path in ("/signin/link", "/signin/reset")] == [410] * 8
    # What was made before somebody was blocked opens nothing.
    codes = made(portal, "sign-in-links", USER), made(portal, "password-resets", USER)
    portal.management("PATCH", "/users/user", {"properties": {"state": "blocked"}}, {"If-Match": "*"})
    eve = visitor(portal)
    assert eve.get(f"/signin/link?code={codes[0]}").status == 410 and eve.get(f"/signin/reset?code={codes[1]}").status == 410
    portal.management("PATCH", "/users/user", {"properties": {"state": "active"}}, {"If-Match": "*"})
    for kind in "sign-in-links", "password-resets":
        answer = call(portal.urls["portal"], "POST", f"/api/people/{kind}", {"email": BLOCKED}, {"Authorization": f"Bearer {portal.token}"})
        assert answer.status == 400, kind
    for headers in {}, {"Authorization": "Bearer x"}:
        assert call(portal.urls["portal"], "POST", "/api/people/sign-in-links", {"email": ADMIN}, headers).status == 401


# Guesses and floods


def test_unknown_mails_take_as_long_as_wrong_passwords(portal):
    times = {ADMIN: [], BLOCKED: [], "nobody@example.com": []}
    for _ in range(6):
        one = visitor(portal)
        token = one.token()
        for email in times:
            began = time.perf_counter()
            assert one.post("/signin", {"email": email, "password": "wrong password", "next": ""}, token=token).status == 422
            times[email].append(time.perf_counter() - began)
    # The shortest of each: what others do on the machine only adds to them.
    shortest = {email: min(values) for email, values in times.items()}
    assert max(shortest.values()) < min(shortest.values()) * 2, times


def test_a_flood_of_guesses_is_slowed_by_address(portal):
    eve = visitor(portal)
    token = eve.token()
    guess = lambda number: eve.post("/signin", {"email": f"{number % 7}@example.com", "password": "wrong password", "next": ""}, token=token)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(guess, range(200)))
    took = time.monotonic() - began
    slowed = [answer for answer in answers if answer.status == 429]
    assert len(slowed) > 150 and {answer.status for answer in answers} == {422, 429}, took
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in slowed)
    began = time.monotonic()
    assert visitor(portal, ADMIN).is_in and time.monotonic() - began < SECONDS_BESIDE_A_FLOOD


# Forms and paths that are none


def test_forms_that_are_none_are_refused(portal):
    ada = visitor(portal, ADMIN)
    token = ada.token("/account")
    type = {"Content-Type": "application/x-www-form-urlencoded", "Origin": ada.base}
    start = f"csrf={token}&".encode()
    for body, status in (
        (start + b"firstName=" + b"a" * 70_000, 413), (start + b"&".join(b"f%d=1" % number for number in range(101)), 400), (start + b"firstName=%ff&lastName=x", 400),
        (start + b"firstName=%&lastName=x", 400), (start + b"firstName=%zz&lastName=x", 400), (start + b"firstName=a&firstName=b&lastName=x", 400),
        (start + b"firstName=\xff&lastName=x", 400), (start + b"firstName=%00&lastName=x", 422), (start + b"firstName=%20&lastName=x", 422),
        (start, 422), (start + b"=&=&&&=", 400), (start + b"=&&&", 422), (start + b"firstName=" + b"a" * 101 + b"&lastName=x", 422),
    ):
        answer = ada.ask("POST", "/account/name", body, type)
        assert answer.status == status, (body[70:110], answer.status)
        assert answer.headers["Content-Type"].startswith("text/html")
    for password in "a" * 300, "ä" * 200, "short", "", "\x00" * 12:
        assert ada.post("/account/password", {"current": PASSWORD, "password": password}, token=token).status == 422, password
    assert ada.post("/account/name", {"firstName": "a\x1b[31mb\r\nc\x7f", "lastName": "\u202ex"}, token=token).status == 303
    shown = ada.get("/account").text
    assert "a [31mb c" in shown and "\x1b" not in shown
    assert visitor(portal, ADMIN).is_in


PATHS = ["//studio", "/%2e%2e/studio", "/./studio", "/studio/", "/studio/.", "/STUDIO", "/studio;a=b", "/studio%2fsettings", "/%73tudio", "/studio%00", "/studio/../publisher",
         "/assets/../studio", "/assets/%2e%2e/words/en.json", "/studio\\settings", "/%c0%af", "/%ff", "/%", "/studio/settings/members//role", "/assets/x/templates/frame-head.mustache"]


@pytest.mark.parametrize("path", PATHS)
def test_odd_paths_open_nothing(portal, path):
    if not hasattr(portal, "uma"):
        portal.uma = visitor(portal, USER)
    for who in visitor_of(portal), portal.uma:
        for accept in "text/html", "*/*":
            answer = who.get(path, Accept=accept)
            assert answer.status in (303, 400, 401, 403, 404, 405), (path, answer.status)
            if answer.status == 303:
                assert answer.headers["Location"].startswith("/signin?next=/")
    # Calls of APIs never hear a page.
    for api in "/subscriptions/x", "/SUBSCRIPTIONS/x", "/%73ubscriptions/x", "/api/none", "/workspaces/x":
        answer = visitor_of(portal).get(api)
        assert answer.status in (401, 404) and answer.headers["Content-Type"].startswith("application/json"), (api, answer.status)


def test_answers_are_kept_by_nobody_and_run_nothing(portal):
    ada = visitor(portal, ADMIN)
    for path in "/", "/welcome", "/studio", "/account", "/none", "/signin", "/api/installation", "/api/none":
        answer = ada.get(path)
        assert answer.headers["Cache-Control"] == "no-store", path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"] and "unsafe" not in answer.headers["Content-Security-Policy"], path
        assert "Access-Control-Allow-Origin" not in ada.get(path, Origin="http://evil.example").headers, path
