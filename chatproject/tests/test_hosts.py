"""Which hosts are answered, on every path and for sockets, and what is refused over plain HTTP. Ten seconds."""

import socket
from collections.abc import Callable

import httpx
import pytest

from tests.kit.errors import error_of
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # no data

POLL = "/socket.io/?EIO=4&transport=polling"
OPERATORS = ("/healthz", "/readyz", "/metrics")


def handshake(server: ChatServer, path: str, **headers: str) -> int:
    """The status of the answer to a handshake."""
    headers = {
        "Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **headers,
    }  # fmt: skip
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as peer:
        peer.sendall("\r\n".join(lines).encode())
        return int(peer.recv(65536).split()[1])


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "a b", "["]
)
@pytest.mark.parametrize("path", ["/api/users/me", "/admin/login/", "/docs", "/nowhere", POLL])
def test_request_when_the_host_is_foreign_then_is_400(server: ChatServer, path: str, host: str) -> None:
    with server.http(Host=host) as http:
        error = error_of(http.get(path), 400, "invalid")
    assert "ALLOWED_HOSTS" in error["message"]


@pytest.mark.parametrize("path", ["/ws/chat/", "/socket.io/?EIO=4&transport=websocket"])
def test_handshake_when_the_host_is_foreign_then_is_400(server: ChatServer, path: str) -> None:
    assert handshake(server, path, Host="evil.example") == 400
    assert handshake(server, path, Host="localhost") == 101


def test_host_when_foreign_then_is_logged_once_without_a_traceback(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server()
    for host in ("one.example", "one.example", "two.example"):
        with server.http(Host=host) as http:
            assert http.get("/docs").status_code == 400
    server.wait_until(lambda: any("two.example" in one["message"] for one in server.log_records()), "the log")
    records = [record for record in server.log_records() if "ALLOWED_HOSTS" in record["message"]]
    assert len(records) == 2
    assert [record for record in server.log_records() if record.get("exc_info")] == []


@pytest.mark.parametrize("path", OPERATORS)
@pytest.mark.parametrize("host", ["10.1.2.3:8000", "chat-7d9c.pod.local", ""])
def test_probe_when_it_uses_an_address_then_is_answered(server: ChatServer, path: str, host: str) -> None:
    with server.http(Host=host) as http:
        assert http.get(path).status_code == 200
        assert http.head(path).content == b""
        assert error_of(http.post(path), 405, "invalid")


def test_plain_http_when_only_https_is_allowed_then_no_socket_opens(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(SECURE_SSL_REDIRECT="on", TRUSTED_PROXIES="1")
    paths = ("/ws/chat/", "/socket.io/?EIO=4&transport=websocket")
    assert [handshake(server, path) for path in paths] == [403, 403]
    behind = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
    assert [handshake(server, path, **behind) for path in paths] == [101, 101]
    with server.http() as http:
        assert "https" in error_of(http.get(POLL), 403, "forbidden")["message"]
        assert http.get("/docs").status_code == 301
        assert [http.get(path).status_code for path in OPERATORS] == [200, 200, 200]
    assert httpx.get(f"{server.base_url}{POLL}", headers=behind).status_code == 200
