"""FrameHandler: decodes the frames of one connection, calls their handlers, and sends the replies and errors."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from foundation import context, tracing
from foundation.errors import ChatError, Internal, Invalid
from realtime import metrics
from realtime.wire.close_codes import CloseSocket
from realtime.wire.protocol import (
    Envelope,
    decode_data,
    decode_envelope,
    encode_error,
    encode_reply,
)
from realtime.wire.refs import NO_REF, find_ref

from .connection import Connection
from .frame_limit import check_size
from .handlers import EventConsumer, EventRegistry

logger = logging.getLogger(__name__)
access = logging.getLogger("chat.access")


class FrameHandler:
    """`consumers` are the connection's own instances, by class. `count` is the number of frames so far."""

    __slots__ = ("_connection", "_consumers", "_limiter", "_registry", "count")

    def __init__(
        self,
        connection: Connection,
        registry: EventRegistry,
        consumers: Mapping[type[EventConsumer], EventConsumer],
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._consumers = consumers
        self._limiter = connection.limiter
        self.count = 0

    async def handle(self, message: dict[str, Any]) -> None:
        """Handle one `websocket.receive`, and answer it. Raises CloseSocket if the connection has to end."""
        self.count += 1
        request_id = f"{self._connection.id}.{self.count}"
        context.request_id.set(request_id)
        started = time.perf_counter()
        envelope, text, status = None, "", "ok"
        try:
            text = _text(message)
            self._limiter.check()
            if message.get("text") is None:
                raise Invalid("Frames are JSON text; this one was binary.")
            envelope = decode_envelope(text)
            reply = await self._dispatch(envelope)
            self._limiter.accepted()
            if envelope.ref is not NO_REF:
                await self._connection.send(encode_reply(envelope.ref, reply))
        except CloseSocket:
            raise
        except ChatError as error:
            status = error.code
            await self._send_error(error, envelope, text, request_id)
            self._limiter.note(error)
        except Exception:
            status = Internal.code
            logger.exception("unhandled error in event %s", envelope.event if envelope else None)
            await self._send_error(Internal(), envelope, text, request_id)
        self._note_event(envelope, status, time.perf_counter() - started)

    async def _dispatch(self, envelope: Envelope) -> Any:
        spec = self._registry.find(envelope.event)
        data = decode_data(envelope.data, spec.data)
        with tracing.span(envelope.event):
            return await getattr(self._consumers[spec.consumer], spec.method)(data)

    async def _send_error(
        self, error: ChatError, envelope: Envelope | None, text: str, request_id: str
    ) -> None:
        # A frame that is no envelope may still have a ref, and its sender wants to know which frame was refused.
        ref = find_ref(text) if envelope is None else envelope.ref
        await self._connection.send(encode_error(error, ref=ref, request_id=request_id))

    def _note_event(self, envelope: Envelope | None, status: str, seconds: float) -> None:
        # Any other name is the client's own text, which no log may hold.
        known = envelope is not None and envelope.event in self._registry.events
        event = envelope.event if envelope is not None and known else "unknown"
        metrics.EVENTS.labels(event, status).inc()
        level = logging.DEBUG if status == "ok" else logging.INFO
        if access.isEnabledFor(level):
            duration = round(seconds * 1000, 1)
            access.log(level, "frame", extra={"event": event, "status": status, "durationMs": duration})


def _text(message: dict[str, Any]) -> str:
    """The frame as text, also a binary one, which may have a ref. Raises CloseSocket if it is too large."""
    text: str | None = message.get("text")
    check_size(message["bytes"] if text is None else text, settings.MAX_FRAME_BYTES)
    return message["bytes"].decode(errors="replace") if text is None else text
