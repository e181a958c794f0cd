import tempfile

import pytest

from gatehouse import Server


@pytest.fixture(scope="session")
def live():
    """One server with the guide's example, shared by tests that leave it as it was."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as folder:
        server = Server(folder).start()
        server.guide = server.demo()
        yield server
        assert server.stop() == 0, (server.folder / "log").read_text()


@pytest.fixture
def fresh():
    """A server of a test's own."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as folder:
        server = Server(folder).start()
        yield server
        if server.process is not None:
            server.stop()
