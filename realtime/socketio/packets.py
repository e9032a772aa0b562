"""What a frame of ours and a Socket.IO packet are to each other, in both directions.

Knows the packets of python-socketio and the socket's envelope; must not know connections.
"""

from collections.abc import Callable
from typing import Any

import engineio.packet
import msgspec
import socketio.packet

from realtime.wire.protocol import Wire

RESERVED = ("connect", "disconnect")  # as events of a client they would run the server's own handlers
ENGINE_TYPES = frozenset("123456")  # of Engine.IO packets that a client may send


class Outgoing(Wire):
    """A frame on its way out, as `protocol.encode_*` made it."""

    event: str
    data: msgspec.Raw
    ref: int | None = None


_outgoing = msgspec.json.Decoder(Outgoing)


def decode_outgoing(frame: str) -> Outgoing:
    return _outgoing.decode(frame)


def event_packet(frame: Outgoing) -> str:
    """`2["event",{..}]`, around the data as they were encoded for all."""
    return f'2["{frame.event}",{bytes(frame.data).decode()}]'


def request_frame(event: str, data: Any, ref: int) -> str:
    """A client's event as a frame of the socket. Data that no JSON text can hold become null, which is refused."""
    try:
        return msgspec.json.encode({"event": event, "data": data, "ref": ref}).decode()
    except (UnicodeError, RecursionError):  # half a surrogate pair, or nested too deeply
        name = event.encode(errors="replace").decode()
        return msgspec.json.encode({"event": name, "data": None, "ref": ref}).decode()


def is_engine_text(message: dict[str, Any]) -> bool:
    """Whether a WebSocket message is a packet that python-engineio takes without raising past its own handlers."""
    text = message.get("text") or ""
    return text[:1] in ENGINE_TYPES and (text[:1] != "4" or text[1:2].isdigit())


class TextPacket(socketio.packet.Packet):
    """A Socket.IO packet of JSON only. Whatever is none, or would need binary attachments, which a peer could pile
    up without end, ends the connection as a DISCONNECT does."""

    uses_binary_events = False

    def decode(self, encoded_packet: Any) -> int:
        try:
            super().decode(encoded_packet)
            kind, data = vars(self)["packet_type"], vars(self)["data"]  # untyped there
            sound = kind in _SOUND and _SOUND[kind](data)
        except (ValueError, TypeError, LookupError, RecursionError):
            sound = False
        if not sound:
            self.packet_type, self.data, self.namespace, self.id = (
                socketio.packet.DISCONNECT,
                None,
                None,
                None,
            )
        return 0


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in RESERVED


_SOUND: dict[int, Callable[[Any], bool]] = {
    socketio.packet.CONNECT: lambda data: data is None or isinstance(data, dict),
    socketio.packet.DISCONNECT: lambda data: True,
    socketio.packet.EVENT: _is_event,
    socketio.packet.ACK: lambda data: isinstance(data, list),
}


class CountedPacket(engineio.packet.Packet):
    """Says when the transport takes it: python-engineio's own queue knows neither sizes nor bounds."""

    def __init__(self, data: str, taken: Callable[[], None]) -> None:
        super().__init__(engineio.packet.MESSAGE, data=data)
        self._taken: Callable[[], None] | None = taken

    def encode(self, b64: bool = False) -> Any:
        if self._taken is not None:
            self._taken()
            self._taken = None
        return super().encode(b64)
