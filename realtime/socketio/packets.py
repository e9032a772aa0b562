"""Translates between the frames of /ws/chat/ and Socket.IO packets, and refuses packets that are not JSON text."""

from collections.abc import Callable
from typing import Any

import engineio.packet
import msgspec
import socketio.packet

from realtime.wire.protocol import Wire

# If a client could send these as events, they would call the server's own handlers.
RESERVED = ("connect", "disconnect")
# The types of Engine.IO packets that a client may send.
ENGINE_TYPES = frozenset("123456")


class Outgoing(Wire):
    """A frame to a client, as the encode functions of realtime.wire.protocol made it."""

    event: str
    data: msgspec.Raw
    ref: int | None = None


_outgoing = msgspec.json.Decoder(Outgoing)


def decode_outgoing(frame: str) -> Outgoing:
    return _outgoing.decode(frame)


def event_packet(frame: Outgoing) -> str:
    """`2["typing",{..}]`, around the data as they were encoded once for all connections."""
    return f'2["{frame.event}",{bytes(frame.data).decode()}]'


def request_frame(event: str, data: Any, ref: int) -> str:
    """A client's event as a frame. Data that JSON text cannot hold become null, which is then refused."""
    try:
        return msgspec.json.encode({"event": event, "data": data, "ref": ref}).decode()
    except (UnicodeError, RecursionError):
        # Half a surrogate pair, or nested too deeply.
        name = event.encode(errors="replace").decode()
        return msgspec.json.encode({"event": name, "data": None, "ref": ref}).decode()


def is_engine_text(message: dict[str, Any]) -> bool:
    """Whether python-engineio can read a WebSocket message; others raise where none of its handlers catches it."""
    text = message.get("text") or ""
    return text[:1] in ENGINE_TYPES and (text[:1] != "4" or text[1:2].isdigit())


class TextPacket(socketio.packet.Packet):
    """A Socket.IO packet of JSON only.

    A packet that is malformed, or would need binary attachments, is read as a DISCONNECT and so ends the
    connection. Attachments are refused because a client could send them without bound.
    """

    uses_binary_events = False

    def decode(self, encoded_packet: Any) -> int:
        try:
            super().decode(encoded_packet)
            # Read from the dict, because the library does not declare them.
            kind, data = vars(self)["packet_type"], vars(self)["data"]
            valid = kind in _IS_VALID and _IS_VALID[kind](data)
        except (ValueError, TypeError, LookupError, RecursionError):
            valid = False
        if not valid:
            self.packet_type, self.data = socketio.packet.DISCONNECT, None
            self.namespace, self.id = None, None
        return 0


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in RESERVED


_IS_VALID: dict[int, Callable[[Any], bool]] = {
    socketio.packet.CONNECT: lambda data: data is None or isinstance(data, dict),
    socketio.packet.DISCONNECT: lambda data: True,
    socketio.packet.EVENT: _is_event,
    socketio.packet.ACK: lambda data: isinstance(data, list),
}


class CountedPacket(engineio.packet.Packet):
    """An Engine.IO message that calls `taken` when the transport takes it from python-engineio's queue.

    The queue has no bound of its own, in packets or bytes.
    """

    def __init__(self, data: str, taken: Callable[[], None]) -> None:
        super().__init__(engineio.packet.MESSAGE, data=data)
        self._taken: Callable[[], None] | None = taken

    def encode(self, b64: bool = False) -> Any:
        if self._taken is not None:
            self._taken()
            self._taken = None
        return super().encode(b64)
