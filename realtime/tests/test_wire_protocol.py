"""The two steps of decoding a frame, and the frames that answer it."""

import msgspec
import pytest

from foundation.errors import Invalid
from realtime.wire.protocol import (
    Wire,
    decode_data,
    decode_envelope,
    encode_error,
    encode_reply,
    json_schema,
    split_path,
    to_builtins,
)
from realtime.wire.refs import NO_REF

pytestmark = pytest.mark.once  # text in memory

A_REF = msgspec.Raw(b'"a"')


class Greeting(Wire):
    """A greeting.

    With a second paragraph.
    """

    room_id: str
    times: int = 1


def test_envelope_when_valid_then_its_data_are_decoded_second() -> None:
    envelope = decode_envelope('{"event": "greet", "ref": 7, "data": {"roomId": "r"}}')
    assert (envelope.event, bytes(envelope.ref)) == ("greet", b"7")
    assert decode_data(envelope.data, Greeting) == Greeting(room_id="r")


def test_envelope_when_without_data_then_has_an_empty_object() -> None:
    with pytest.raises(Invalid) as refused:
        decode_data(decode_envelope('{"event": "greet"}').data, Greeting)
    assert list(refused.value.fields or {}) == ["roomId"]


@pytest.mark.parametrize(
    ("data", "field"),
    [(b'{"roomId": 5}', "roomId"), (b'{"roomId": "r", "more": 1}', "more"), (b"{}", "roomId")],
)
def test_data_when_wrong_then_the_error_names_the_field(data: bytes, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode_data(msgspec.Raw(data), Greeting)
    assert list(refused.value.fields or {}) == [field]


@pytest.mark.parametrize("frame", ["", "{", "[" * 30_000, "5", '{"ref": 1}', b"\xff"])
def test_frame_when_it_is_no_envelope_then_is_invalid(frame: str | bytes) -> None:
    with pytest.raises(Invalid):
        decode_envelope(frame)


@pytest.mark.parametrize("escape", [r"\ud83d", r"\uDE00", r"\ud83d\ud83d", r"\ude00\ud83d"])
def test_frame_when_half_of_a_character_then_the_error_says_so(escape: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode_envelope(f'{{"event": "greet", "data": "{escape}"}}')
    assert "half of a character" in str(refused.value)


def test_answers_when_encoded_then_have_the_ref() -> None:
    reply = msgspec.json.decode(encode_reply(A_REF, Greeting(room_id="r")))
    assert reply == {"event": "reply", "ref": "a", "data": {"roomId": "r", "times": 1}}
    error = msgspec.json.decode(encode_error(Invalid("No."), ref=A_REF, request_id="c.1"))
    assert (error["event"], error["ref"], error["data"]["requestId"]) == ("error:invalid", "a", "c.1")
    assert "ref" not in msgspec.json.decode(encode_error(Invalid("No."), ref=NO_REF, request_id=None))


def test_split_path_when_msgspec_names_a_field_then_finds_it() -> None:
    assert split_path("Expected `str`, got `int` - at `$.roomId`") == ("Expected `str`, got `int`", "roomId")
    assert split_path("Object missing required field `roomId`")[1] == "roomId"
    assert split_path("Expected `object`, got `array`")[1] == ""


def test_json_schema_when_made_then_has_the_docstring_as_markdown() -> None:
    schema, components = json_schema(Greeting, ref_template="#/{name}")
    assert schema == {"$ref": "#/Greeting"}
    assert components["Greeting"]["description"] == "A greeting.\n\nWith a second paragraph."
    assert to_builtins(Greeting(room_id="r")) == {"roomId": "r", "times": 1}
