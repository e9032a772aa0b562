"""Socket.IO packets: what a client may send, and how frames become packets."""

import json

import msgspec
import pytest
import socketio.packet

from realtime.socketio.packets import (
    CountedPacket,
    TextPacket,
    decode_outgoing,
    event_packet,
    is_engine_text,
    request_frame,
)

pytestmark = pytest.mark.once  # text in memory


@pytest.mark.parametrize(
    ("text", "kind", "data"),
    [
        ('0{"token":"t"}', socketio.packet.CONNECT, {"token": "t"}),
        ("0", socketio.packet.CONNECT, None),
        ('2["message:send",{"content":"x"}]', socketio.packet.EVENT, ["message:send", {"content": "x"}]),
        ("31[{}]", socketio.packet.ACK, [{}]),
        ("1", socketio.packet.DISCONNECT, None),
    ],
)
def test_packet_when_valid_then_is_read(text: str, kind: int, data: object) -> None:
    packet = TextPacket(encoded_packet=text)
    assert (packet.packet_type, packet.data) == (kind, data)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "9",
        "2",
        "2{}",
        "2[",
        "2[]",
        "2[5]",
        '2["connect",1]',
        '2["disconnect"]',
        '51-["x",{"_placeholder":true,"num":0}]',
        "2" + "[" * 20_000,
        "0[1]",
    ],
)
def test_packet_when_invalid_then_is_read_as_a_disconnect(text: str) -> None:
    packet = TextPacket(encoded_packet=text)
    assert (packet.packet_type, packet.data, packet.id) == (socketio.packet.DISCONNECT, None, None)
    assert packet.attachment_count == 0


@pytest.mark.parametrize("text", ["42[]", "1", "2probe", "3", "5", "6"])
def test_engine_text_when_a_client_may_send_it_then_is_accepted(text: str) -> None:
    assert is_engine_text({"text": text})


@pytest.mark.parametrize(
    "message", [{"text": ""}, {"text": "0"}, {"text": "x"}, {"text": "4"}, {"bytes": b"4"}]
)
def test_engine_text_when_the_library_would_raise_then_is_refused(message: dict) -> None:
    assert not is_engine_text(message)


def test_request_when_data_fit_json_then_is_a_frame_with_them() -> None:
    frame = json.loads(request_frame("message:send", {"content": "ü"}, 3))
    assert frame == {"event": "message:send", "data": {"content": "ü"}, "ref": 3}


def test_request_when_data_do_not_fit_json_then_has_null() -> None:
    deep: list = []
    for _ in range(20_000):
        deep = [deep]
    for data in ("\ud800", deep):
        assert json.loads(request_frame("x\ud800", data, 1)) == {"event": "x?", "data": None, "ref": 1}


def test_event_when_made_from_a_frame_then_keeps_its_bytes() -> None:
    frame = decode_outgoing('{"event":"typing","data":{"a": 1}}')
    assert (frame.event, frame.ref, frame.data) == ("typing", None, msgspec.Raw(b'{"a": 1}'))
    assert event_packet(frame) == '2["typing",{"a": 1}]'


def test_counted_packet_when_encoded_twice_then_counts_once() -> None:
    taken: list[None] = []
    packet = CountedPacket("2[]", lambda: taken.append(None))
    assert (packet.encode(), packet.encode(b64=True), len(taken)) == ("42[]", "42[]", 1)
