"""Fixtures for tests of the clients: a server that the example page may use, and agents of each client."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.kit.hostile_proxy import HostileProxy
from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

from .agents import JavaScriptAgent, PythonAgent
from .page_agent import PageAgent


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def page_origin() -> Iterator[str]:
    """The origin of docs/, served as `python -m http.server` does."""
    pages = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(ROOT / "docs")))
    thread = threading.Thread(target=pages.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{pages.server_port}"
    pages.shutdown()
    thread.join()
    pages.server_close()


@pytest.fixture(scope="session")
def server(page_origin: str) -> Iterator[ChatServer]:
    """The server that these tests share. The example page may use it."""
    chat_server = ChatServer(ACCESS_TOKEN_SECONDS="7200", ALLOWED_ORIGINS=page_origin)
    try:
        yield chat_server.start()
    finally:
        chat_server.stop()


@pytest.fixture
def proxy(server: ChatServer) -> Iterator[HostileProxy]:
    with HostileProxy(server.port) as proxy:
        yield proxy


@pytest.fixture(params=["python", "javascript", pytest.param("page", marks=pytest.mark.once)])
async def make_agent(request: pytest.FixtureRequest, page_origin: str) -> AsyncIterator[Callable[[], Any]]:
    """Makes agents of one client. All are stopped at the end."""
    if request.param == "javascript" and shutil.which("node") is None:
        pytest.skip("node is not installed")
    open_window = request.getfixturevalue("open_window") if request.param == "page" else None
    made: list[Any] = []

    def make() -> Any:
        if open_window is not None:
            window = open_window(page_origin + "/protocol.md")
            made.append(PageAgent(window, f"{page_origin}/example_chat.html"))
        else:
            made.append(JavaScriptAgent() if request.param == "javascript" else PythonAgent())
        return made[-1]

    yield make
    await asyncio.gather(*(agent.stop() for agent in made), return_exceptions=True)
