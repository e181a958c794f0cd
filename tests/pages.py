"""A browser for tests of pages: headless Chromium, in which every page is held to what all pages promise.

A visitor fails on an error in the console, on what the content security policy refuses, and on a request to any other host.
"""
import contextlib
import dataclasses
import itertools
import os
import pathlib
import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

# The wrapper /usr/bin/chromium prints errors of its own.
CHROMIUM = os.environ.get("GATEHOUSE_CHROMIUM", "/usr/lib/chromium/chromium")
# A folder for pictures of all pages that are looked at; without it none is made.
SCREENSHOTS = os.environ.get("GATEHOUSE_SCREENSHOTS")
AXE_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# More stops than any page has: a walk that takes longer goes in circles.
STOPS_MAX = 200
LOCALES = {"en": "en-US", "es": "es-ES"}


@dataclasses.dataclass(frozen=True)
class View:
    """How somebody looks at a page."""
    theme: str = "light"
    width: int = 1440
    language: str = "en"

    def __str__(self):
        return f"{self.theme}-{self.width}-{self.language}"


VIEWS = [View(*words) for words in itertools.product(("light", "dark"), (1440, 360), ("en", "es"))]


class Visitor:
    """Somebody with a browser: a page, and what went wrong on it."""

    def __init__(self, context, base, view):
        self.page, self.base, self.view = context.new_page(), base, view
        self.context, self.problems, self.bytes = context, [], 0
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(f"script failed: {error}"))
        self.page.on("request", self._note_request)
        self.page.on("requestfinished", self._note_answer)
        self.page.on("requestfailed", lambda request: self.problems.append(f"not loaded: {request.url} {request.failure}"))

    def _note_message(self, message):
        # A page that is refused is a page too; that its status is told to the console is no error of ours.
        is_status = re.match(r"Failed to load resource: the server responded with a status of 4\d\d", message.text)
        if message.type in ("error", "warning") and not is_status:
            self.problems.append(f"console: {message.text}")

    def _note_request(self, request):
        if not request.url.startswith((self.base + "/", "data:")):
            self.problems.append(f"another host was asked: {request.url}")

    def _note_answer(self, request):
        sizes = request.sizes()
        self.bytes += sizes["responseBodySize"] + sizes["responseHeadersSize"]
        if not request.is_navigation_request() and request.response().status >= 400:
            self.problems.append(f"{request.response().status}: {request.url}")

    def go(self, path, status=200):
        """Opens a page, and says how many bytes it took in all."""
        self.bytes = 0
        answer = self.page.goto(self.base + path if path.startswith("/") else path, wait_until="networkidle")
        assert answer.status == status, f"{path}: {answer.status}"
        if answer.headers.get("content-type", "").startswith("text/html"):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
        self.check()
        return self.bytes

    def check(self):
        assert not self.problems, f"{self.page.url} ({self.view}): " + "\n".join(self.problems)

    def submit(self, button):
        """Presses a button that leads on by its form."""
        with self.page.expect_navigation(wait_until="networkidle"):
            self.page.get_by_role("button", name=button, exact=True).click()
        self.check()

    def look(self, name):
        """Has axe judge the page as it is, and sees that nothing sticks out of the window."""
        if SCREENSHOTS:
            pathlib.Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{SCREENSHOTS}/{name}-{self.view}.png", full_page=True)
        assert self.page.locator("html").get_attribute("lang") == self.view.language
        found = Axe().run(self.page, options=AXE_RULES).response["violations"]
        serious = [f"{item['id']}: {item['help']}: {item['nodes'][0]['html'][:200]}" for item in found
                   if item["impact"] in ("serious", "critical")]
        assert not serious, f"{name} ({self.view}): " + "\n".join(serious)
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= self.view.width, f"{name} ({self.view}) is {width} px wide"
        self.check()

    def walk(self, name):
        """Goes through the page by Tab: each stop shows that it has the focus, none holds it, and nothing is left out."""
        wanted = self.page.evaluate(TABBABLE)
        # To the beginning of the document, wherever a field has taken the focus.
        self.page.evaluate("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
        seen, before = [], None
        for _ in range(STOPS_MAX):
            self.page.keyboard.press("Tab")
            stop = self.page.evaluate(FOCUSED)
            if stop is None or stop["place"] in seen:
                break
            assert stop["isVisible"], f"{name} ({self.view}): {stop['html']} has the focus and is not seen"
            assert stop["hasRing"], f"{name} ({self.view}): {stop['html']} does not show the focus"
            seen.append(stop["place"])
            before = stop
        else:
            raise AssertionError(f"{name} ({self.view}): the walk does not end; {before['html']}")
        left = [place for place in wanted if place not in seen]
        html = self.page.evaluate("place => [...document.querySelectorAll('*')][place].outerHTML.slice(0, 200)", left[0]) if left else ""
        assert not left, f"{name} ({self.view}): Tab does not come to {html}"
        self.check()


# Elements by their places in the document. Of radio buttons of one name Tab comes to one; hidden menus are not walked.
TABBABLE = """() => {
    const all = [...document.querySelectorAll('*')];
    const names = new Set();
    return all.filter(node => {
        if (!node.matches('a[href], button, input, select, textarea, summary, [tabindex]') || node.matches(':disabled, [type=hidden], [tabindex="-1"]')) return false;
        if (!node.checkVisibility({visibilityProperty: true}) || node.closest('[inert]')) return false;
        if (node.matches('[type=radio]')) {
            const chosen = document.querySelector(`input[name="${node.name}"]:checked`);
            if (chosen ? chosen !== node : names.has(node.name)) return false;
            names.add(node.name);
        }
        return true;
    }).map(node => all.indexOf(node));
}"""
FOCUSED = """() => {
    const node = document.activeElement;
    if (!node || node === document.body || node === document.documentElement) return null;
    const box = node.getBoundingClientRect();
    const styles = [node, node.parentElement].map(part => getComputedStyle(part));
    return {
        place: [...document.querySelectorAll('*')].indexOf(node),
        html: node.outerHTML.slice(0, 200),
        isVisible: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
        hasRing: styles.some(style => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none'),
    };
}"""


class Browser:
    def __init__(self, chromium):
        self.chromium = chromium

    @contextlib.contextmanager
    def visitor(self, base, view=View(), script=True, state=None):
        """Somebody new, or with the cookies that another visitor had (`context.storage_state()`)."""
        context = self.chromium.new_context(
            viewport={"width": view.width, "height": 800 if view.width > 720 else 740}, color_scheme=view.theme,
            locale=LOCALES[view.language], reduced_motion="reduce", java_script_enabled=script, storage_state=state)
        try:
            visitor = Visitor(context, base, view)
            yield visitor
            visitor.check()
        finally:
            context.close()


@contextlib.contextmanager
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
