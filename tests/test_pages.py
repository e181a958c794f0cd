"""The pages as a person meets them: from an empty folder to every page, in a browser that fails on whatever pages must not do.

tests/deep/test_pages_matrix.py looks at every page in all themes, widths and languages; here each has one of them, in turn.
"""
import http.client
import re
import statistics
import tempfile
import time
import urllib.parse

import pytest

from gatehouse import DEEP, Server
from pages import VIEWS, View, browser

PASSWORD = "a long way to the library"
EMAIL = "ines.robles@example.com"
# For whom everybody is: the administrator, who may open all of them.
PAGES = ["/welcome", "/studio", "/studio/settings", "/publisher", "/", "/account", "/parts", "/signin/again?next=/studio/settings"]
# What links show that were used, or are too old.
OVER = ["/setup", "/signin/link", "/signin/invite", "/signin/reset"]
BYTES_MAX = 150_000
MEDIAN_SECONDS_MAX = 0.020 if DEEP else 0.060


def link(server, path):
    """The address that the server printed for whoever opens it first."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = re.search(rf"http://\S+{re.escape(path)}\?code=\S+", (server.folder / "log").read_text())
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no address was printed: " + (server.folder / "log").read_text())


@pytest.fixture(scope="module")
def walk():
    """A server whose service was made by the first page, a browser, and the cookies of its administrator."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as folder, browser() as opened:
        server = Server(folder).start()
        try:
            with opened.visitor(server.urls["portal"]) as visitor:
                visitor.go(link(server, "/setup"))
                visitor.look("setup")
                visitor.walk("setup")
                for name, value in (("name", "demoazureml"), ("organization", "Demo"), ("email", EMAIL), ("password", PASSWORD)):
                    visitor.page.fill(f"#{name}", value)
                visitor.submit("Create")
                assert urllib.parse.urlsplit(visitor.page.url).path == "/welcome"
                state = visitor.context.storage_state()
            yield server, opened, state
        finally:
            server.stop()


@pytest.mark.parametrize("place", range(len(PAGES)))
def test_pages_are_sound(walk, place):
    server, opened, state = walk
    path = PAGES[place]
    view = VIEWS[place % len(VIEWS)]
    name = name_of(path)
    with opened.visitor(server.urls["portal"], view, state=in_language(state, view)) as visitor:
        assert visitor.go(path) < BYTES_MAX
        visitor.look(name)
        visitor.walk(name)


def name_of(path):
    """What pictures of a page are called."""
    return path.split("?")[0].strip("/").replace("/", "-") or "developer"


def in_language(state, view):
    """The cookies with a language that was chosen, as the menu's form sets it."""
    cookie = {"name": "gatehouse-language", "value": view.language, "domain": "127.0.0.1", "path": "/", "expires": -1,
              "httpOnly": False, "secure": False, "sameSite": "Lax"}
    return {**state, "cookies": state["cookies"] + [cookie]}


def test_the_sample_is_made_from_the_landing(walk):
    server, opened, state = walk
    with opened.visitor(server.urls["portal"], View(width=360), state=state) as visitor:
        visitor.go("/welcome")
        visitor.submit("Make SimpleFeatureHashingExperiment")
        assert urllib.parse.urlsplit(visitor.page.url).path == "/studio"
        visitor.look("studio-with-sample")
        visitor.walk("studio-with-sample")
        assert visitor.page.get_by_role("rowheader", name="SimpleFeatureHashingExperiment").count() >= 1
        visitor.go("/welcome")
        visitor.look("welcome-with-sample")
        assert visitor.page.get_by_role("button", name=re.compile("^Make ")).count() == 0


