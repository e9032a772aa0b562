"""Resume: all missed messages in order, or none if there are too many. Takes about ten seconds."""

from typing import Any

import pytest

from tests.kit.clients import ChatSocketClient
from tests.kit.errors import check_error
from tests.kit.users import ChatUser

from .test_services_send import NOBODY


def of_room(frames: list[dict[str, Any]], room_id: str) -> list[tuple[str, int]]:
    return [
        (frame["event"], frame["data"]["seq"])
        for frame in frames
        if frame["event"] in ("message:receive", "message:updated", "message:deleted")
        and frame["data"]["roomId"] == room_id
    ]


async def resume(client: ChatSocketClient, rooms: dict[str, int], **since: str) -> tuple[Any, list[Any]]:
    """The reply's data, and the frames that came before it."""
    data = await client.reply("resume", {"rooms": rooms, **since})
    return data, client.frames[:-1]


@pytest.mark.smoke
async def test_resume_when_messages_were_missed_then_sends_all_in_order(
    ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    full, partly, nothing = ann.make_room(ben), ann.make_room(ben), ann.make_room(ben)
    strangers = cleo.make_room()
    for n in range(3):
        ann.send(full, f"f{n}")
        ann.send(partly, f"p{n}")
        cleo.send(strangers, "x")
    async with ben.connect() as client:
        heads = {room_id: client.ready["rooms"][room_id] for room_id in (full, partly, nothing)}
        assert heads == {full: 3, partly: 3, nothing: 0}
        assert strangers not in client.ready["rooms"]
        reply, before = await resume(client, {full: 0, partly: 2, nothing: 0, strangers: 0, NOBODY: 0})
    assert set(reply) == {"rooms", "serverTime"}
    assert reply["rooms"] == {
        full: {"complete": True, "from": 1, "through": 3},
        partly: {"complete": True, "from": 3, "through": 3},
        nothing: {"complete": True, "from": 1, "through": 0},
    }
    assert of_room(before, full) == [("message:receive", 1), ("message:receive", 2), ("message:receive", 3)]
    assert of_room(before, partly) == [("message:receive", 3)]
    assert of_room(before, strangers) == []
    replayed = [frame["data"] for frame in before if frame["event"] == "message:receive"]
    assert [message for message in replayed if message["roomId"] == full] == ben.history(full)


async def test_resume_when_over_500_were_missed_then_sends_none(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben)
    async with ann.connect() as anns:
        for n in range(501):
            await anns.send("message:send", {"roomId": room_id, "content": f"m{n}"}, ref=n)
        await anns.expect(lambda frame: frame.get("ref") == 500, seconds=120)
    async with ben.connect() as client:
        reply, before = await resume(client, {room_id: 0})
        assert reply["rooms"] == {room_id: {"complete": False, "lastSeq": 501}}
        assert of_room(before, room_id) == []
        exactly, before = await resume(client, {room_id: 1})
        assert exactly["rooms"] == {room_id: {"complete": True, "from": 2, "through": 501}}
        assert of_room(before, room_id) == [("message:receive", seq) for seq in range(2, 502)]
    seen, has_more = 0, True
    while has_more:
        answer = ben.http.get(f"/api/rooms/{room_id}/messages", params={"after": seen, "limit": 200}).json()
        assert answer["results"][0]["seq"] == seen + 1
        seen, has_more = answer["results"][-1]["seq"], answer["hasMore"]
    assert seen == 501


async def test_resume_when_since_is_given_then_repeats_edits_and_deletions(
    ann: ChatUser, ben: ChatUser
) -> None:
    room_id = ann.make_room(ben)
    messages = [ann.send(room_id, f"m{n}") for n in range(1, 5)]
    path = f"/api/rooms/{room_id}/messages"
    async with ben.connect() as client:
        since = client.ready["serverTime"]
    ann.http.patch(f"{path}/{messages[0]['id']}", json={"content": "edited"})
    ann.http.delete(f"{path}/{messages[1]['id']}")
    ann.http.patch(f"{path}/{messages[3]['id']}", json={"content": "edited, and missed altogether"})
    async with ben.connect() as client:
        reply, before = await resume(client, {room_id: 3}, since=since)
        assert of_room(before, room_id) == [
            ("message:updated", 1),
            ("message:deleted", 2),
            ("message:receive", 4),
        ]
        shown = {frame["data"]["seq"]: frame["data"] for frame in before if frame["data"].get("seq")}
        history = {message["seq"]: message for message in ben.history(room_id)}
        assert shown == {seq: history[seq] for seq in (1, 2, 4)}
        assert reply["rooms"] == {room_id: {"complete": True, "from": 4, "through": 4}}
        assert reply["serverTime"] >= since
    async with ben.connect() as client:
        _, before = await resume(client, {room_id: 4})
        assert of_room(before, room_id) == []
        _, before = await resume(client, {room_id: 4}, since="2999-01-01T00:00:00Z")
        assert of_room(before, room_id) == []


async def test_resume_when_messages_arrive_meanwhile_then_keeps_the_order(
    ann: ChatUser, ben: ChatUser
) -> None:
    """Live frames that arrive during a replay are sent after it. A client that drops known seqs misses none."""
    room_id = ann.make_room(ben)
    async with ann.connect() as anns:
        for n in range(200):
            await anns.send("message:send", {"roomId": room_id, "content": f"old {n}"}, ref=n)
        await anns.expect(lambda frame: frame.get("ref") == 199, seconds=30)
        async with ben.connect() as client:
            for n in range(100):
                await anns.send("message:send", {"roomId": room_id, "content": f"new {n}"})
            await client.send("resume", {"rooms": {room_id: 0}}, ref="resume")
            await client.expect(
                lambda frame: frame["event"] == "message:receive" and frame["data"]["seq"] == 300, seconds=30
            )
            reply = await client.expect(lambda frame: frame.get("ref") == "resume")
    known = 0
    for _, seq in of_room(client.frames, room_id):
        assert seq <= known + 1 or known == 0, "a gap after the replay began"
        known += seq == known + 1
    assert known == 300
    through = reply["data"]["rooms"][room_id]["through"]
    upto = client.frames.index(reply)
    assert {seq for _, seq in of_room(client.frames[:upto], room_id)} >= set(range(1, through + 1))


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({}, {"rooms"}),
        ({"rooms": []}, {"rooms"}),
        ({"rooms": {"x": 0}}, {"rooms"}),
        ({"rooms": {NOBODY: -1}}, {f"rooms.{NOBODY}"}),
        ({"rooms": {NOBODY: 2**53}}, {f"rooms.{NOBODY}"}),
        ({"rooms": {NOBODY: 10**40}}, {f"rooms.{NOBODY}"}),
        ({"rooms": {}, "since": "yesterday"}, {"since"}),
        ({"rooms": {}, "since": "2026-11-24T03:40:00"}, {"since"}),
        ({"rooms": {}, "since": "0001-01-01T00:00:00+14:00"}, {"since"}),
        ({"rooms": {}, "since": "0001-01-01T00:00:00Z"}, {"since"}),
        ({"rooms": {}, "since": 5}, {"since"}),
        ({"rooms": {}, "until": "x"}, {"until"}),
        ({"rooms": {f"01900000-0000-7000-8000-{n:012}": 0 for n in range(1001)}}, {"rooms"}),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_resume_when_its_fields_are_bad_then_is_invalid(
    ann: ChatUser, data: dict[str, Any], fields: set[str]
) -> None:
    async with ann.connect() as client:
        check_error(await client.error("resume", data), "invalid", *fields)


async def test_resume_when_its_seqs_are_bad_then_is_invalid(ann: ChatUser) -> None:
    async with ann.connect() as client:
        for last_seq in ("1", None, True, [1]):
            error = await client.error("resume", {"rooms": {NOBODY: last_seq}})
            assert error["code"] == "invalid"
        assert (await client.reply("resume", {"rooms": {}}))["rooms"] == {}
