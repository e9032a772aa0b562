"""A clientMessageId names one message for ever, over every transport. Takes about three seconds."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser


@pytest.fixture
def room_id(ann: ChatUser, ben: ChatUser) -> str:
    return ann.make_room(ben)


def post(user: ChatUser, room_id: str, **body: Any) -> Any:
    return user.server.http(user).post(f"/api/rooms/{room_id}/messages", json={"content": "x", **body})


async def test_message_when_sent_again_then_the_first_is_returned(room_id: str, ann: ChatUser) -> None:
    data = {"roomId": room_id, "content": "x", "clientMessageId": "once", "meta": {"a": 1, "b": 2}}
    async with ann.connect() as one:
        first = await one.reply("message:send", data)
        again = await one.reply("message:send", data)
    async with ann.connect() as two:
        other = await two.reply("message:send", {**data, "meta": {"b": 2, "a": 1}})
        assert [frame for frame in await two.read_all() if frame["event"] == "message:receive"] == []
    over_rest = post(ann, room_id, clientMessageId="once", meta={"a": 1, "b": 2})
    assert first["duplicate"] is False
    assert again == other == {**first, "duplicate": True}
    assert over_rest.status_code == 200
    assert over_rest.json() == ann.history(room_id)[0]
    assert [message["id"] for message in ann.history(room_id)] == [first["serverMessageId"]]


async def test_message_when_first_sent_over_rest_then_the_socket_has_it_too(
    room_id: str, ann: ChatUser
) -> None:
    first = post(ann, room_id, clientMessageId="k" * 64)
    assert first.status_code == 201
    async with ann.connect() as client:
        data = {"roomId": room_id, "content": "x", "clientMessageId": "k" * 64}
        reply = await client.reply("message:send", data)
    assert (reply["serverMessageId"], reply["seq"], reply["duplicate"]) == (first.json()["id"], 1, True)


@pytest.mark.parametrize(
    "other", [{"content": "y"}, {"type": "other"}, {"meta": {"a": 1}}, {"content": "x "}], ids=str
)
async def test_client_id_when_used_for_other_content_then_conflicts(
    room_id: str, ann: ChatUser, other: dict[str, Any]
) -> None:
    first = post(ann, room_id, clientMessageId="mine").json()
    error_of(post(ann, room_id, clientMessageId="mine", **other), 409, "conflict", "clientMessageId")
    async with ann.connect() as client:
        data = {"roomId": room_id, "content": "x", "clientMessageId": "mine", **other}
        check_error(await client.error("message:send", data), "conflict", "clientMessageId")
    assert ann.history(room_id) == [first]


def test_client_id_when_of_another_user_or_room_then_is_a_new_message(
    room_id: str, ann: ChatUser, ben: ChatUser
) -> None:
    elsewhere = ann.make_room()
    answers = [post(ann, room_id, clientMessageId="k"), post(ben, room_id, clientMessageId="k")]
    answers.append(post(ann, elsewhere, clientMessageId="k"))
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.json()["id"] for answer in answers}) == 3


def test_message_when_edited_or_deleted_then_a_late_retry_finds_it(room_id: str, ann: ChatUser) -> None:
    edited, deleted = (post(ann, room_id, clientMessageId=key).json() for key in ("edited", "deleted"))
    path = f"/api/rooms/{room_id}/messages"
    ann.http.patch(f"{path}/{edited['id']}", json={"content": "changed"})
    ann.http.delete(f"{path}/{deleted['id']}")
    for key, first in (("edited", edited), ("deleted", deleted)):
        retry = post(ann, room_id, clientMessageId=key)
        assert (retry.status_code, retry.json()["id"], retry.json()["seq"]) == (
            200,
            first["id"],
            first["seq"],
        )
    error_of(
        post(ann, room_id, content="changed", clientMessageId="edited"), 409, "conflict", "clientMessageId"
    )
    assert [message["content"] for message in ann.history(room_id)] == ["changed", ""]


def mute(owner: ChatUser, room_id: str, user: ChatUser) -> Any:
    body = {"mutedUntil": "2099-01-01T00:00:00Z"}
    return owner.http.patch(f"/api/rooms/{room_id}/members/{user.id}", json=body)


def remove(owner: ChatUser, room_id: str, user: ChatUser) -> Any:
    return owner.http.delete(f"/api/rooms/{room_id}/members/{user.id}")


def delete(owner: ChatUser, room_id: str, user: ChatUser) -> Any:
    return owner.http.delete(f"/api/rooms/{room_id}")


@pytest.mark.parametrize(
    ("refuse", "status", "code"),
    [(mute, 403, "muted"), (remove, 404, "not_found"), (delete, 404, "not_found")],
)
async def test_message_when_its_sender_may_write_no_more_then_a_retry_finds_it(
    room_id: str, ann: ChatUser, ben: ChatUser, cleo: ChatUser, refuse: Any, status: int, code: str
) -> None:
    data = {"roomId": room_id, "content": "x", "clientMessageId": "late"}
    async with ben.connect() as client:
        first = await client.reply("message:send", data)
        assert refuse(ann, room_id, ben).status_code in (200, 204)
        assert await client.reply("message:send", data) == {**first, "duplicate": True}
        for other in ({"content": "y"}, {"clientMessageId": "new"}):
            check_error(await client.error("message:send", data | other), code)
            error_of(post(ben, room_id, **{"clientMessageId": "late", **other}), status, code)
    retry = post(ben, room_id, clientMessageId="late")
    assert (retry.status_code, retry.json()["id"]) == (200, first["serverMessageId"])
    # Somebody else learns nothing by this id.
    error_of(post(cleo, room_id, clientMessageId="late"), 404, "not_found")


async def test_message_when_its_sender_is_limited_then_a_retry_finds_it(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_MESSAGES_USER="2/1d")
    user, other = server.sign_up(), server.sign_up()
    room_id = user.make_room()
    async with user.connect() as client:
        to_room, to_user = (
            {**where, "content": "x", "clientMessageId": "k"}
            for where in ({"roomId": room_id}, {"toUserId": other.id})
        )
        for data in (to_room, to_user):
            first = await client.reply("message:send", data)
            if data is to_room:
                continue
            assert await client.reply("message:send", data) == {**first, "duplicate": True}
        check_error(await client.error("message:send", to_room | {"clientMessageId": "new"}), "rate_limited")
    assert post(user, room_id, clientMessageId="k").status_code == 200
    error_of(post(user, room_id), 429, "rate_limited")


async def test_message_when_sent_concurrently_then_is_stored_once(room_id: str, ann: ChatUser) -> None:
    data = {"roomId": room_id, "content": "x", "clientMessageId": "race"}
    async with ann.connect() as one, ann.connect() as two:
        with ThreadPoolExecutor(4) as pool:
            running = asyncio.get_running_loop()
            over_rest = [
                running.run_in_executor(pool, lambda: post(ann, room_id, clientMessageId="race"))
                for _ in range(8)
            ]
            for n in range(10):
                for client in (one, two):
                    await client.send("message:send", data, ref=n)
            answers = [await answer for answer in over_rest]
        replies = [
            (await client.expect(lambda frame, n=n: frame.get("ref") == n))["data"]
            for client in (one, two)
            for n in range(10)
        ]
        received = [
            frame for frame in [*await one.read_all(), *one.frames] if frame["event"] == "message:receive"
        ]
    first_ones = [reply["duplicate"] for reply in replies].count(False)
    assert first_ones + [answer.status_code for answer in answers].count(201) == 1
    assert {reply["seq"] for reply in replies} | {answer.json()["seq"] for answer in answers} == {1}
    assert len({message["data"]["id"] for message in received}) == 1
    assert len(ann.history(room_id)) == 1


async def test_client_id_when_contents_race_then_one_wins_and_others_conflict(
    room_id: str, ann: ChatUser
) -> None:
    async with ann.connect() as client:
        for n in range(6):
            data = {"roomId": room_id, "content": f"c{n % 2}", "clientMessageId": "race"}
            await client.send("message:send", data, ref=n)
        answers = [await client.expect(lambda frame, n=n: frame.get("ref") == n) for n in range(6)]
    won = ann.history(room_id)
    assert len(won) == 1
    for n, answer in enumerate(answers):
        same = f"c{n % 2}" == won[0]["content"]
        assert answer["event"] == ("reply" if same else "error:conflict")