def test_guests_see_what_is_published_and_sign_in_to_come_back(walk):
    server, opened, _ = walk
    with opened.visitor(server.urls["portal"], View("dark", 360)) as visitor:
        visitor.go("/")
        visitor.look("developer-guest")
        visitor.go("/studio/settings")
        assert visitor.page.url.endswith("/signin?next=/studio/settings")
        visitor.look("signin")
        visitor.walk("signin")
        visitor.page.fill("#email", EMAIL)
        visitor.page.fill("#password", "not this one at all")
        visitor.submit("Sign in")
        assert visitor.page.locator("#email").input_value() == EMAIL
        assert visitor.page.locator("#password").input_value() == ""
        visitor.look("signin-refused")
        visitor.page.fill("#password", PASSWORD)
        visitor.submit("Sign in")
        assert urllib.parse.urlsplit(visitor.page.url).path == "/studio/settings"


def test_a_language_and_a_theme_are_chosen_and_kept(walk):
    server, opened, _ = walk
    with opened.visitor(server.urls["portal"]) as visitor:
        visitor.go("/signin")
        visitor.page.get_by_role("button", name=re.compile("^Language")).click()
        visitor.submit("Español")
        assert visitor.page.locator("html").get_attribute("lang") == "es"
        visitor.go("/")
        assert visitor.page.locator("html").get_attribute("lang") == "es"


def test_what_is_not_there_is_told_on_a_page(walk):
    server, opened, state = walk
    with opened.visitor(server.urls["portal"], View(width=360), state=state) as visitor:
        visitor.go("/nothing/<b>here", 404)
        visitor.look("404")
        assert visitor.page.locator("b").count() == 0
        visitor.go("/assets/0123456789abcdef/app.css", 404)


@pytest.mark.parametrize("path", OVER)
def test_links_that_were_used_or_are_too_old_say_so(walk, path):
    server, opened, _ = walk
    view = VIEWS[OVER.index(path)]
    with opened.visitor(server.urls["portal"], view) as visitor:
        visitor.go(f"{path}?code={'0' * 64}", 410)
        visitor.look(name_of(path) + "-over")
        visitor.walk(name_of(path) + "-over")


def test_reading_needs_no_script(walk):
    server, opened, state = walk
    with opened.visitor(server.urls["portal"], script=False, state=state) as visitor:
        for path in PAGES:
            visitor.go(path)
            assert visitor.page.locator("h1").first.inner_text()


def test_a_token_that_is_made_anew_lets_nobody_in_by_the_old_one(walk):
    server, opened, state = walk
    secrets = server.data / "secrets"
    old = (secrets / "workspace-token").read_text().strip()
    with opened.visitor(server.urls["portal"], state=state) as visitor:
        visitor.go("/studio/settings")
        assert old not in visitor.page.content()
        workspace = re.search(r"[0-9a-f]{32}", visitor.page.inner_text("main"))[0]
        path = f"/api/workspaces/{workspace}/experiments"
        assert ask(server, path, {"Authorization": f"Bearer {old}"})[0] == 200
        visitor.page.get_by_role("button", name="Show primary token").click()
        visitor.page.get_by_text(old).wait_for()
        visitor.page.get_by_role("button", name="Regenerate primary token").click()
        visitor.look("regenerate")
        visitor.page.get_by_role("dialog").get_by_role("button", name="Regenerate", exact=True).click()
        visitor.page.wait_for_load_state("networkidle")
        assert visitor.page.get_by_text("The token is regenerated").count() == 1
    new = (secrets / "workspace-token").read_text().strip()
    assert new != old
    assert ask(server, path, {"Authorization": f"Bearer {old}"})[0] == 401
    assert ask(server, path, {"Authorization": f"Bearer {new}"})[0] == 200
    assert "[" in server.command("experiment", "list", "--json").stdout


def test_pages_are_made_fast(walk):
    server, _, state = walk
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in state["cookies"])
    headers = {"Cookie": cookies, "Accept": "text/html"}
    for path in PAGES:
        assert statistics.median(ask(server, path, headers, times=50)[1]) < MEDIAN_SECONDS_MAX, path


def ask(server, path, headers, times=1):
    """Asks several times on one connection; gives the last status and how long each took."""
    parts = urllib.parse.urlsplit(server.urls["portal"])
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - began)
    connection.close()
    return answer.status, seconds
