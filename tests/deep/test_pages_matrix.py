"""Every page in both themes, both widths and both languages, as tests/test_pages.py looks at each once."""
import pytest

from pages import VIEWS
from test_pages import OVER, PAGES, in_language, name_of, walk  # noqa: F401 (a fixture)


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_pages_are_sound_however_one_looks(walk, view):  # noqa: F811
    server, opened, state = walk
    with opened.visitor(server.urls["portal"], view, state=in_language(state, view)) as visitor:
        for path in PAGES:
            visitor.go(path)
            visitor.look(name_of(path))
            visitor.walk(name_of(path))


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_pages_of_guests_are_sound_however_one_looks(walk, view):  # noqa: F811
    server, opened, _ = walk
    with opened.visitor(server.urls["portal"], view) as visitor:
        for path, status in (("/", 200), ("/signin", 200), ("/nothing", 404), *((path, 410) for path in OVER)):
            name = "guest-" + name_of(path)
            visitor.go(path, status)
            visitor.look(name)
            visitor.walk(name)
