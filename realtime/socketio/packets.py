"""Translates between the frames of a session and the Socket.IO packets of its client.

    from a client   42["typing",{..}]    427["message:send",{..}] asks for the acknowledgement 7
    to a client     42["typing",{..}]    437[{..}]

The first 4 is Engine.IO's and is not part of the packets here.
"""

import re
from enum import IntEnum
from typing import Any

import engineio.packet
import msgspec

from foundation.errors import ChatError
from realtime.wire.close_codes import CloseCode
from realtime.wire.protocol import Wire
from realtime.wire.refs import MAX_REF_CHARS

MAX_NAMESPACE_CHARS = 64


class Kind(IntEnum):
    """The kinds that a client may send. The others carry binary attachments, or come from a server only."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3


class Incoming(msgspec.Struct):
    """A client's packet. `ack_id` is the number that its acknowledgement has to name, as text; "" asks for none."""

    kind: Kind
    namespace: str
    ack_id: str
    payload: str


class Outgoing(Wire):
    """A frame to a client, as the encode functions of realtime.wire.protocol made it."""

    event: str
    data: msgspec.Raw
    ref: str | None = None


_PACKET = re.compile(r"([0-3])(?:(/[^,]*),?)?(\d*)(.*)", re.ASCII | re.DOTALL)
_auth = msgspec.json.Decoder(dict[str, Any])
_arguments = msgspec.json.Decoder(list[msgspec.Raw])
_outgoing = msgspec.json.Decoder(Outgoing)


def read_packet(text: str) -> Incoming:
    """Raises ValueError for a packet that no client of this server may send."""
    match = _PACKET.fullmatch(text)
    if match is None:
        raise ValueError("not a packet, or one with attachments")
    kind, namespace, ack_id, payload = match.groups()
    if len(namespace or "") > MAX_NAMESPACE_CHARS or len(ack_id) > MAX_REF_CHARS:
        raise ValueError("the namespace or the id is too long")
    return Incoming(Kind(int(kind)), (namespace or "/").partition("?")[0], ack_id, payload)


def read_auth(payload: str) -> dict[str, Any]:
    """The `auth` of a CONNECT. Raises ValueError if it is not an object."""
    try:
        return _auth.decode(payload) if payload else {}
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError("auth is not a JSON object") from error


def request_message(packet: Incoming) -> dict[str, Any]:
    """An EVENT as the message of a frame. The session decodes its text as that of any other frame.

    Several arguments become one list, none become `{}`. Raises ValueError if the payload is JSON, but no event.
    """
    # In front, where the session finds it also if it cannot read the rest.
    frame = f'{{"ref":"{packet.ack_id}",' if packet.ack_id else "{"
    try:
        event, *data = _arguments.decode(packet.payload)
    except msgspec.ValidationError as error:
        raise ValueError("the payload is not a list") from error
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # The comma makes sure that the session refuses the text, and says why.
        return {"type": "websocket.receive", "text": f'{frame}"data":{packet.payload},'}
    arguments = b",".join(map(bytes, data)).decode() or "{}"
    frame += f'"event":{bytes(event).decode()},"data":{f"[{arguments}]" if len(data) > 1 else arguments}}}'
    return {"type": "websocket.receive", "text": frame}


def decode_outgoing(frame: str) -> Outgoing:
    return _outgoing.decode(frame)


def packets_of(frame: Outgoing) -> list[str]:
    """A frame as packets: an acknowledgement, an event, or both for an error. The data are not encoded again."""
    data = bytes(frame.data).decode()
    if frame.event == "reply":
        return [f"3{frame.ref}[{data}]"]
    packets = [f'2["{frame.event}",{data}]']
    if frame.ref is not None:
        packets.append(f'3{frame.ref}[{{"error":{data}}}]')
    return packets


def connect_packet(sid: str) -> str:
    return f'0{{"sid":"{sid}"}}'


def disconnect_packet() -> str:
    return "1"


def connect_error_packet(
    error: ChatError, *, namespace: str = "/", close_code: CloseCode | None = None
) -> str:
    """`error` as the client's `connect_error`, with its object in `error.data`."""
    prefix = "" if namespace == "/" else f"{namespace},"
    data = error.as_data(request_id=None)
    if close_code is not None:
        data["closeCode"] = int(close_code)
    refused = {"message": error.message, "data": data}
    return f"4{prefix}{msgspec.json.encode(refused).decode()}"


class CountedPacket(engineio.packet.Packet):
    """An Engine.IO message that calls `taken` when the transport takes it from python-engineio's queue.

    The queue has no bound of its own, in packets or bytes.
    """

    def __init__(self, data: str, taken: Any) -> None:
        super().__init__(engineio.packet.MESSAGE, data=data)
        self._taken = taken

    def encode(self, b64: bool = False) -> Any:
        if self._taken is not None:
            self._taken()
            self._taken = None
        return super().encode(b64)
