"""The limits of a request's body, on every path and each server, and what keeps an idle connection. 20 seconds."""

import json
import re
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
from django.conf import settings

from tests.kit.errors import error_of
from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # refused before the database is used

LIMIT = settings.MAX_BODY_BYTES
PAGE = "https://chat.example"
PATHS = [
    "/api/auth/login", "/api/nowhere", "/admin/login/", "/docs", "/static/nothing", "/healthz", "/nowhere",
    "/ws/chat/", "/socket.io/?EIO=4&transport=polling",
]  # fmt: skip


@pytest.fixture(scope="module")
def slow() -> Iterator[ChatServer]:
    """A server that does not wait for slow clients."""
    server = ChatServer(BODY_SECONDS="0.2", KEEP_ALIVE_SECONDS="1", ALLOWED_ORIGINS=PAGE)
    try:
        yield server.start()
    finally:
        server.stop()


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024
    yield b" " * (size % 1024 + 1)


def exchange(server: ChatServer, data: bytes) -> bytes:
    """What the server answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as peer:
        peer.sendall(data)
        answer = b""
        while part := peer.recv(65536):
            answer += part
        return answer


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", PATHS)
def test_body_when_its_length_is_too_large_then_is_413(server: ChatServer, path: str, method: str) -> None:
    with server.http() as http:
        error_of(http.request(method, path, content=b" " * (LIMIT + 1)), 413, "too_large")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", PATHS[:-1])
def test_body_when_its_chunks_are_too_large_then_is_413(server: ChatServer, path: str, method: str) -> None:
    with server.http() as http:
        error_of(http.request(method, path, content=chunks(LIMIT)), 413, "too_large")


def test_body_when_its_chunks_are_too_large_for_a_poll_then_is_413(server: ChatServer) -> None:
    with server.http() as http:
        for method in ("POST", "GET"):
            # Without a session a poll is answered before its body is read.
            sid = json.loads(http.get(PATHS[-1]).text[1:])["sid"]
            error_of(http.request(method, f"{PATHS[-1]}&sid={sid}", content=chunks(LIMIT)), 413, "too_large")


@pytest.mark.parametrize("content", [b" " * LIMIT, chunks(LIMIT - 1)], ids=["length", "chunks"])
def test_body_when_as_large_as_allowed_then_reaches_its_path(server: ChatServer, content: bytes) -> None:
    with server.http() as http:
        error_of(http.post("/nowhere", content=content), 404, "not_found")


def test_body_when_a_client_asks_before_it_sends_then_is_413(server: ChatServer) -> None:
    head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    assert exchange(server, head % (LIMIT + 1)).startswith(b"HTTP/1.1 413 ")


def test_answer_when_a_body_is_too_large_then_other_pages_may_read_it(slow: ChatServer) -> None:
    for origin, allowed in ((PAGE, PAGE), ("https://evil.example", None)):
        with slow.http(Origin=origin) as http:
            answer = http.post("/api/auth/login", content=b" " * (LIMIT + 1))
        error_of(answer, 413, "too_large")
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed


@pytest.mark.parametrize("path", ["/api/auth/login", "/nowhere", "/socket.io/?EIO=4&transport=polling"])
def test_body_when_it_stalls_then_is_408(slow: ChatServer, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    answer = exchange(slow, head.encode() + b"x")
    # A poll with a bad query is answered before its body is read.
    assert answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ")), answer


@pytest.mark.parametrize("command", ["uvicorn", "daphne"])
def test_body_when_on_another_server_then_is_413(
    start_server: Callable[..., ChatServer], command: str
) -> None:
    server = start_server(command=command)
    with server.http() as http:
        for content in (b" " * (LIMIT + 1), chunks(LIMIT)):
            error_of(http.post("/api/auth/login", content=content), 413, "too_large")


def test_connection_when_idle_then_ends_after_the_keep_alive_seconds(slow: ChatServer) -> None:
    answer = exchange(slow, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" not in answer.lower()


def test_limits_when_compared_with_those_of_nginx_then_fit() -> None:
    config = (ROOT / "deploy" / "nginx.conf").read_text()
    kept = re.findall(r"keepalive_timeout (\d+)s;", config)
    assert len(kept) == len(re.findall(r"^upstream ", config, re.M))
    assert all(int(seconds) < settings.KEEP_ALIVE_SECONDS for seconds in kept)
    assert re.findall(r"client_max_body_size (\d+)m;", config) == [str(LIMIT // 1024**2)]
    for file in ("Dockerfile", "docker-compose.yml"):
        assert "uvicorn" not in (ROOT / file).read_text(), "only `manage.py serve` sets the limits"


def test_login_when_the_email_is_huge_then_is_413(server: ChatServer) -> None:
    with server.http() as http:
        answer: httpx.Response = http.post(
            "/api/auth/login", json={"email": "x" * 3_000_000, "password": "x"}
        )
    error_of(answer, 413, "too_large")
