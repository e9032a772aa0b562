"""ChatSocket, the one Channels consumer at /ws/chat/: accept, decode, limit, dispatch, close.

Knows the protocol and the registry of events; must not know any app. It keeps a receive loop of its own, since
Channels' dispatch wakes a thread and a task for each event (shared/facts.md: 173 of 252 us).
"""

import asyncio
import contextvars
import logging
import time
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.consumer import AsyncConsumer
from django.conf import settings

from foundation import context, loop, times, tracing
from foundation.errors import ChatError, Internal, Invalid
from foundation.limits.named import FRAMES, LIMITS
from realtime import metrics
from realtime.wire.close_codes import CloseCode, CloseSocket
from realtime.wire.events import Audience, ServerEvent
from realtime.wire.protocol import (
    Envelope,
    Wire,
    decode_data,
    decode_envelope,
    encode_error,
    encode_reply,
    find_ref,
)

from .connection import Connection
from .frame_limit import FrameLimiter
from .handlers import EventConsumer, EventRegistry
from .transport import AsgiTransport

logger = logging.getLogger(__name__)
access = logging.getLogger("chat.access")

SUBPROTOCOL = "chat.v1"
MAX_DEVICE_ID_CHARS = 64
DISCONNECT_TIMEOUT_SECONDS = 5.0


class Limits(Wire):
    """The limits a client has to know; rates read `count/seconds`."""

    messages_user: str
    messages_room: str
    frames: str
    max_content_chars: int
    max_meta_bytes: int
    max_frame_bytes: int
    max_connections_user: int
    max_room_members: int


class Ready(Wire):
    """`ready`, the first frame. `rooms` maps each room of the user to the seq of its last message."""

    user_id: UUID
    connection_id: str
    device_id: str
    server_time: str | None
    expires_at: str | None
    rooms: dict[str, int]
    limits: Limits


READY = ServerEvent(
    "ready",
    Ready,
    audience=Audience.CONNECTION,
    summary="The first frame after the handshake; live events of all rooms flow from here on.",
)


class ChatSocket(AsyncConsumer):
    """`as_asgi(registry=..)`. Reads `scope["identity"]`, or `scope["auth_error"]` from the JWT middleware."""

    channel_layer_alias = None  # the hub has the process's one channel; a socket needs none

    def __init__(self, *, registry: EventRegistry) -> None:
        self.registry = registry

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        subprotocol = SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        if error := scope.get("auth_error"):
            code = CloseCode.RESTART if error.temporary else CloseCode.UNAUTHENTICATED
            await send({"type": "websocket.close", "code": int(code), "reason": error.code})
            return
        transport = scope.get("extensions", {}).get("chat.transport") or AsgiTransport(send)
        connection = Connection(
            identity=scope["identity"], device_id=device_id_of(scope), transport=transport
        )
        context.connection_id.set(connection.id)
        context.user_id.set(str(connection.user_id))
        # Kilobytes that nobody asks for any more, for as long as the socket lives. The scope is the router's copy.
        scope["headers"].clear()
        scope.clear()
        await ConnectionSession(connection, self.registry).run(receive)


