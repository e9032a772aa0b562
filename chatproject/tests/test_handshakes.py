"""Requests for the path of the socket that open none, and requests that no path expects. Three seconds."""

import json
import socket
from http.client import HTTPResponse

import pytest

from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # no data

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def refused(server: ChatServer, head: bytes) -> tuple[int, str]:
    """The status and the error code of the answer to these bytes. An answer to HEAD has no code."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as peer:
        peer.sendall(head)
        answer = HTTPResponse(peer, method=head.split()[0].decode("latin-1"))
        answer.begin()
        body = answer.read()
    if not body:
        return answer.status, ""
    error = json.loads(body)["error"]
    check_error(error, error["code"])
    return answer.status, error["code"]


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/chat"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_request_when_it_is_no_handshake_then_is_426(server: ChatServer, method: str, path: str) -> None:
    with server.http() as http:
        answer = http.request(method, path)
    error_of(answer, 426, "invalid")
    assert answer.headers["Upgrade"] == "websocket"
    assert answer.headers["Connection"] == "Upgrade"


@pytest.mark.parametrize(
    ("method", "version", "changed", "status"),
    [
        ("GET", "1.1", {"Sec-WebSocket-Version": "8"}, 426),
        ("GET", "1.1", {"Sec-WebSocket-Version": None}, 426),
        ("POST", "1.1", {}, 426),
        ("GET", "1.1", {"Upgrade": "websocket, h2c"}, 426),
        ("GET", "1.1", {"Sec-WebSocket-Key": None}, 400),
        ("GET", "1.1", {"Sec-WebSocket-Key": "short"}, 400),
        ("GET", "1.1", {"Content-Length": "4"}, 400),
        ("GET", "1.0", {}, 400),
    ],
)
def test_handshake_when_it_is_wrong_then_says_what_is_needed(
    server: ChatServer, method: str, version: str, changed: dict[str, str | None], status: int
) -> None:
    headers = {"Host": "localhost", **HANDSHAKE, **changed}
    lines = [f"{method} /ws/chat/ HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
    body = "abcd" if "Content-Length" in changed else ""
    assert refused(server, ("\r\n".join(lines) + "\r\n\r\n" + body).encode()) == (status, "invalid")


def test_handshake_when_its_version_is_wrong_then_is_told_the_right_one(server: ChatServer) -> None:
    with server.http() as http:
        answer = http.get("/ws/chat/", headers={**HANDSHAKE, "Sec-WebSocket-Version": "8"})
    error_of(answer, 426, "invalid")
    assert answer.headers["Sec-WebSocket-Version"] == "13"


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        (b"GET http://localhost/nowhere HTTP/1.1", 404, "not_found"),
        (b"GET /nowhere HTTP/1.0", 404, "not_found"),
        (b"GET http://localhost HTTP/1.1", 400, "invalid"),
        (b"GET localhost:80 HTTP/1.1", 400, "invalid"),
        (b"GET /nowhere%00 HTTP/1.1", 404, "not_found"),
        (b"GET /nowhere%ff HTTP/1.1", 404, "not_found"),
        (b"GET /nowhere\xff HTTP/1.1", 400, "invalid"),
        (b"GET /static/%00 HTTP/1.1", 404, "not_found"),
        (b"GET /api/users?q=%00%ff HTTP/1.1", 401, "unauthenticated"),
        (b"GET /api/users?q=\xff HTTP/1.1", 400, "invalid"),
        (b"GET /nowhere?" + b"x" * 10_000 + b" HTTP/1.1", 414, "too_large"),
        (b"HEAD /api/users/me HTTP/1.1", 401, ""),
        (b"OPTIONS /api/users/me HTTP/1.1", 401, "unauthenticated"),
        (b"TRACE /api/users/me HTTP/1.1", 401, "unauthenticated"),
        (b"OPTIONS * HTTP/1.1", 404, "not_found"),
        (b"NOTHING /api/users/me HTTP/1.1", 400, "invalid"),
        (b"no HTTP", 400, "invalid"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "invalid"),
        (b"POST /nowhere HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6", 400, "invalid"),
        (b"POST /nowhere HTTP/1.1\r\nContent-Length: -5", 400, "invalid"),
        (b"POST /nowhere HTTP/1.1\r\nContent-Length: x", 400, "invalid"),
        (b"POST /nowhere HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", 400, "invalid"),
        (b"POST /nowhere HTTP/1.1\r\nTransfer-Encoding: xchunked", 400, "invalid"),
        (b"GET /nowhere HTTP/1.1\r\nx : y", 400, "invalid"),
        (b"GET /nowhere HTTP/1.1\r\nx: a\x00b", 400, "invalid"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_request_when_it_is_odd_then_is_refused_in_the_usual_shape(
    server: ChatServer, line: bytes, status: int, code: str
) -> None:
    assert refused(server, line + b"\r\nHost: localhost\r\n\r\n") == (status, code)
