"""Frame: one outgoing frame, as JSON text and as WebSocket bytes, which are made once for all connections."""

from functools import cached_property

# Final fragment, opcode 1 (RFC 6455, 5.2). A server's frames are not masked.
FIN_TEXT = 0x81


class Frame:
    """`payload` is JSON text. A `droppable` frame is not sent to a peer that reads too slowly.

    `seq` is the place of the frame's message in the log of its topic. It is None for a frame that is not in a log,
    such as an edit or a typing event.
    """

    def __init__(self, payload: bytes, *, droppable: bool = False, seq: int | None = None) -> None:
        self.payload = payload
        self.droppable = droppable
        self.seq = seq

    @cached_property
    def wire(self) -> bytes:
        """The payload as one unmasked text message."""
        return websocket_bytes(self.payload)


def websocket_bytes(payload: bytes) -> bytes:
    """The payload as one unmasked text message."""
    size = len(payload)
    if size < 126:
        return bytes((FIN_TEXT, size)) + payload
    if size < 65536:
        return bytes((FIN_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((FIN_TEXT, 127)) + size.to_bytes(8, "big") + payload
