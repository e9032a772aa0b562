"""Which requests are WebSocket handshakes."""

import pytest

from realtime.wire.handshake import Headers, is_handshake, is_key

pytestmark = pytest.mark.once  # headers in memory

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HEADERS: Headers = [
    (b"host", b"localhost"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", KEY),
]


def changed(name: bytes, *values: bytes) -> Headers:
    """HEADERS with these values of the header `name` in place of its own."""
    return [header for header in HEADERS if header[0] != name] + [(name, value) for value in values]


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS,
        changed(b"upgrade", b" WebSocket "),
        changed(b"content-length", b"0"),
        changed(b"content-length", b""),
    ],
)
def test_request_when_complete_then_is_a_handshake(headers: Headers) -> None:
    assert is_handshake(b"GET", "1.1", headers)


@pytest.mark.parametrize(
    ("method", "version"), [(b"POST", "1.1"), (b"get", "1.1"), (b"GET", "1.0"), (b"GET", "2")]
)
def test_request_when_its_line_is_another_then_is_no_handshake(method: bytes, version: str) -> None:
    assert not is_handshake(method, version, HEADERS)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *((name, ()) for name in (b"upgrade", b"sec-websocket-version", b"sec-websocket-key")),
        *((name, (value, value)) for name, value in HEADERS[1:]),
        (b"upgrade", (b"websocket, h2c",)),
        (b"sec-websocket-version", (b"8",)),
        (b"sec-websocket-key", (b"short",)),
        (b"content-length", (b"4",)),
        (b"content-length", (b"0", b"10")),
        (b"transfer-encoding", (b"chunked",)),
    ],
)
def test_request_when_a_header_is_wrong_then_is_no_handshake(name: bytes, values: tuple[bytes, ...]) -> None:
    assert not is_handshake(b"GET", "1.1", changed(name, *values))


@pytest.mark.parametrize(
    "key", [b"", b"AAAA", KEY[:-1], KEY + b"AAAA", b"dGhlIHNhbXBsZSBub25jZ!==", b"\xff" * 24]
)
def test_key_when_not_16_bytes_in_base64_then_is_none(key: bytes) -> None:
    assert is_key(KEY)
    assert not is_key(key)
