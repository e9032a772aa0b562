"""Socket.IO packets: what a client may send, and how frames become packets."""

import json

import msgspec
import pytest

from foundation.errors import NotFound
from realtime.socketio.packets import (
    CountedPacket,
    Incoming,
    Kind,
    Outgoing,
    connect_error_packet,
    decode_outgoing,
    packets_of,
    read_auth,
    read_packet,
    request_message,
)
from realtime.wire.close_codes import CloseCode
from realtime.wire.refs import find_ref

pytestmark = pytest.mark.once  # text in memory


def event(payload: str, ack_id: str = "") -> Incoming:
    return Incoming(Kind.EVENT, "/", ack_id, payload)


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ('0{"token":"t"}', Incoming(Kind.CONNECT, "/", "", '{"token":"t"}')),
        ("0", Incoming(Kind.CONNECT, "/", "", "")),
        ("0/", Incoming(Kind.CONNECT, "/", "", "")),
        ("0/admin?a=b,{}", Incoming(Kind.CONNECT, "/admin", "", "{}")),
        ('27["a",{}]', event('["a",{}]', "7")),
        ('2/chat,12["a"]', Incoming(Kind.EVENT, "/chat", "12", '["a"]')),
        ("31[{}]", Incoming(Kind.ACK, "/", "1", "[{}]")),
        ("1", Incoming(Kind.DISCONNECT, "/", "", "")),
    ],
)
def test_packet_when_valid_then_is_read(text: str, packet: Incoming) -> None:
    assert read_packet(text) == packet


@pytest.mark.parametrize("text", ["", "x", "4{}", "9", '51-["x"]', "61-1[]", "2" + "1" * 65, "0/" + "n" * 64])
def test_packet_when_invalid_then_raises(text: str) -> None:
    with pytest.raises(ValueError, match=r"packet|too long"):
        read_packet(text)


@pytest.mark.parametrize("payload", ["[1]", "{", '{"a":NaN}', '"t"', "[" * 20_000, '{"token":"\\ud800"}'])
def test_auth_when_no_object_then_raises(payload: str) -> None:
    with pytest.raises(ValueError, match="auth"):
        read_auth(payload)


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        ('["a"]', "{}"),
        ('["a", {"x": 1e400} ]', '{"x": 1e400}'),
        ('["a",1,{}]', "[1,{}]"),
        ('["a",null]', "null"),
    ],
)
def test_request_when_an_event_then_keeps_the_text_of_its_data(payload: str, data: str) -> None:
    assert request_message(event(payload))["text"] == f'{{"event":"a","data":{data}}}'
    text = request_message(event(payload, "007"))["text"]
    assert text == f'{{"ref":"007","event":"a","data":{data}}}'


@pytest.mark.parametrize("payload", ["", "[", '["a",NaN]', '["a"]}', '["a"],"event":"b"}', '["a"]x'])
def test_request_when_not_json_then_is_a_frame_that_is_none_either(payload: str) -> None:
    text = request_message(event(payload, "7"))["text"]
    assert find_ref(text) == msgspec.Raw(b'"7"')
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(text)


@pytest.mark.parametrize("payload", ["{}", "[]", "5"])
def test_request_when_no_event_then_raises(payload: str) -> None:
    with pytest.raises(ValueError, match=r"list|unpack"):
        request_message(event(payload))


def test_frame_when_an_event_then_keeps_its_bytes() -> None:
    frame = decode_outgoing('{"event":"typing","data":{"a": 1}}')
    assert frame == Outgoing("typing", msgspec.Raw(b'{"a": 1}'))
    assert packets_of(frame) == ['2["typing",{"a": 1}]']


def test_frame_when_an_answer_then_is_an_acknowledgement() -> None:
    assert packets_of(decode_outgoing('{"event":"reply","ref":"7","data":{}}')) == ["37[{}]"]
    refused = packets_of(decode_outgoing('{"event":"error:invalid","ref":"7","data":{"a":1}}'))
    assert refused == ['2["error:invalid",{"a":1}]', '37[{"error":{"a":1}}]']
    assert packets_of(decode_outgoing('{"event":"error:invalid","data":{}}')) == ['2["error:invalid",{}]']


def test_refusal_when_made_then_has_the_error_and_its_namespace() -> None:
    packet = connect_error_packet(NotFound("Gone."), namespace="/x")
    expected = {"message": "Gone.", "data": {"code": "not_found", "message": "Gone.", "requestId": None}}
    assert (packet[:4], json.loads(packet[4:])) == ("4/x,", expected)
    packet = connect_error_packet(NotFound("Gone."), close_code=CloseCode.UNAUTHENTICATED)
    assert json.loads(packet[1:])["data"]["closeCode"] == 4401


def test_counted_packet_when_encoded_twice_then_counts_once() -> None:
    taken: list[None] = []
    packet = CountedPacket("2[]", lambda: taken.append(None))
    assert (packet.encode(), packet.encode(b64=True), len(taken)) == ("42[]", "42[]", 1)
