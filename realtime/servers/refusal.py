"""The answer to a request that does not reach the application, in the shape of every error."""

import logging
from http import HTTPStatus

import msgspec

from foundation.errors import ChatError
from foundation.ids import uuid7

logger = logging.getLogger("chat.access")


def refusal(error: ChatError, status: int) -> bytes:
    """The whole HTTP answer, after which the connection closes. Logs it as `request_log` logs others."""
    request_id = str(uuid7())
    logger.info("request", extra={"requestId": request_id, "route": None, "status": status})
    body = msgspec.json.encode({"error": error.as_data(request_id=request_id)})
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"x-request-id: {request_id}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
