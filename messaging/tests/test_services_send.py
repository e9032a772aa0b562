"""Sending over socket and REST: one shape, one order without gaps. Takes about six seconds."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.kit.clients import ChatSocketClient
from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

NOBODY = "01900000-0000-7000-8000-000000000000"
MESSAGE_KEYS = {
    "id", "serverMessageId", "roomId", "seq", "from", "to", "content", "type", "replyTo", "meta",
    "clientMessageId", "createdAt", "editedAt",
}  # fmt: skip
REPLY_KEYS = {"serverMessageId", "roomId", "seq", "createdAt", "clientMessageId", "duplicate"}


async def receive(client: ChatSocketClient, room_id: str) -> dict[str, Any]:
    frame = await client.expect(
        lambda frame: frame["event"] == "message:receive" and frame["data"]["roomId"] == room_id
    )
    return dict(frame["data"])


@pytest.fixture
def room_id(ann: ChatUser, ben: ChatUser) -> str:
    return ann.make_room(ben)


@pytest.mark.smoke
async def test_message_when_sent_over_socket_or_rest_then_all_get_the_same(
    room_id: str, ann: ChatUser, ben: ChatUser
) -> None:
    first = ann.send(room_id, "first")
    full = {
        "content": "Grüße 👋\n\tzwei",
        "type": "greeting.v1",
        "replyTo": first["id"],
        "meta": {"k": [1, None]},
    }
    async with ann.connect() as phone, ann.connect() as laptop, ben.connect() as bens:
        reply = await phone.reply("message:send", {"roomId": room_id, "clientMessageId": "a", **full})
        over_rest = ann.http.post(f"/api/rooms/{room_id}/messages", json={"clientMessageId": "b", **full})
        assert over_rest.status_code == 201
        received = [[await receive(client, room_id) for _ in range(2)] for client in (phone, laptop, bens)]
    assert received[0] == received[1] == received[2] == ben.history(room_id)[1:] == ann.history(room_id)[1:]
    socket_message, rest_message = received[0]
    assert rest_message == over_rest.json()
    assert set(socket_message) == set(rest_message) == MESSAGE_KEYS
    own = {"id", "serverMessageId", "seq", "clientMessageId", "createdAt"}
    assert {k: v for k, v in socket_message.items() if k not in own} == {
        k: v for k, v in rest_message.items() if k not in own
    }
    assert {name: socket_message[name] for name in full} == full
    assert (socket_message["from"], socket_message["to"], socket_message["editedAt"]) == (ann.id, None, None)
    assert socket_message["id"] == socket_message["serverMessageId"]
    assert socket_message["id"][14] == "7"
    assert socket_message["id"] < rest_message["id"]
    assert set(reply) == REPLY_KEYS
    assert reply == {
        **{name: socket_message[name] for name in REPLY_KEYS - {"duplicate"}},
        "duplicate": False,
    }


async def test_message_when_received_then_is_in_history_already(
    room_id: str, ann: ChatUser, ben: ChatUser
) -> None:
    async with ann.connect() as anns, ben.connect() as bens:
        for n in range(5):
            await anns.send("message:send", {"roomId": room_id, "content": f"m{n}"})
            message = await receive(bens, room_id)
            assert ben.history(room_id, limit=1) == [message]


async def test_message_when_sent_without_ref_then_gets_no_reply(room_id: str, ann: ChatUser) -> None:
    async with ann.connect() as client:
        await client.send("message:send", {"roomId": room_id, "content": "quiet"})
        assert (await receive(client, room_id))["content"] == "quiet"
        assert [frame for frame in await client.read_all() if frame["event"] == "reply"] == []


async def test_message_when_sent_to_a_user_then_goes_to_the_one_direct_room(
    server: ChatServer, ann: ChatUser
) -> None:
    other = server.sign_up()
    async with ann.connect() as anns, other.connect() as others:
        sent = [await anns.reply("message:send", {"toUserId": other.id, "content": "hi"})]
        sent.append(await others.reply("message:send", {"toUserId": ann.id, "content": "hi back"}))
        added = await others.expect("room:added")
        received = [await receive(anns, sent[0]["roomId"]) for _ in range(2)]
    assert sent[0]["roomId"] == sent[1]["roomId"] == added["data"]["id"]
    assert [reply["seq"] for reply in sent] == [1, 2]
    assert [(message["from"], message["to"]) for message in received] == [
        (ann.id, other.id),
        (other.id, ann.id),
    ]
    direct = other.http.post("/api/rooms/direct", json={"userId": ann.id})
    assert (direct.status_code, direct.json()["id"]) == (200, sent[0]["roomId"])


async def test_first_message_when_to_a_new_direct_room_then_is_not_missed(server: ChatServer) -> None:
    """The sockets may not be subscribed to the room yet: they get the message live or by resume."""
    one, other = server.sign_up(), server.sign_up()
    async with other.connect() as client:
        sent = await asyncio.to_thread(
            lambda: one.http.post("/api/rooms/direct", json={"userId": other.id}).json()["id"]
        )
        one.send(sent, "first")
        added = (await client.expect("room:added"))["data"]
        if added["lastSeq"] == 0:
            assert (await receive(client, sent))["seq"] == 1


def rooms_of(user: ChatUser) -> list[str]:
    return [room["id"] for room in user.http.get("/api/rooms").json()["results"]]


async def test_first_message_when_refused_then_no_room_is_made(server: ChatServer) -> None:
    one, other = server.sign_up(), server.sign_up()
    refused: list[tuple[dict[str, Any], str]] = [
        ({"replyTo": NOBODY}, "replyTo"),
        ({"content": " "}, "content"),
        ({"type": "system"}, "type"),
        ({"meta": {"big": "x" * 5000}}, "meta"),
        ({"clientMessageId": "\x00"}, "clientMessageId"),
        ({"toUserId": NOBODY}, "toUserId"),
    ]
    async with one.connect() as ones, other.connect() as others:
        for fields, field in refused:
            data = {"toUserId": other.id, "content": "x", **fields}
            check_error(await ones.error("message:send", data), "invalid", field)
        assert "room:added" not in [frame["event"] for frame in [*await others.read_all(), *ones.frames]]
        assert (rooms_of(one), rooms_of(other)) == ([], [])
        await ones.reply("message:send", {"toUserId": other.id, "content": "x"})
        await others.expect("room:added")
    assert rooms_of(one) == rooms_of(other) != []


MAKE_DIRECT = """
from uuid import UUID, uuid4
from rooms.models import Membership
from rooms.services.direct import make_direct
one, other = UUID("{one}"), UUID("{other}")
room, _, _ = make_direct(user_id=one, other_id=other, room_id=uuid4())
Membership.objects.filter(room=room, user_id__in=[{lost}]).delete()
"""


@pytest.mark.parametrize("lost", ["", "one", "other", "one, other"])
async def test_first_message_when_an_earlier_one_left_a_room_then_both_are_told(
    server: ChatServer, lost: str
) -> None:
    """An earlier attempt died after it had made the room, or a part of it, and before it stored the message."""
    one, other = server.sign_up(), server.sign_up()
    server.manage("shell", "-v0", "-c", MAKE_DIRECT.format(one=one.id, other=other.id, lost=lost))
    async with one.connect() as ones, other.connect() as others:
        sent = await ones.reply("message:send", {"toUserId": other.id, "content": "x"})
        for client in (ones, others):
            assert (await client.expect("room:added"))["data"]["id"] == sent["roomId"]
            await client.read_all()
    assert rooms_of(one) == rooms_of(other) == [sent["roomId"]]
    assert [message["content"] for message in other.history(sent["roomId"])] == ["x"]


async def test_message_when_to_neither_or_both_room_and_user_then_is_invalid(
    room_id: str, ann: ChatUser, ben: ChatUser
) -> None:
    async with ann.connect() as client:
        for where in ({}, {"roomId": room_id, "toUserId": ben.id}):
            check_error(await client.error("message:send", {"content": "x", **where}), "invalid", "roomId")
        for to_user_id in (NOBODY, "x"):
            error = await client.error("message:send", {"content": "x", "toUserId": to_user_id})
            assert set(error["fields"]) <= {"userId", "toUserId"}
            assert error["code"] == "invalid"
        check_error(await client.error("message:send", {"content": "x", "roomId": "x"}), "invalid", "roomId")


async def test_reply_when_to_another_rooms_message_then_is_invalid(room_id: str, ann: ChatUser) -> None:
    elsewhere = ann.send(ann.make_room(), "x")["id"]
    body = {"content": "x", "replyTo": elsewhere}
    error_of(ann.http.post(f"/api/rooms/{room_id}/messages", json=body), 400, "invalid", "replyTo")
    async with ann.connect() as client:
        check_error(await client.error("message:send", {"roomId": room_id, **body}), "invalid", "replyTo")


@pytest.mark.smoke
async def test_seq_when_many_send_at_once_then_has_no_gap_and_no_repeat(
    room_id: str, ann: ChatUser, ben: ChatUser
) -> None:
    async with ann.connect() as one, ann.connect() as two, ben.connect() as three:
        with ThreadPoolExecutor(4) as pool:
            over_rest = [
                asyncio.get_running_loop().run_in_executor(
                    pool, lambda user=user, n=n: user.server.http(user).post(
                        f"/api/rooms/{room_id}/messages", json={"content": f"rest {n}"}
                    ).json()["seq"]
                )
                for n, user in enumerate((ann, ben) * 5)
            ]  # fmt: skip
            for n in range(20):
                for client in (one, two, three):
                    await client.send("message:send", {"roomId": room_id, "content": f"socket {n}"}, ref=n)
            seqs = [await answer for answer in over_rest]
        for client in (one, two, three):
            replies = [
                await client.expect(lambda frame, n=n: frame.get("ref") == n and frame["event"] == "reply")
                for n in range(20)
            ]
            seqs += [reply["data"]["seq"] for reply in replies]
            received = [await receive(client, room_id) for _ in range(70)]
            assert [message["seq"] for message in received] == list(range(1, 71))
    assert sorted(seqs) == list(range(1, 71))
    assert [message["seq"] for message in ann.history(room_id)] == list(range(1, 71))
    for name in (ann.id, ben.id):
        own = [
            m["content"] for m in ann.history(room_id) if m["from"] == name and m["content"].startswith("s")
        ]
        numbers = [int(content.split()[1]) for content in own]
        assert sorted(numbers) == sorted([*range(20)] * (2 if name == ann.id else 1))
