"""Ids and times have one parser: REST bodies, paths and queries, and the socket, give the same verdict."""

import json
from typing import Any

import pytest

from tests.kit.errors import check_error, error_of
from tests.kit.users import ChatUser

JSON = {"Content-Type": "application/json"}
BAD_TIMES = [
    "2099-12-24T20:00:00", "2099-12-24", "2099-12-24 20:00:00Z", "20991224T200000Z", "2099-W52-4T20:00:00Z",
    "2099-12-24T24:00:00Z", "2099-12-31T23:59:60Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00+23:59", "2099-12-24T20:00:00+0100", "tomorrow", "9" * 400, "",
]  # fmt: skip
GOOD_TIMES = [
    "2099-12-24T20:00:00Z",
    "2099-12-24t20:00:00.5z",
    "2099-12-24T20:00:00-03:30",
    "9999-12-31T23:59:59Z",
]


def bad_ids(right: str) -> list[Any]:
    return [
        right.replace("-", ""), "{" + right + "}", "urn:uuid:" + right, right + " ", right[:-1] + "\uff15", "x", "",
        5, True, 1.5, [right], {}, None,
    ]  # fmt: skip


async def test_id_when_written_otherwise_then_rest_and_socket_refuse(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben)
    async with ann.connect() as client:
        for value in bad_ids(ben.id):
            error_of(ann.http.post("/api/rooms/direct", json={"userId": value}), 400, "invalid", "userId")
            answer = ann.http.post("/api/rooms", json={"name": "x", "memberIds": [value]})
            error_of(answer, 400, "invalid", "memberIds.0")
            member = {"userId": value}
            error_of(ann.http.post(f"/api/rooms/{room_id}/members", json=member), 400, "invalid", "userId")
            error = await client.error("presence:query", {"userIds": [value]})
            check_error(error, "invalid", "userIds[0]")
            # `null` is no direct message here, and no reply there.
            if value is not None:
                message = {"content": "x", "toUserId": value}
                check_error(await client.error("message:send", message), "invalid", "toUserId")
                reply = {"content": "x", "replyTo": value}
                answer = ann.http.post(f"/api/rooms/{room_id}/messages", json=reply)
                error_of(answer, 400, "invalid", "replyTo")
            if isinstance(value, str) and value:
                error_of(ann.http.get(f"/api/users/{value}"), 404, "not_found")
                query = {"q": "x", "roomId": value}
                error_of(ann.http.get("/api/messages/search", params=query), 400, "invalid", "roomId")
                error = await client.error("resume", {"rooms": {value: 0}})
                check_error(error, "invalid", "rooms")
    assert [member["userId"] for member in ann.http.get(f"/api/rooms/{room_id}").json()["members"]]


async def test_id_when_in_capitals_then_is_answered_in_small_letters(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben)
    message = ann.send(room_id.upper(), "x")
    assert message["roomId"] == room_id
    assert ann.http.get(f"/api/rooms/{room_id.upper()}").json()["id"] == room_id
    assert ann.http.post("/api/rooms/direct", json={"userId": ben.id.upper()}).json()["to"] == ben.id
    found = ann.http.get("/api/messages/search", params={"q": "x", "roomId": room_id.upper()}).json()
    assert [one["id"] for one in found["results"]] == [message["id"]]
    async with ann.connect() as client:
        sent = await client.reply("message:send", {"content": "y", "roomId": room_id.upper()})
        assert sent["roomId"] == room_id
        resumed = await client.reply("resume", {"rooms": {room_id.upper(): 0}})
        assert list(resumed["rooms"]) == [room_id]