class ConnectionSession:
    """Serves one accepted connection until either side ends it."""

    def __init__(self, connection: Connection, registry: EventRegistry, *, route: str = "ws/chat/") -> None:
        self.connection = connection
        self.registry = registry
        self.route = route
        self.consumers = {kind: kind(connection) for kind in registry.consumers}
        self.limiter = FrameLimiter(FRAMES.rate)
        self.frames = 0
        # Only while there is something to do: most have nothing.
        self._control_task: asyncio.Task[None] | None = None
        self._context = (
            contextvars.copy_context()
        )  # for the controls, which run in this connection's context and not in the sender's

    async def run(self, receive: Any) -> None:
        """Serve the connection until it has ended. It is counted and recorded however it ends."""
        started = time.perf_counter()
        with metrics.SOCKETS.track_inprogress():
            try:
                await self._serve(receive)
            finally:
                self._log_end(time.perf_counter() - started)

    async def _serve(self, receive: Any) -> None:
        connection = self.connection
        connected: list[EventConsumer] = []
        reader: asyncio.Task[None] | None = None
        peer_left = False
        try:
            connection.hold()
            await self._connect(connected)
            reader = asyncio.create_task(self._read(receive), name="socket-reader")
            connection.watch_controls(self._start_controls)
            # Not asyncio.wait for the two: it holds over a kilobyte as long as the socket lives.
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
            await loop.cancel(reader, self._control_task)
            await self._disconnect(connected)
            await self._end_transport(peer_left)

    def _log_end(self, seconds: float) -> None:
        """The access record of a socket, as each request has one."""
        code = self.connection.closing[0] if self.connection.closing else CloseCode.NORMAL
        metrics.CLOSES.labels(int(code)).inc()
        context.request_id.set(None)
        access.info(
            "socket",
            extra={
                "route": self.route,
                "status": int(code),
                "durationMs": round(seconds * 1000, 1),
                "frames": self.frames,
            },
        )

    async def _connect(self, connected: list[EventConsumer]) -> None:
        ready: dict[str, Any] = {}
        for consumer in self.consumers.values():
            connected.append(consumer)
            ready |= await consumer.connected()
        connection = self.connection
        frame = Ready(
            user_id=connection.user_id,
            connection_id=connection.id,
            device_id=connection.device_id,
            server_time=times.to_wire(times.now()),
            expires_at=times.to_wire(connection.identity.expires_at),
            rooms=ready.get("rooms", {}),
            limits=limits(),
        )
        await connection.send(READY.encode(frame))
        connection.release()

    async def _disconnect(self, connected: list[EventConsumer]) -> None:
        for consumer in reversed(connected):
            try:
                async with asyncio.timeout(DISCONNECT_TIMEOUT_SECONDS):
                    await consumer.disconnected()
            except Exception:
                logger.exception("%s could not disconnect cleanly", type(consumer).__name__)

    async def _end_transport(self, peer_left: bool) -> None:
        code, reason = self.connection.closing or (CloseCode.NORMAL, "")
        if peer_left or code is CloseCode.SLOW_READER:
            await self.connection.drop(code, reason)
        else:
            await self.connection.finish(code, reason)

    async def _read(self, receive: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            if message["type"] == "websocket.receive":
                await self._handle(message)

    def _start_controls(self) -> None:
        if self._control_task is None:
            self._control_task = asyncio.create_task(
                self._run_controls(), name="socket-controls", context=self._context
            )

    async def _run_controls(self) -> None:
        """Run controls one after the other, beside the frames: a kick must not wait for a slow request."""
        while controls := self.connection.take_controls():
            for control, data in controls:
                kind, method = self.registry.controls[control]
                try:
                    await getattr(self.consumers[kind], method)(data)
                except CloseSocket as close:
                    self.connection.close(close.code, close.reason)
                except Exception:
                    logger.exception("control %s failed", control)
        self._control_task = None

    async def _handle(self, message: dict[str, Any]) -> None:
        self.frames += 1
        request_id = f"{self.connection.id}.{self.frames}"
        context.request_id.set(request_id)
        started, event, ref, text = time.perf_counter(), None, None, ""
        status = "ok"
        try:
            text = self._text(message)
            self.limiter.check()
            envelope = decode_envelope(text)
            event, ref = envelope.event, envelope.ref
            reply = await self._dispatch(envelope)
            self.limiter.accepted()
            if ref is not None:
                await self.connection.send(encode_reply(ref, reply))
        except CloseSocket:
            raise
        except ChatError as error:
            status = error.code
            ref = find_ref(text) if ref is None else ref
            await self.connection.send(encode_error(error, ref=ref, request_id=request_id))
            self.limiter.note(error)
        except Exception:
            status = Internal.code
            logger.exception("unhandled error in event %s", event)
            await self.connection.send(encode_error(Internal(), ref=ref, request_id=request_id))
        # Any other name is the client's own text, which no log may hold.
        known = event if event in self.registry.events else "unknown"
        metrics.EVENTS.labels(known, status).inc()
        level = logging.DEBUG if status == "ok" else logging.INFO
        if access.isEnabledFor(level):
            duration = round((time.perf_counter() - started) * 1000, 1)
            access.log(level, "frame", extra={"event": known, "status": status, "durationMs": duration})

    def _text(self, message: dict[str, Any]) -> str:
        text: str | None = message.get("text")
        if text is None:
            if len(message["bytes"]) > settings.MAX_FRAME_BYTES:
                raise CloseSocket(CloseCode.TOO_BIG, "frame too big")
            raise Invalid("Frames are JSON text; this one was binary.")
        if len(text) > settings.MAX_FRAME_BYTES or len(text.encode()) > settings.MAX_FRAME_BYTES:
            raise CloseSocket(CloseCode.TOO_BIG, "frame too big")
        return text

    async def _dispatch(self, envelope: Envelope) -> Any:
        spec = self.registry.find(envelope.event)
        data = decode_data(envelope.data, spec.data)
        with tracing.span(envelope.event):
            return await getattr(self.consumers[spec.consumer], spec.method)(data)


def device_id_of(scope: Any) -> str | None:
    """`?deviceId=`, cut to what a key may hold; None where it is missing or unprintable."""
    values = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("deviceId", [""])
    device_id = values[0][:MAX_DEVICE_ID_CHARS]
    return device_id if device_id and device_id.isprintable() and ":" not in device_id else None


def limits() -> Limits:
    return Limits(
        **{limit.ready_field: str(limit.configured) for limit in LIMITS if limit.ready_field},
        max_content_chars=settings.MAX_CONTENT_CHARS,
        max_meta_bytes=settings.MAX_META_BYTES,
        max_frame_bytes=settings.MAX_FRAME_BYTES,
        max_connections_user=settings.MAX_CONNECTIONS_USER,
        max_room_members=settings.MAX_ROOM_MEMBERS,
    )
