"""BoundedBodies: ASGI middleware that refuses a body that is too large, on every path, before it is stored."""

import asyncio
from typing import Any

from foundation.errors import TooLarge

from .answers import send_error

# For a client that sends its whole body before it reads: a connection closed at once would lose the answer.
LINGER_SECONDS = 2.0


class BoundedBodies:
    """A `Content-Length` over the limit is refused before the body is read, so nobody is asked to `100-continue`.
    Only a body without one is counted: servers hold a client to its length.

    The application sees a client that has disconnected, and the client gets its answer from here.
    """

    def __init__(self, app: Any, *, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_counted = False
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self.max_bytes:
                await self._refuse(scope, receive, send)
                return
            is_counted = is_counted or name == b"transfer-encoding"
        if not is_counted:
            await self.app(scope, receive, send)
            return
        body = _CountedBody(receive, send, self.max_bytes)
        await self.app(scope, body.receive, body.send)
        if body.is_refused:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Any, receive: Any, send: Any) -> None:
        error = TooLarge(f"A body has at most {self.max_bytes} bytes.")
        await send_error(scope, send, error, headers=((b"connection", b"close"),), more=True)
        await _discard_body(receive)
        await send({"type": "http.response.body"})


class _CountedBody:
    """`receive` and `send` of one request. `is_refused` says that its body was too large, and has no answer."""

    def __init__(self, receive: Any, send: Any, max_bytes: int) -> None:
        self._receive, self._send = receive, send
        self._bytes_left = max_bytes
        self._is_answered = False
        self.is_refused = False

    async def receive(self) -> Any:
        message = {"type": "http.disconnect"} if self.is_refused else await self._receive()
        self._bytes_left -= len(message.get("body", b""))
        if self._bytes_left >= 0:
            return message
        self.is_refused = not self._is_answered
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if not self.is_refused:
            self._is_answered = True
            await self._send(message)


async def _discard_body(receive: Any) -> None:
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        pass
