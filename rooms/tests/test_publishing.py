"""Room events on sockets: each reaches the users it concerns, and nobody else. About five seconds."""

from typing import Any

import pytest

from tests.kit.clients import ChatSocketClient
from tests.kit.users import ChatUser

from .test_members import add, change, remove
from .test_rooms import NOBODY, room_of


def about(frames: list[dict[str, Any]], room_id: str) -> list[str]:
    """The names of the events about a room, in order."""
    return [
        frame["event"]
        for frame in frames
        if room_id in (frame["data"].get("roomId"), frame["data"].get("id")) and frame["event"] != "reply"
    ]


async def next_of(client: ChatSocketClient, event: str, room_id: str) -> dict[str, Any]:
    def is_wanted(frame: dict[str, Any]) -> bool:
        return frame["event"] == event and room_id in (frame["data"].get("roomId"), frame["data"].get("id"))

    return dict((await client.expect(is_wanted))["data"])


async def test_room_when_created_then_all_sockets_of_members_receive_events(
    ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    async with (
        ann.connect() as anns,
        ben.connect() as phone,
        ben.connect() as laptop,
        cleo.connect() as cleos,
    ):
        room_id = ann.make_room(ben)
        for client, user in ((anns, ann), (phone, ben), (laptop, ben)):
            assert await next_of(client, "room:added", room_id) == room_of(user, room_id)
        message = ann.send(room_id, "hello")
        for client in (anns, phone, laptop):
            assert await next_of(client, "message:receive", room_id) == message
        assert about(await cleos.read_all(), room_id) == []


async def test_direct_room_when_opened_then_both_receive_it_once(ann: ChatUser, server: Any) -> None:
    other = server.sign_up()
    async with ann.connect() as anns, other.connect() as others:
        room_id = ann.http.post("/api/rooms/direct", json={"userId": other.id}).json()["id"]
        assert (await next_of(anns, "room:added", room_id))["to"] == other.id
        assert (await next_of(others, "room:added", room_id))["to"] == ann.id
        other.http.post("/api/rooms/direct", json={"userId": ann.id})
        ann.http.post("/api/rooms/direct", json={"userId": other.id})
        other.send(room_id, "mark")
        await next_of(anns, "message:receive", room_id)
        assert about(await anns.read_all(), room_id) == []
        assert about([frame for frame in others.frames if frame["event"] == "room:added"], room_id) == [
            "room:added"
        ]


async def test_room_when_patched_then_all_members_receive_it(
    ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    room_id = ann.make_room(ben)
    ann.send(room_id, "one")
    async with ann.connect() as anns, ben.connect() as bens, cleo.connect() as cleos:
        ann.http.patch(f"/api/rooms/{room_id}", json={"name": "new", "meta": {"a": [1]}})
        expected = {"id": room_id, "kind": "group", "name": "new", "meta": {"a": [1]}, "lastSeq": 1}
        expected |= {"lockedAt": None, "firstSeq": 1}
        for client in (anns, bens):
            assert await next_of(client, "room:updated", room_id) == expected
        ann.http.patch(f"/api/rooms/{room_id}", json={"name": ""})
        ann.send(room_id, "mark")
        assert await next_of(bens, "message:receive", room_id)
        assert about(await bens.read_all(), room_id) == []
        assert about(await cleos.read_all(), room_id) == []


@pytest.mark.smoke
async def test_member_when_changed_then_the_room_and_the_member_receive_it(
    ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    room_id = ann.make_room(ben)
    async with ben.connect() as bens, cleo.connect() as cleos:
        member = add(ann, room_id, cleo).json()
        expected = {"roomId": room_id, "userId": cleo.id, "member": member}
        assert await next_of(bens, "room:member", room_id) == expected
        assert await next_of(cleos, "room:added", room_id) == room_of(cleo, room_id)

        changed = change(ann, room_id, cleo, role="admin").json()
        for client in (bens, cleos):
            received = await client.expect(
                lambda frame: frame["event"] == "room:member" and frame["data"]["member"]["role"] == "admin"
            )
            assert received["data"] == {**expected, "member": changed}

        remove(ann, room_id, cleo)
        assert await next_of(bens, "room:member", room_id) == {**expected, "member": None}
        assert await next_of(cleos, "room:removed", room_id) == {"roomId": room_id, "reason": "removed"}


async def test_member_when_changed_to_the_same_then_nothing_is_sent(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben)
    async with ben.connect() as bens:
        assert change(ann, room_id, ben).status_code == 200
        assert change(ann, room_id, ben, role="member").status_code == 200
        ann.http.patch(f"/api/rooms/{room_id}", json={})
        ann.send(room_id, "mark")
        await next_of(bens, "message:receive", room_id)
        assert about(await bens.read_all(), room_id) == []


async def test_former_member_when_the_room_goes_on_then_receives_nothing(
    ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    room_id = ann.make_room(ben, cleo)
    async with ben.connect() as bens, cleo.connect() as cleos:
        for actor, reason in ((ann, "removed"), (cleo, "left")):
            add(ann, room_id, cleo)
            remove(actor, room_id, cleo)
            message = ann.send(room_id, f"not for cleo, who {reason}")
            ann.http.patch(f"/api/rooms/{room_id}/messages/{message['id']}", json={"content": "nor this"})
            change(ann, room_id, ben, role="admin")
            change(ann, room_id, ben, role="member")
            await bens.reply("typing", {"roomId": room_id, "isTyping": True})
            await bens.reply("typing", {"roomId": room_id, "isTyping": False})
            removed = await next_of(cleos, "room:removed", room_id)
            assert removed == {"roomId": room_id, "reason": reason}
        assert not {"message:receive", "message:updated", "typing"} & set(about(cleos.frames, room_id))
        assert not {"message:receive", "message:updated", "typing"} & set(
            about(await cleos.read_all(), room_id)
        )
        for event, data in (
            ("message:send", {"roomId": room_id, "content": "x"}),
            ("typing", {"roomId": room_id, "isTyping": True}),
            ("message:ack", {"roomId": room_id, "seq": 1, "status": "read"}),
            ("message:edit", {"roomId": room_id, "messageId": NOBODY, "content": "x"}),
            ("message:delete", {"roomId": room_id, "messageId": NOBODY}),
        ):
            assert (await cleos.error(event, data))["code"] == "not_found"
        assert (await cleos.reply("resume", {"rooms": {room_id: 0}}))["rooms"] == {}


async def test_room_when_deleted_then_every_member_receives_its_removal(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben)
    async with ann.connect() as anns, ben.connect() as bens:
        ann.http.delete(f"/api/rooms/{room_id}")
        for client in (anns, bens):
            removed = await next_of(client, "room:removed", room_id)
            assert removed == {"roomId": room_id, "reason": "deleted"}


async def test_foreign_room_when_named_on_the_socket_then_is_not_found(ann: ChatUser, cleo: ChatUser) -> None:
    room_id = ann.make_room()
    message_id = ann.send(room_id, "secret")["id"]
    async with cleo.connect() as client:
        for event, data in (
            ("message:send", {"content": "x"}),
            ("message:send", {"content": "x", "replyTo": message_id}),
            ("message:ack", {"seq": 1, "status": "read"}),
            ("message:ack", {"messageId": message_id, "status": "read"}),
            ("message:edit", {"messageId": message_id, "content": "x"}),
            ("message:delete", {"messageId": message_id}),
            ("typing", {"isTyping": True}),
        ):
            errors = [await client.error(event, {"roomId": asked, **data}) for asked in (room_id, NOBODY)]
            for error in errors:
                error.pop("requestId")
            assert errors[0] == errors[1]
            assert errors[0]["code"] == "not_found"
    assert ann.history(room_id)[0]["content"] == "secret"
