"""Frame: the WebSocket bytes of a text message, as another implementation parses them."""

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from realtime.wire.frames import Frame

pytestmark = pytest.mark.once  # bytes in memory


# The sizes on both sides of each length encoding of RFC 6455, 5.2.
@pytest.mark.parametrize("size_bytes", [0, 1, 125, 126, 65_535, 65_536])
def test_wire_when_parsed_by_websockets_then_is_one_text_message(size_bytes: int) -> None:
    client = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN)
    payload = b"x" * size_bytes
    client.receive_data(Frame(payload).wire)
    (received,) = client.events_received()
    assert isinstance(received, WireFrame)
    assert (received.opcode, bytes(received.data), received.fin) == (Opcode.TEXT, payload, True)


def test_wire_when_read_twice_then_is_made_once() -> None:
    frame = Frame(b"{}")
    assert frame.wire is frame.wire
