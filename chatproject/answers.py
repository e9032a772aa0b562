"""Answers to requests and handshakes that are given in front of Django."""

import logging
from typing import Any

import msgspec

from api.exceptions import error_body
from foundation import context
from foundation.errors import ChatError

from .cors import cors_headers
from .middleware import valid_request_id
from .static_headers import HEADERS

logger = logging.getLogger("chat.access")
DENIAL = "websocket.http.response"
SECURITY_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


def begin(scope: Any) -> list[tuple[bytes, bytes]]:
    """Give the request an id, and return the headers that every answer has."""
    sent = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    request_id = valid_request_id(sent)
    context.request_id.set(request_id)
    return [(b"x-request-id", request_id.encode()), *SECURITY_HEADERS]


async def send_body(
    scope: Any, send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes, *, more: bool = False
) -> None:
    """Send an answer to a request, or to a handshake instead of its acceptance. With `more` the caller ends it."""
    kind = "http.response" if scope["type"] == "http" else DENIAL
    length = (b"content-length", b"%d" % len(body))
    await send({"type": f"{kind}.start", "status": status, "headers": [*headers, length]})
    shown = b"" if scope.get("method") == "HEAD" else body
    await send({"type": f"{kind}.body", "body": shown, "more_body": more})


async def send_error(
    scope: Any,
    send: Any,
    error: ChatError,
    *,
    status: int | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    more: bool = False,
) -> None:
    """Refuse a request or a handshake with an error in the shape of all errors, and log it."""
    started = [*begin(scope), (b"content-type", b"application/json"), *headers]
    status = status or error.status
    logger.info("request", extra={"method": scope.get("method"), "route": None, "status": status})
    if scope["type"] == "http":
        started += cors_headers(scope)
    elif DENIAL not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    await send_body(scope, send, status, started, msgspec.json.encode(error_body(error)), more=more)
