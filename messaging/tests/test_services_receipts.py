"""Receipts and unread counts from watermarks, and reports. Takes about three seconds."""

from typing import Any

import pytest

from tests.kit.errors import check_error, error_of
from tests.kit.users import ChatUser

from .test_services_send import NOBODY


@pytest.fixture
def room_id(ann: ChatUser, ben: ChatUser, cleo: ChatUser) -> str:
    return ann.make_room(ben, cleo)


def unread(user: ChatUser, room_id: str) -> int:
    return int(user.http.get(f"/api/rooms/{room_id}").json()["unreadCount"])


def receipts(user: ChatUser, message: dict[str, Any]) -> dict[str, set[str]]:
    answer = user.http.get(f"/api/rooms/{message['roomId']}/messages/{message['id']}/receipts")
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["deliveredTo", "readBy"]
    return {name: set(users) for name, users in answer.json().items()}


@pytest.mark.smoke
async def test_ack_when_sent_then_watermarks_move_up_and_are_published_once(
    room_id: str, ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    first, second, third = (ann.send(room_id, f"m{n}") for n in range(3))
    assert (unread(ben, room_id), unread(ann, room_id)) == (3, 0)
    async with ann.connect() as anns, ben.connect() as bens:

        async def ack(**data: Any) -> Any:
            return await bens.reply("message:ack", {"roomId": room_id, **data})

        base = {"roomId": room_id, "userId": ben.id}
        moved = {**base, "deliveredSeq": 2, "readSeq": 0}
        assert await ack(seq=2, status="delivered") == moved
        assert (await anns.expect("message:ack"))["data"] == moved
        moved = {**base, "deliveredSeq": 2, "readSeq": 1}
        assert await ack(messageId=first["id"], status="read") == moved
        assert (await anns.expect("message:ack"))["data"] == moved
        assert await ack(seq=1, status="delivered") == moved
        assert await ack(seq=1, status="read") == moved
        assert receipts(ann, first) == {"deliveredTo": {ben.id}, "readBy": {ben.id}}
        assert receipts(cleo, second) == {"deliveredTo": {ben.id}, "readBy": set()}
        assert receipts(ben, third) == {"deliveredTo": set(), "readBy": set()}
        assert unread(ben, room_id) == 2
        moved = {**base, "deliveredSeq": 3, "readSeq": 3}
        assert await ack(seq=3, status="read") == moved
        assert (await anns.expect("message:ack"))["data"] == moved
        assert [frame for frame in await anns.read_all() if frame["event"] == "message:ack"] == []
    assert receipts(ann, third) == {"deliveredTo": {ben.id}, "readBy": {ben.id}}
    assert unread(ben, room_id) == 0
    member = next(m for m in ann.http.get(f"/api/rooms/{room_id}").json()["members"] if m["userId"] == ben.id)
    assert (member["deliveredSeq"], member["readSeq"]) == (3, 3)
    ben.send(room_id, "mine")
    assert (unread(ben, room_id), unread(ann, room_id), unread(cleo, room_id)) == (0, 1, 4)


def test_member_when_added_after_a_message_then_is_never_its_reader(
    ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    room_id = ann.make_room(ben)
    before = ann.send(room_id, "before")
    assert ann.http.post(f"/api/rooms/{room_id}/members", json={"userId": cleo.id}).status_code == 201
    assert receipts(ann, before) == {"deliveredTo": set(), "readBy": set()}
    after = ann.send(room_id, "after")
    cleo.send(room_id, "I have read what is above")
    assert receipts(ann, after) == {"deliveredTo": {cleo.id}, "readBy": {cleo.id}}
    assert receipts(ann, before) == {"deliveredTo": set(), "readBy": set()}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"status": "read"}, "seq"),
        ({"status": "read", "seq": 1, "messageId": NOBODY}, "seq"),
        ({"status": "seen", "seq": 1}, "status"),
        ({"seq": 1}, "status"),
        ({"status": "read", "seq": 0}, "seq"),
        ({"status": "read", "seq": -1}, "seq"),
        ({"status": "read", "seq": 2}, "seq"),
        ({"status": "read", "seq": 10**30}, "seq"),
        ({"status": "read", "seq": "1"}, "seq"),
        ({"status": "read", "messageId": "x"}, "messageId"),
        ({"status": "read", "seq": 1, "userId": NOBODY}, "userId"),
    ],
)
async def test_ack_when_its_fields_are_bad_then_moves_nothing(
    room_id: str, ann: ChatUser, ben: ChatUser, data: dict[str, Any], field: str
) -> None:
    ann.send(room_id, "x")
    async with ben.connect() as client:
        check_error(await client.error("message:ack", {"roomId": room_id, **data}), "invalid", field)
    assert unread(ben, room_id) == 1


async def test_ack_when_the_message_is_of_another_room_then_is_not_found(room_id: str, ann: ChatUser) -> None:
    elsewhere = ann.send(ann.make_room(), "x")["id"]
    async with ann.connect() as client:
        data = {"roomId": room_id, "status": "read"}
        for message_id in (elsewhere, NOBODY):
            check_error(await client.error("message:ack", {**data, "messageId": message_id}), "not_found")
            path = f"/api/rooms/{room_id}/messages/{message_id}"
            error_of(ann.http.get(f"{path}/receipts"), 404, "not_found")
            error_of(ann.http.post(f"{path}/report", json={"reason": "x"}), 404, "not_found")


def test_message_when_reported_again_by_a_member_then_conflicts(
    room_id: str, ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    message = ann.send(room_id, "x")
    path = f"/api/rooms/{room_id}/messages/{message['id']}/report"
    for user in (ben, cleo):
        assert user.http.post(path, json={"reason": "spam"}).status_code == 201
        error_of(user.http.post(path, json={"reason": "again"}), 409, "conflict")
    for body in ({}, {"reason": ""}, {"reason": "x" * 1001}, {"reason": 5}, {"reason": "\x00"}):
        error_of(ann.http.post(path, json=body), 400, "invalid", "reason")
    error_of(ann.http.post(path, json={"reason": "x", "userId": ben.id}), 400, "invalid", "userId")
