"""One clientMessageId makes one message: over sockets and REST, in every process, and a day later."""

import asyncio
import uuid
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

PARALLEL = 100


async def test_message_when_its_id_is_sent_a_hundred_times_then_is_stored_once(
    pair: list[ChatServer],
) -> None:
    one, two = pair
    alice, bob = one.sign_up("alice"), one.sign_up("bob")
    room_id = alice.make_room(bob)
    alice.send(room_id, "before")
    key = uuid.uuid4().hex
    data = {"roomId": room_id, "content": "once", "clientMessageId": key}
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(alice.on(server).connect()) for server in (one, two) * 2]
        listener = await stack.enter_async_context(bob.on(two).connect())

        async def rest(user: ChatUser) -> dict[str, Any]:
            sent = await asyncio.to_thread(user.send, room_id, "once", clientMessageId=key)
            return {
                "serverMessageId": sent["id"],
                "seq": sent["seq"],
                "clientMessageId": sent["clientMessageId"],
            }

        async def socket(number: int) -> list[dict[str, Any]]:
            client = sockets[number]
            for turn in range(PARALLEL * 4 // 5 // len(sockets)):
                await client.send("message:send", data, ref=f"s{turn}")
            answers = []
            for turn in range(PARALLEL * 4 // 5 // len(sockets)):
                frame = await client.expect(lambda frame, ref=f"s{turn}": frame.get("ref") == ref)
                answers.append(frame["data"])
            return answers

        by_rest = [rest(alice.on(server)) for server in (one, two) * (PARALLEL // 10)]
        by_socket = [socket(number) for number in range(len(sockets))]
        results = await asyncio.gather(*by_rest, *by_socket)
        answers = [
            answer for result in results for answer in (result if isinstance(result, list) else [result])
        ]
        assert len(answers) == PARALLEL
        assert {
            (answer["serverMessageId"], answer["seq"], answer["clientMessageId"]) for answer in answers
        } == {(answers[0]["serverMessageId"], 2, key)}
        alice.send(room_id, "after")
        await listener.expect(lambda frame: frame["event"] == "message:receive" and frame["data"]["seq"] == 3)
        heard = [frame["data"]["seq"] for frame in listener.frames if frame["event"] == "message:receive"]
    assert heard == [2, 3]
    assert [message["content"] for message in bob.history(room_id)] == ["before", "once", "after"]


async def test_message_when_its_id_is_sent_a_day_later_then_is_a_duplicate(
    pair: list[ChatServer],
) -> None:
    one, two = pair
    alice = one.sign_up("alice")
    room_id = alice.make_room()
    first = alice.send(room_id, "once", clientMessageId="k")
    code = f"""
from datetime import timedelta
from messaging.models import Message
message = Message.objects.get(pk="{first["id"]}")
Message.objects.filter(pk=message.pk).update(created_at=message.created_at - timedelta(days=1))
"""
    one.manage("shell", "-c", code)
    assert alice.on(two).send(room_id, "once", clientMessageId="k")["id"] == first["id"]
    other = alice.on(two).http.post(
        f"/api/rooms/{room_id}/messages", json={"content": "other", "clientMessageId": "k"}
    )
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
    async with alice.on(two).connect() as client:
        data = {"roomId": room_id, "clientMessageId": "k"}
        assert (await client.reply("message:send", data | {"content": "once"}))["duplicate"]
        assert (await client.error("message:send", data | {"content": "other"}))["code"] == "conflict"
    # An edit changes the message, but a retry is compared with the content that was sent.
    alice.http.patch(f"/api/rooms/{room_id}/messages/{first['id']}", json={"content": "edited"})
    assert alice.send(room_id, "once", clientMessageId="k")["seq"] == 1
    assert len(alice.history(room_id)) == 1


async def test_resume_when_another_process_writes_then_misses_no_message(
    pair: list[ChatServer],
) -> None:
    one, two = pair
    alice, bob = one.sign_up("alice"), one.sign_up("bob")
    room_id = alice.make_room(bob)
    total = 60
    async with alice.connect() as sender:

        async def send_all() -> None:
            for number in range(total):
                await sender.reply("message:send", {"roomId": room_id, "content": str(number)})

        sending = asyncio.create_task(send_all())
        through = 0
        while through < total:
            # Subscribes, reads the log and leaves again while the other process commits.
            async with bob.on(two).connect() as client:
                seen = {through}
                answer = (await client.reply("resume", {"rooms": {room_id: through}}))["rooms"][room_id]
                assert answer["complete"]
                for frame in client.frames + await client.read_all():
                    if frame["event"] == "message:receive":
                        seen.add(frame["data"]["seq"])
                assert set(range(through + 1, answer["through"] + 1)) <= seen
                while through + 1 in seen:
                    through += 1
                assert max(seen) == through, f"a gap: {sorted(seen)}"
        await sending


@pytest.mark.once  # slow, and the tests of messaging resume 500 messages on every database
async def test_resume_when_the_gap_is_over_500_then_is_refused(
    pair: list[ChatServer],
) -> None:
    alice = pair[0].sign_up("alice")
    room_id = alice.make_room()
    async with alice.connect() as client:
        for number in range(501):
            await client.send("message:send", {"roomId": room_id, "content": str(number)}, ref=number)
        await client.expect(lambda frame: frame.get("ref") == 500, seconds=100)
    async with alice.on(pair[1]).connect() as client:
        refused = await client.reply("resume", {"rooms": {room_id: 0}})
        assert refused["rooms"][room_id] == {"complete": False, "lastSeq": 501}
        assert [frame for frame in await client.read_all() if frame["event"] == "message:receive"] == []
        answer = await client.reply("resume", {"rooms": {room_id: 1}})
        assert answer["rooms"][room_id] == {"complete": True, "from": 2, "through": 501}
        sent = [frame["data"]["seq"] for frame in client.frames if frame["event"] == "message:receive"]
        assert sent == list(range(2, 502))


async def test_resume_when_messages_have_changed_then_repeats_the_changes(
    pair: list[ChatServer],
) -> None:
    alice = pair[0].sign_up("alice")
    room_id = alice.make_room()
    messages = [alice.send(room_id, text) for text in ("one", "two", "three")]
    async with alice.on(pair[1]).connect() as client:
        since = (await client.reply("resume", {"rooms": {room_id: 3}}))["serverTime"]
    path = f"/api/rooms/{room_id}/messages"
    alice.http.patch(f"{path}/{messages[0]['id']}", json={"content": "edited"})
    alice.http.delete(f"{path}/{messages[1]['id']}")
    async with alice.on(pair[1]).connect() as client:
        await client.reply("resume", {"rooms": {room_id: 3}, "since": since})
        changes = [
            (frame["event"], frame["data"]["seq"]) for frame in await client.read_all() if "ref" not in frame
        ]
    assert ("message:updated", 1) in changes
    assert ("message:deleted", 2) in changes
