"""Engine: the transports below Socket.IO's clients, in the Engine.IO server of python-engineio.

A transport, named by its engine_sid, may exist before its client has logged in and after it was refused. So
transports are ended apart from their clients.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import engineio.payload
import socketio
from engineio.exceptions import EngineIOError

from foundation import loop

from .packets import CountedPacket

# For a client to log in, and to leave after it was closed.
IDLE_SECONDS = 10.0
STOP_SECONDS = 1.0
# A client may have buffered more than the library's 16 packets before its first POST. Their bytes are bounded.
engineio.payload.Payload.max_decode_packets = 1_000


class Engine:
    """`has_client(engine_sid)` says whether a client is being served over a transport."""

    def __init__(self, server: socketio.AsyncServer, *, has_client: Callable[[str], bool]) -> None:
        self._server = server.eio
        self._has_client = has_client
        self._closers: set[asyncio.Task[None]] = set()
        self._add_handler("connect", self._opened)

    def on_close(self, handler: Callable[[str, str], Awaitable[None]]) -> None:
        """Have `handler(engine_sid, reason)` called when a transport has closed."""
        self._add_handler("disconnect", handler)

    def start_monitor(self) -> None:
        """Start the task that looks for silent clients, once. python-engineio would start it in the context of the
        first request, and its log records would carry that request's id."""
        if self._server.start_service_task:
            self._server.start_service_task = False
            self._server.service_task_handle = loop.spawn(
                self._server._service_task(), name="socket.io-monitor"
            )

    def is_open(self, engine_sid: str) -> bool:
        return engine_sid in self._server.sockets

    async def send(self, engine_sid: str, packet: CountedPacket) -> None:
        """Queue a packet for the client. Raises ConnectionResetError if its transport has closed."""
        # python-engineio only logs a warning for a transport that it does not know.
        if not self.is_open(engine_sid):
            raise ConnectionResetError
        try:
            await self._server.send_packet(engine_sid, packet)
        except (EngineIOError, KeyError) as error:
            raise ConnectionResetError from error

    async def close(self, engine_sid: str) -> None:
        """Close a transport after its client has taken what is queued. The caller has to bound the wait."""
        socket = self._server.sockets.get(engine_sid)
        if socket is not None:
            try:
                await self._server.disconnect(engine_sid)
            except (EngineIOError, KeyError):
                # It has closed meanwhile.
                pass
            finally:
                # python-engineio alone would leave a WebSocket open.
                socket.queue.put_nowait(None)

    def close_if_idle_later(self, engine_sid: str) -> None:
        """Close the transport in IDLE_SECONDS, unless a client is being served over it by then."""
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._close_if_idle, engine_sid)

    async def close_all(self) -> None:
        """Close every transport, also those whose clients have not logged in, within STOP_SECONDS."""
        for engine_sid in list(self._server.sockets):
            self._start_closing(engine_sid)
        if self._closers:
            await asyncio.wait(self._closers, timeout=STOP_SECONDS)
        await loop.cancel(*self._closers)

    async def _opened(self, engine_sid: str, environ: dict[str, Any]) -> None:
        self.close_if_idle_later(engine_sid)

    def _close_if_idle(self, engine_sid: str) -> None:
        if self.is_open(engine_sid) and not self._has_client(engine_sid):
            self._start_closing(engine_sid)

    def _start_closing(self, engine_sid: str) -> None:
        task = asyncio.create_task(self.close(engine_sid), name="socket.io-closer")
        self._closers.add(task)
        task.add_done_callback(self._closers.discard)

    def _add_handler(self, event: str, handler: Callable[..., Awaitable[None]]) -> None:
        """Call the handler after python-socketio's own: the library keeps one for each event."""
        own = self._server.handlers[event]

        async def both(*args: Any) -> None:
            await own(*args)
            await handler(*args)

        self._server.on(event, both)
