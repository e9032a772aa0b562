"""ConnectionSession: serves one accepted connection from `ready` until it is closed.

It has a receive loop of its own, because Channels' dispatch wakes a thread and a task for each event: 173 of the
252 µs of a delivery (docs/measurements.md).
"""

import asyncio
import contextvars
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from foundation import context, loop
from foundation.server_clock import get_server_clock
from realtime import metrics
from realtime.wire.close_codes import CloseCode, CloseSocket

from .connection import Connection
from .frame_handler import FrameHandler
from .handlers import EventConsumer, EventRegistry
from .ready import READY, ready_data

logger = logging.getLogger(__name__)
access = logging.getLogger("chat.access")

DISCONNECT_TIMEOUT_SECONDS = 5.0

Receive = Callable[[], Awaitable[Any]]


class ConnectionSession:
    """Serves one connection. `route` names its endpoint in the log."""

    def __init__(self, connection: Connection, registry: EventRegistry, *, route: str = "ws/chat/") -> None:
        self._connection = connection
        self._registry = registry
        self._route = route
        self._consumers = {kind: kind(connection) for kind in registry.consumers}
        self._frames = FrameHandler(connection, registry, self._consumers)
        # Created on demand; most connections never get a control.
        self._control_task: asyncio.Task[None] | None = None
        # Controls run in this connection's context, not in their sender's.
        self._context = contextvars.copy_context()

    async def run(self, receive: Receive) -> None:
        """Serve the connection until it has ended. It is counted and logged however it ends."""
        connection = self._connection
        connected: list[EventConsumer] = []
        reader: asyncio.Task[None] | None = None
        peer_left = False
        started = time.perf_counter()
        metrics.SOCKETS.inc()
        # One coroutine and not two: a suspended frame takes half a kilobyte for as long as the socket lives.
        try:
            connection.hold()
            await self._connect(connected)
            reader = asyncio.create_task(self._read(receive), name="socket-reader")
            connection.watch_controls(self._start_controls)
            # Not asyncio.wait for the two: it needs over a kilobyte for as long as the socket lives.
            reader.add_done_callback(lambda _: connection.end())
            await connection.ended
            if reader.done():
                reader.result()
                peer_left = True
        except CloseSocket as close:
            connection.close(close.code, close.reason)
        except Exception:
            logger.exception("the connection failed")
            connection.close(CloseCode.RESTART, "internal error")
        finally:
            try:
                await self._end(reader, connected, peer_left)
            finally:
                metrics.SOCKETS.dec()
                self._log_end(time.perf_counter() - started)

    async def _end(
        self, reader: asyncio.Task[None] | None, connected: list[EventConsumer], peer_left: bool
    ) -> None:
        await loop.cancel(reader, self._control_task)
        await self._disconnect(connected)
        await self._end_transport(peer_left)

    async def _connect(self, connected: list[EventConsumer]) -> None:
        """Run each consumer's `connected`, then send `ready`. Adds the consumers to `connected` as it goes."""
        ready: dict[str, Any] = {}
        for consumer in self._consumers.values():
            connected.append(consumer)
            ready |= await consumer.connected()
        await get_server_clock().sync()
        await self._connection.send(READY.encode(ready_data(self._connection, **({"rooms": {}} | ready))))
        self._connection.release()

    async def _disconnect(self, connected: list[EventConsumer]) -> None:
        for consumer in reversed(connected):
            try:
                async with asyncio.timeout(DISCONNECT_TIMEOUT_SECONDS):
                    await consumer.disconnected()
            except Exception:
                logger.exception("%s could not disconnect cleanly", type(consumer).__name__)

    async def _end_transport(self, peer_left: bool) -> None:
        code, reason = self._connection.closing or (CloseCode.NORMAL, "")
        if peer_left or code is CloseCode.SLOW_READER:
            await self._connection.drop(code, reason)
        else:
            await self._connection.finish(code, reason)

    async def _read(self, receive: Receive) -> None:
        """Handle the client's frames one after the other, until it disconnects."""
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                # The server may have closed the socket because of frames that do not come here.
                self._connection.note_closed()
                return
            if message["type"] == "websocket.receive":
                await self._frames.handle(message)

    def _start_controls(self) -> None:
        if self._control_task is None:
            self._control_task = asyncio.create_task(
                self._run_controls(), name="socket-controls", context=self._context
            )

    async def _run_controls(self) -> None:
        """Run controls one after the other, beside the frames: a kick must not wait for a slow request."""
        while controls := self._connection.take_controls():
            for control, data in controls:
                try:
                    # During an update, a newer process may send a control that this one does not know.
                    kind, method = self._registry.controls[control]
                    await getattr(self._consumers[kind], method)(data)
                except CloseSocket as close:
                    self._connection.close(close.code, close.reason)
                except Exception:
                    logger.exception("control %s failed", control)
        self._control_task = None

    def _log_end(self, seconds: float) -> None:
        """Write the socket's access record; each request has one too."""
        code = self._connection.closing[0] if self._connection.closing else CloseCode.NORMAL
        metrics.CLOSES.labels(int(code)).inc()
        context.request_id.set(None)
        access.info(
            "socket",
            extra={
                "route": self._route,
                "status": int(code),
                "durationMs": round(seconds * 1000, 1),
                "frames": self._frames.count,
            },
        )
