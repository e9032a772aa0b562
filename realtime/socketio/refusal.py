"""The answer to a Socket.IO client from whose address too many sockets are opened. It connects again by itself."""

from typing import Any

import msgspec

from foundation.errors import RateLimited
from foundation.ids import uuid7
from realtime.session.connect_limits import retry_after_headers
from realtime.session.endpoint import refuse


async def refuse_handshake(error: RateLimited, scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await refuse(error, send)
        return
    request_id = str(uuid7())
    body = msgspec.json.encode({"error": error.as_data(request_id=request_id)})
    headers = [
        (b"content-type", b"application/json"),
        (b"x-request-id", request_id.encode()),
        *retry_after_headers(error),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
