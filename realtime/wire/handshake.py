"""Which HTTP request is a WebSocket handshake (RFC 6455, section 4.2.1)."""

import base64
import binascii

Headers = list[tuple[bytes, bytes]]

VERSION = b"13"
KEY_BYTES = 16


def is_handshake(method: bytes, http_version: str, headers: Headers) -> bool:
    """Whether the request is a complete handshake, without a body. Names of headers are in lower case."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in (b"upgrade", b"sec-websocket-key", b"sec-websocket-version"):
            if name in found:
                return False
            found[name] = value.strip()
        elif name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 ")):
            return False
    return (
        (method, http_version) == (b"GET", "1.1")
        and found.get(b"upgrade", b"").lower() == b"websocket"
        and found.get(b"sec-websocket-version") == VERSION
        and is_key(found.get(b"sec-websocket-key", b""))
    )


def is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == KEY_BYTES
    except binascii.Error:
        return False
