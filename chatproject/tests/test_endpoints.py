"""The address of operators: what is there, and what the public port loses to it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.kit.errors import error_of
from tests.kit.processes import free_port
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # no data


@pytest.fixture(scope="module")
def divided() -> Iterator[tuple[ChatServer, str]]:
    """A server with an address for operators, and the URL of that address."""
    port = free_port()
    server = ChatServer(
        OPERATIONS_ADDRESS=f"127.0.0.1:{port}",
        ALLOWED_HOSTS=".chat.example,127.0.0.1",
        SECURE_SSL_REDIRECT="on",
        RATE_LIMITS="on",
    )
    try:
        yield server.start(), f"http://127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.mark.parametrize(
    "path", ["/readyz", "/metrics", "/docs", "/docs/events", "/docs/errors", "/docs/asyncapi.json", "/api/schema"]
)  # fmt: skip
def test_path_of_operators_when_divided_then_is_at_their_address_only(
    divided: tuple[ChatServer, str], path: str
) -> None:
    server, inside = divided
    assert httpx.get(inside + path, headers={"Host": "10.0.0.5"}).status_code == 200
    error_of(httpx.get(server.base_url + path), 404, "not_found")


def test_health_when_divided_then_is_at_both(divided: tuple[ChatServer, str]) -> None:
    server, inside = divided
    assert [httpx.get(f"{base}/healthz").status_code for base in (server.base_url, inside)] == [200, 200]


@pytest.mark.parametrize(
    "path", ["/api/users/me", "/admin/login/", "/console/", "/", "/ws/chat/", "/socket.io/"]
)
def test_path_of_users_when_divided_then_is_not_at_the_operators_address(
    divided: tuple[ChatServer, str], path: str
) -> None:
    server, inside = divided
    error_of(httpx.get(inside + path), 404, "not_found")
    assert httpx.get(server.base_url + path).status_code != 404


def test_page_of_documents_when_divided_then_its_files_are_there(divided: tuple[ChatServer, str]) -> None:
    _, inside = divided
    assert httpx.get(f"{inside}/static/chatproject/events.css").status_code == 200
