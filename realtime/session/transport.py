"""Transport: the way out to one peer, which never blocks its writer. AsgiTransport works on every ASGI server."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from foundation import loop
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Transport(Protocol):
    """The methods that a Connection calls."""

    def write(self, frames: Sequence[Frame]) -> None:
        """Queue text frames to be sent together; returns at once."""

    def buffered_bytes(self) -> int:
        """Bytes that are queued in this process, which the peer has not taken."""

    async def drained(self) -> None:
        """Wait until nothing is queued, or the transport has closed."""

    def closed_with(self) -> CloseCode | None:
        """The code with which the server below closed the connection by itself, if it did and says so."""

    async def close(self, code: CloseCode, reason: str) -> None:
        """Send what is queued, then a close frame, within `CLOSE_TIMEOUT_SECONDS`."""

    async def drop(self, code: CloseCode, reason: str) -> None:
        """Close without sending what is queued: the peer does not read."""


CLOSE_TIMEOUT_SECONDS = 2.0


class AsgiTransport:
    """An outbox that one task empties through ASGI's `send`.

    uvicorn's `send` waits while the peer does not read, so the outbox grows. The Connection bounds it by
    `buffered_bytes`.
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

    def closed_with(self) -> CloseCode | None:
        return None

    async def close(self, code: CloseCode, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            # The peer does not read. It may still get the close frame.
            pass
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
            # The peer has left, the socket is closed already, or it is stuck: then the server's keepalive ends it.
            pass

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
            # The peer has left. The receive loop gets a disconnect and ends the connection.
            pass
        finally:
            self._idle.set()