@pytest.mark.parametrize("text", BAD_TIMES)
async def test_time_when_it_is_not_rfc_3339_then_all_refuse(ann: ChatUser, ben: ChatUser, text: str) -> None:
    room_id = ann.make_room(ben)
    path = f"/api/rooms/{room_id}"
    answer = ann.http.patch(f"{path}/members/{ben.id}", json={"mutedUntil": text})
    error_of(answer, 400, "invalid", "mutedUntil")
    for anchor in ("before", "after", "around"):
        # A seq may have any number of digits.
        if not text.isdigit():
            error_of(ann.http.get(f"{path}/messages", params={anchor: text}), 400, "invalid", anchor)
    async with ann.connect() as client:
        check_error(await client.error("resume", {"rooms": {room_id: 0}, "since": text}), "invalid", "since")


@pytest.mark.parametrize("value", [5, 0, 1.5, True, [], {}, "2099-12-24T20:00:00\u0000Z"])
def test_time_when_it_is_no_text_then_is_refused(ann: ChatUser, ben: ChatUser, value: Any) -> None:
    room_id = ann.make_room(ben)
    answer = ann.http.patch(f"/api/rooms/{room_id}/members/{ben.id}", json={"mutedUntil": value})
    error_of(answer, 400, "invalid", "mutedUntil")


@pytest.mark.parametrize("text", GOOD_TIMES)
async def test_time_when_it_is_rfc_3339_then_all_take_it(ann: ChatUser, ben: ChatUser, text: str) -> None:
    room_id = ann.make_room(ben)
    path = f"/api/rooms/{room_id}"
    member = ann.http.patch(f"{path}/members/{ben.id}", json={"mutedUntil": text}).json()
    assert member["mutedUntil"].endswith("Z")
    for anchor in ("before", "after", "around"):
        assert ann.http.get(f"{path}/messages", params={anchor: text}).status_code == 200
    async with ann.connect() as client:
        await client.reply("resume", {"rooms": {room_id: 0}, "since": text})


BAD_JSON = [
    '{"name": "x", "meta": {"a": NaN}}', '{"name": "x", "meta": {"a": Infinity}}',
    '{"name": "x", "meta": {"a": 1e400}}',
    '{"name": "x", "meta": {"a": "\\ud800"}}', '{"name": "x", "meta": {"\\ud800": 1}}',
    '{"name": "x", "meta": {"a": ' + "9" * 400 + "}}", '{"name": "x", "meta": {"a": -' + "9" * 30 + "}}",
    '{"name": "x", "meta": ' + '{"a":' * 2000 + "1" + "}" * 2001, '{"name": "x", "meta": {"a": 01}}',
    '\ufeff{"name": "x"}', "{'name': 'x'}", '{"name": "x",}', '{"name": "x"}x', "",
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_JSON, ids=lambda body: ascii(body)[:50])
async def test_json_when_it_is_bad_then_rest_and_socket_refuse(ann: ChatUser, body: str) -> None:
    answer = ann.http.post("/api/rooms", content=body.encode(), headers=JSON)
    assert answer.status_code == 400, answer.text
    check_error(answer.json()["error"], "invalid", *answer.json()["error"].get("fields", {}))
    async with ann.connect() as client:
        data = body.replace('"name"', '"content"') or "x"
        await client.send_raw(f'{{"event": "message:send", "ref": 1, "data": {data}}}')
        answered = await client.expect(lambda frame: frame["event"].startswith("error:"))
        assert answered["event"] == "error:invalid"
        await client.reply("ping")


async def test_json_when_a_key_is_given_twice_then_the_last_one_counts(ann: ChatUser, ben: ChatUser) -> None:
    answer = ann.http.post("/api/rooms", content=b'{"name": "a", "name": "b"}', headers=JSON)
    assert answer.json()["name"] == "b"
    room_id = json.dumps(answer.json()["id"])
    async with ann.connect() as client:
        data = f'{{"content": "a", "roomId": {room_id}, "content": "b"}}'
        await client.send_raw(f'{{"event": "message:send", "ref": 1, "data": {data}}}')
        await client.expect("reply")
    assert [message["content"] for message in ann.history(answer.json()["id"])] == ["b"]
