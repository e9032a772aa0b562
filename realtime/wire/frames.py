"""A frame on its way out: its text, and the same as WebSocket bytes, made once for all who get it.

Knows RFC 6455's framing of a server's text message; must not know events or connections.
"""

from functools import cached_property

FIN_TEXT = 0x81  # final fragment, opcode 1 (RFC 6455, 5.2); a server's frames carry no mask


class Frame:
    """`payload` is one JSON text; `droppable` ones are not sent to a peer that reads too slowly.

    `seq` is the place in the log of its topic of what the frame tells, None where it tells of nothing there.
    """

    def __init__(self, payload: bytes, *, droppable: bool = False, seq: int | None = None) -> None:
        self.payload = payload
        self.droppable = droppable
        self.seq = seq

    @cached_property
    def wire(self) -> bytes:
        return framed(self.payload)


def framed(payload: bytes) -> bytes:
    """The payload as one unmasked text message."""
    size = len(payload)
    if size < 126:
        return bytes((FIN_TEXT, size)) + payload
    if size < 65536:
        return bytes((FIN_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((FIN_TEXT, 127)) + size.to_bytes(8, "big") + payload
