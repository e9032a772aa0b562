"""How bytes leave for one peer: never blocking, always bounded.

`AsgiTransport` needs nothing but ASGI's `send`, so it works on every server. Must not know events.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from foundation import loop
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Transport(Protocol):
    """What a Connection needs of the way out to its peer."""

    def write(self, frames: Sequence[Frame]) -> None:
        """Queue text frames, to leave together; returns at once."""

    def buffered_bytes(self) -> int:
        """Bytes that the peer has not taken yet, as far as this process can tell."""

    async def drained(self) -> None:
        """Wait until nothing is buffered here, or the transport has closed."""

    async def close(self, code: CloseCode, reason: str) -> None:
        """Send what is queued, then a close frame, within `CLOSE_TIMEOUT_SECONDS`."""

    async def drop(self, code: CloseCode, reason: str) -> None:
        """Close without sending what is queued: the peer does not read."""


CLOSE_TIMEOUT_SECONDS = 2.0


class AsgiTransport:
    """An outbox that one task empties through ASGI `send`.

    uvicorn's `send` waits while the peer does not read, so the queue here is what grows, and
    `buffered_bytes` is what the Connection's bound is checked against.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._wakeup = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task = asyncio.create_task(self._drain(), name="outbox")

    def write(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            self._outbox.append(frame.payload)
            self._outbox_bytes += len(frame.payload)
        self._idle.clear()
        self._wakeup.set()

    def buffered_bytes(self) -> int:
        return self._outbox_bytes

    async def drained(self) -> None:
        await self._idle.wait()

    async def close(self, code: CloseCode, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            pass  # the peer does not read; the close frame below is all it may still get
        await self.drop(code, reason)

    async def drop(self, code: CloseCode, reason: str) -> None:
        await loop.cancel(self._task)
        self._outbox.clear()
        self._outbox_bytes = 0
        self._idle.set()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self._send({"type": "websocket.close", "code": int(code), "reason": reason})
        except (TimeoutError, OSError, RuntimeError):
            pass  # gone, closed already, or stuck: the server's keepalive ends a stuck one

    async def _drain(self) -> None:
        try:
            while True:
                await self._wakeup.wait()
                self._wakeup.clear()
                while self._outbox:
                    payload = self._outbox[0]
                    await self._send({"type": "websocket.send", "text": payload.decode()})
                    self._outbox.popleft()
                    self._outbox_bytes -= len(payload)
                self._idle.set()
        except (OSError, RuntimeError):
            pass  # the peer has gone; the receive loop hears of it and ends the connection
        finally:
            self._idle.set()
