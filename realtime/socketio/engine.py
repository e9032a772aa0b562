"""Engine: the transports below Socket.IO's clients, in the Engine.IO server of python-engineio.

A transport, named by its engine_sid, may exist before its client has logged in and after it was refused. So
transports are ended apart from their clients.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import engineio
import engineio.async_socket
from engineio.exceptions import EngineIOError

from foundation import loop
from realtime.session.frame_limit import FrameLimiter
from realtime.wire.close_codes import CloseSocket

from .engine_transport import EngineTransport
from .packets import CountedPacket

# For a client to log in, and to leave after it was closed.
IDLE_SECONDS = 10.0
STOP_SECONDS = 1.0
# For a client to take what is queued before its transport is closed.
CLOSE_SECONDS = 5.0
# python-engineio makes its transports of the class with this name.
engineio.async_socket.AsyncSocket = EngineTransport

Opened = Callable[[str, Any], None]
Received = Callable[[str, str | CloseSocket], Awaitable[None]]
Closed = Callable[[str], None]


class Engine:
    """`opened(engine_sid, scope)`, `received(engine_sid, packet)` and `closed(engine_sid)` are called for each
    transport; in place of a packet comes the CloseSocket that the client caused. `has_client(engine_sid)` says
    whether a client is being served over it."""

    def __init__(
        self,
        *,
        opened: Opened,
        received: Received,
        closed: Closed,
        has_client: Callable[[str], bool],
        **options: Any,
    ) -> None:
        self._opened_handler = opened
        self._closed_handler = closed
        self._has_client = has_client
        self._closers: set[asyncio.Task[None]] = set()
        # A client's messages are received one after the other.
        self._server = engineio.AsyncServer(async_mode="asgi", async_handlers=False, **options)
        self._server.on("connect", self._opened)
        self._server.on("message", received)
        self._server.on("disconnect", self._closed)

    async def handle_request(self, scope: Any, receive: Any, send: Any) -> None:
        await self._server.handle_request(scope, receive, send)

    def start_monitor(self) -> None:
        """Start the task that looks for silent clients, once. python-engineio would start it in the context of the
        first request, and its log records would carry that request's id."""
        if self._server.start_service_task:
            self._server.start_service_task = False
            self._server.service_task_handle = loop.spawn(
                self._server._service_task(), name="socket.io-monitor"
            )

    def is_open(self, engine_sid: str) -> bool:
        transport = self._server.sockets.get(engine_sid)
        return transport is not None and not transport.closed

    def limiter_of(self, engine_sid: str) -> FrameLimiter:
        limiter: FrameLimiter = self._server.sockets[engine_sid].limiter
        return limiter

    async def send(self, engine_sid: str, packet: CountedPacket) -> None:
        """Queue a packet for the client. Raises ConnectionResetError if its transport has closed."""
        # python-engineio only logs a warning for a transport that it does not know.
        if not self.is_open(engine_sid):
            raise ConnectionResetError
        try:
            await self._server.send_packet(engine_sid, packet)
        except (EngineIOError, KeyError) as error:
            raise ConnectionResetError from error

    async def wait_paused(self, engine_sid: str, has_room: Any) -> None:
        """Wait for the event in `received`. The transport is kept alive, though nothing of its client is read."""
        transport = self._server.sockets.get(engine_sid)
        if isinstance(transport, EngineTransport):
            await transport.wait_paused(has_room)

    async def close(self, engine_sid: str) -> None:
        """Close a transport after its client has taken what is queued. The caller has to bound the wait."""
        transport = self._server.sockets.get(engine_sid)
        if transport is not None and not transport.closed:
            try:
                # A client that polls would handle the end of its transport before other packets of that poll.
                await transport.queue.join()
            finally:
                await transport.close(wait=False)
                # python-engineio alone would leave a WebSocket open.
                transport.queue.put_nowait(None)

    def close_soon(self, engine_sid: str) -> None:
        """Close a transport as `close` does, in a task of its own."""
        task = asyncio.create_task(self._close_in_time(engine_sid), name="socket.io-closer")
        self._closers.add(task)
        task.add_done_callback(self._closers.discard)

    def close_if_idle_later(self, engine_sid: str, seconds: float | None = None) -> None:
        """Close the transport in `seconds` (IDLE_SECONDS), unless a client is being served over it by then."""
        delay = IDLE_SECONDS if seconds is None else seconds
        asyncio.get_running_loop().call_later(delay, self._close_if_idle, engine_sid)

    async def close_all(self) -> None:
        """Close every transport, also those whose clients have not logged in, within STOP_SECONDS, and end."""
        for engine_sid in list(self._server.sockets):
            self.close_soon(engine_sid)
        if self._closers:
            await asyncio.wait(self._closers, timeout=STOP_SECONDS)
        await loop.cancel(*self._closers)

    async def stop(self) -> None:
        """End the monitor."""
        await self._server.shutdown()

    async def _opened(self, engine_sid: str, environ: dict[str, Any]) -> None:
        self._opened_handler(engine_sid, environ["asgi.scope"])
        self.close_if_idle_later(engine_sid)

    async def _closed(self, engine_sid: str, reason: str) -> None:
        self._closed_handler(engine_sid)

    def _close_if_idle(self, engine_sid: str) -> None:
        if self.is_open(engine_sid) and not self._has_client(engine_sid):
            self.close_soon(engine_sid)

    async def _close_in_time(self, engine_sid: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.close(engine_sid)
        except TimeoutError:
            # The client takes nothing. The transport is closed, and the monitor removes it.
            pass
