"""What a message may contain, over socket and REST. Takes about four seconds."""

from typing import Any

import pytest

from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .test_services_send import NOBODY


@pytest.fixture
def room_id(ann: ChatUser, ben: ChatUser) -> str:
    return ann.make_room(ben)


@pytest.fixture(scope="module")
def hermit(server: ChatServer) -> ChatUser:
    """A user who shares no room with others, and therefore gets no presence events."""
    return server.sign_up("hermit")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"content": ""}, "content"),
        ({"content": " \n\t "}, "content"),
        ({"content": "\u200b\u2060\ufeff"}, "content"),
        ({"content": "\u3164\u2800\u00ad"}, "content"),
        ({"content": "\u202e\U000e0041\ufe0f"}, "content"),
        ({"content": "x" * 4001}, "content"),
        ({"content": "a\x00b"}, "content"),
        ({"content": "a\x1b[31mb"}, "content"),
        ({"content": 5}, "content"),
        ({"content": None}, "content"),
        ({"content": ["x"]}, "content"),
        ({}, "content"),
        ({"content": "x", "type": ""}, "type"),
        ({"content": "x", "type": "Text"}, "type"),
        ({"content": "x", "type": "text\n"}, "type"),
        ({"content": "x", "type": "a" * 33}, "type"),
        ({"content": "x", "type": "deleted"}, "type"),
        ({"content": "x", "type": "system"}, "type"),
        ({"content": "x", "type": "system.notice"}, "type"),
        ({"content": "x", "type": "room.removed"}, "type"),
        ({"content": "x", "type": "message.deleted"}, "type"),
        ({"content": "x", "type": 5}, "type"),
        ({"content": "x", "clientMessageId": ""}, "clientMessageId"),
        ({"content": "x", "clientMessageId": "c" * 65}, "clientMessageId"),
        ({"content": "x", "clientMessageId": "a\x00"}, "clientMessageId"),
        ({"content": "x", "clientMessageId": 7}, "clientMessageId"),
        ({"content": "x", "replyTo": "x"}, "replyTo"),
        ({"content": "x", "replyTo": NOBODY}, "replyTo"),
        ({"content": "x", "replyTo": 1}, "replyTo"),
        ({"content": "x", "meta": "x"}, "meta"),
        ({"content": "x", "meta": [1]}, "meta"),
        ({"content": "x", "meta": {"big": "x" * 4096}}, "meta"),
        ({"content": "x", "meta": {"nul": "\x00"}}, "meta"),
        ({"content": "x", "meta": {"\x00": 1}}, "meta"),
        ({"content": "x", "meta": {"n": 2**53}}, "meta"),
        ({"content": "x", "meta": {"n": -(2**64)}}, "meta"),
        ({"content": "x", "seq": 1}, "seq"),
        ({"content": "x", "from": NOBODY}, "from"),
    ],
)
async def test_message_when_a_field_is_bad_then_both_name_it_and_store_nothing(
    hermit: ChatUser, data: dict[str, Any], field: str
) -> None:
    room_id = hermit.make_room()
    error_of(hermit.http.post(f"/api/rooms/{room_id}/messages", json=data), 400, "invalid", field)
    async with hermit.connect() as client:
        check_error(await client.error("message:send", {"roomId": room_id, **data}), "invalid", field)
        assert await client.read_all() == []
    assert hermit.history(room_id) == []


def test_type_when_it_only_begins_like_a_reserved_one_then_is_stored(room_id: str, ann: ChatUser) -> None:
    for type in ("systems", "system-notice", "room", "rooms.x", "message", "deleted.x", "text.system.x"):
        assert ann.send(room_id, "x", type=type)["type"] == type


async def test_message_when_it_has_lone_surrogates_then_is_invalid(room_id: str, ann: ChatUser) -> None:
    async with ann.connect() as client:
        for bad in (r"\ud800", r"\udc00\ud800", r"x\udfff"):
            body = f'{{"content": "{bad}"}}'
            json = {"Content-Type": "application/json"}
            answer = ann.http.post(f"/api/rooms/{room_id}/messages", content=body, headers=json)
            error_of(answer, 400, "invalid")
            await client.send_raw(
                f'{{"event": "message:send", "data": {{"roomId": "{room_id}", "content": "{bad}"}}}}'
            )
            check_error((await client.expect("error:invalid"))["data"], "invalid")
        await client.reply("ping")
    assert ann.history(room_id) == []


def nested(depth: int) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for _ in range(depth):
        meta = {"a": meta}
    return meta


async def test_meta_when_at_its_limits_then_is_stored_unchanged(room_id: str, ann: ChatUser) -> None:
    for meta in ({"t": "x" * (4096 - 8)}, nested(18), {"n": 2**53 - 1, "f": 1.5, "$where": "1", "a.b": None}):
        assert ann.send(room_id, "x", meta=meta)["meta"] == meta
    assert [message["meta"].get("n") for message in ann.history(room_id)][-1] == 2**53 - 1
    async with ann.connect() as client:
        deep = {"roomId": room_id, "content": "x", "meta": nested(40)}
        check_error(await client.error("message:send", deep), "invalid", "meta")
        await client.send_raw(
            f'{{"event":"message:send","ref":1,"data":{{"roomId":"{room_id}","content":"x","meta":'
            + '{"a":' * 5000 + "1" + "}" * 5000 + "}}"
        )  # fmt: skip
        assert (await client.expect(lambda frame: frame["event"] == "error:invalid"))["data"][
            "code"
        ] == "invalid"
        await client.reply("ping")


def test_content_when_at_its_limit_then_is_stored_unchanged(room_id: str, ann: ChatUser) -> None:
    for content in (
        "x" * 4000,
        "😀" * 4000,
        "  spaces at both ends  ",
        "<b>&amp;</b>",
        "\u202eright to left",
    ):
        assert ann.send(room_id, content)["content"] == content
    assert ann.history(room_id)[1]["content"] == "😀" * 4000
