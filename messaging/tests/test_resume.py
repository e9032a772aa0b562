"""Resume: all missed messages of a room in order, or none, and every change. Takes about twenty seconds."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from foundation import times
from messaging.resume import _read_rooms
from messaging.selectors import changed_messages
from rooms.marks import marks_follow
from rooms.models import Membership, Room
from tests.kit.clients import ChatSocketClient
from tests.kit.errors import check_error
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .test_services_send import NOBODY

CHANGES = ("message:updated", "message:deleted")


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


def queries_of(user: User, last_seqs: dict[UUID, int]) -> tuple[int, dict[UUID, int]]:
    """The number of queries that a resume with `since` needs where nothing was missed, and the heads it found."""
    with CaptureQueriesContext(connection) as captured:
        memberships, heads = _read_rooms(user.pk, last_seqs)
        assert changed_messages(room_ids=memberships, since=times.now(), limit=1) == []
    return len(captured), heads


def test_resume_when_rooms_are_many_and_idle_then_queries_stay_few(transactional_db: Any) -> None:
    rooms = Room.objects.bulk_create([Room(name=f"room {number}", last_seq=3) for number in range(200)])
    user = User.objects.create_user(username="ann", email="ann@example.com")
    Membership.objects.bulk_create([Membership(room=room, user=user) for room in rooms])
    some, idle = (dict.fromkeys([room.pk for room in part], 3) for part in (rooms[:2], rooms))
    (of_some, _), (of_idle, heads) = queries_of(user, some), queries_of(user, idle)
    assert of_idle == of_some == 2
    assert heads == idle
    # Rooms whose log may go on beyond the row; MongoDB has no correlated subquery.
    ahead = dict.fromkeys(some, 4)
    unsure, heads = queries_of(user, idle | ahead)
    assert unsure - of_idle == (len(ahead) if marks_follow() else 1)
    assert heads == idle


@pytest.fixture(scope="module")
def frugal() -> Iterator[ChatServer]:
    """A server that sends ten messages and changes, or 20 kB, for a resume."""
    server = ChatServer(RESUME_MAX_MESSAGES="10", RESUME_MAX_BYTES="20000")
    try:
        yield server.start()
    finally:
        server.stop()


def change_rows(server: ChatServer, room_id: str, *moments: str, each: int = 1) -> None:
    """Delete the first messages of the room in the database, at the given times, `each` at one time."""
    server.manage(
        "shell",
        "-c",
        f"""
from datetime import datetime
from messaging.models import Message
for n, moment in enumerate({moments!r}):
    rows = Message.objects.filter(room_id="{room_id}", seq__gt=n * {each}, seq__lte=(n + 1) * {each})
    at = datetime.fromisoformat(moment)
    rows.update(content="", meta={{}}, deleted_at=at, changed_at=at)
""",
    )


async def resume_whole(
    client: ChatSocketClient, rooms: dict[str, int], since: str
) -> tuple[list[list[tuple[str, str, int]]], list[dict[str, Any]]]:
    """Resumes until no more changes are left. The changes of each part, and the replies."""
    parts, replies, more = [], [], True
    while more:
        begin = len(client.frames)
        reply = await client.reply("resume", {"rooms": rooms, "since": since})
        frames = [frame for frame in client.frames[begin:-1] if frame["event"] in CHANGES]
        parts.append([(f["event"], f["data"]["roomId"], f["data"]["seq"]) for f in frames])
        replies.append(reply)
        more, since = reply.get("more", False), reply["serverTime"]
        assert len(replies) < 50, "it makes no progress"
    return parts, replies


async def test_changes_when_a_room_misses_too_much_then_come_for_it_too(server: ChatServer) -> None:
    ann, ben = server.sign_up(), server.sign_up()
    large, ahead, whole = ann.make_room(ben), ann.make_room(ben), ann.make_room(ben)
    first = {room_id: ann.send(room_id, "old") for room_id in (large, ahead, whole)}
    async with ben.connect() as client:
        since = client.ready["serverTime"]
    async with ann.connect() as anns:
        for n in range(501):
            await anns.send("message:send", {"roomId": large, "content": f"m{n}"}, ref=n)
        await anns.expect(lambda frame: frame.get("ref") == 500, seconds=120)
    for room_id, message in first.items():
        ann.http.delete(f"/api/rooms/{room_id}/messages/{message['id']}")
    async with ben.connect() as client:
        reply, before = await resume(client, {large: 1, ahead: 9, whole: 1}, since=since)
    assert reply["rooms"] == {
        large: {"complete": False, "lastSeq": 502},
        ahead: {"complete": False, "lastSeq": 1, "reset": True},
        whole: {"complete": True, "from": 2, "through": 1},
    }
    deleted = [frame["data"]["roomId"] for frame in before if frame["event"] == "message:deleted"]
    assert deleted == [large, ahead, whole]
    assert set(reply) == {"rooms", "serverTime"}


async def test_changes_when_over_the_budget_then_come_in_parts(frugal: ChatServer) -> None:
    ann, ben = frugal.sign_up(), frugal.sign_up()
    one, two = ann.make_room(ben), ann.make_room(ben)
    for n in range(12):
        ann.send(one, f"{n}")
        ann.send(two, f"{n}")
    moments = [f"2026-01-01T00:00:{n:02}.{n:03}+00:00" for n in range(12)]
    change_rows(frugal, one, *moments)
    change_rows(frugal, two, *moments)
    async with ben.connect() as client:
        parts, replies = await resume_whole(client, {one: 12, two: 11}, "2026-01-01T00:00:00Z")
    changes = [change for part in parts for change in part]
    assert len(changes) == len(set(changes)) == 23
    assert {room_id for _, room_id, _ in changes} == {one, two}
    assert [seq for _, _, seq in changes] == sorted(seq for _, _, seq in changes)
    assert max(len(part) for part in parts) <= 6
    assert [reply.get("more", False) for reply in replies] == [True] * (len(parts) - 1) + [False]
    times = [reply["serverTime"] for reply in replies]
    assert times == sorted(set(times))
    assert replies[0]["rooms"] == {
        one: {"complete": True, "from": 13, "through": 12},
        two: {"complete": True, "from": 12, "through": 12},
    }


async def test_changes_when_many_have_one_time_then_all_come_once(frugal: ChatServer) -> None:
    ann, ben = frugal.sign_up(), frugal.sign_up()
    room_id = ann.make_room(ben)
    for n in range(45):
        ann.send(room_id, f"{n}")
    change_rows(frugal, room_id, "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:01+00:00", each=20)
    async with ben.connect() as client:
        parts, _ = await resume_whole(client, {room_id: 45}, "2026-01-01T00:00:00Z")
    assert [len(part) for part in parts] == [20, 20]
    assert sorted(seq for part in parts for _, _, seq in part) == list(range(1, 41))


async def test_changes_when_many_were_made_just_now_then_all_come(frugal: ChatServer) -> None:
    ann, ben = frugal.sign_up(), frugal.sign_up()
    room_id = ann.make_room(ben)
    messages = [ann.send(room_id, f"{n}") for n in range(20)]
    async with ben.connect() as client:
        since = client.ready["serverTime"]
    for message in messages:
        assert ann.http.delete(f"/api/rooms/{room_id}/messages/{message['id']}").status_code == 204
    async with ben.connect() as client:
        parts, _ = await resume_whole(client, {room_id: 20}, since)
    assert {seq for part in parts for _, _, seq in part} == set(range(1, 21))


async def test_changes_when_messages_are_missed_too_then_leave_room(frugal: ChatServer) -> None:
    """The changes of a long absence do not send the client to the history of rooms that miss little."""
    ann, ben = frugal.sign_up(), frugal.sign_up()
    changed, missed = ann.make_room(ben), ann.make_room(ben)
    for n in range(20):
        ann.send(changed, f"{n}")
    for n in range(3):
        ann.send(missed, f"{n}")
    change_rows(frugal, changed, *(f"2026-01-01T00:00:{n:02}+00:00" for n in range(20)))
    async with ben.connect() as client:
        reply, before = await resume(client, {changed: 20, missed: 0}, since="2026-01-01T00:00:00Z")
    assert reply["more"] is True
    assert reply["rooms"][missed] == {"complete": True, "from": 1, "through": 3}
    assert of_room(before, missed) == [("message:receive", 1), ("message:receive", 2), ("message:receive", 3)]


async def test_resume_when_over_the_budget_then_small_rooms_come_first(frugal: ChatServer) -> None:
    ann, ben = frugal.sign_up(), frugal.sign_up()
    missed = {ann.make_room(ben): count for count in (6, 1, 4, 3, 5)}
    for room_id, count in missed.items():
        for n in range(count):
            ann.send(room_id, f"{n}")
    async with ben.connect() as client:
        reply, before = await resume(client, dict.fromkeys(missed, 0))
    sent = {room_id: len(of_room(before, room_id)) for room_id in missed}
    assert sorted(sent.values()) == [0, 0, 1, 3, 4]
    for room_id, count in missed.items():
        whole = {"complete": True, "from": 1, "through": count}
        assert reply["rooms"][room_id] == (whole if sent[room_id] else {"complete": False, "lastSeq": count})


async def test_resume_when_frames_are_too_many_bytes_then_stops(frugal: ChatServer) -> None:
    ann, ben = frugal.sign_up(), frugal.sign_up()
    small, large = ann.make_room(ben), ann.make_room(ben)
    ann.send(small, "x" * 1000)
    for _ in range(6):
        ann.send(large, "ü" * 2000)
    async with ben.connect() as client:
        reply, before = await resume(client, {large: 0, small: 0})
    assert reply["rooms"] == {
        small: {"complete": True, "from": 1, "through": 1},
        large: {"complete": False, "lastSeq": 6},
    }
    assert (len(of_room(before, small)), len(of_room(before, large))) == (1, 0)


async def test_resume_when_too_frequent_then_is_rate_limited(start_server: Callable[..., ChatServer]) -> None:
    limits = {"LIMIT_SIGNUP_IP": "100/1h", "LIMIT_REST_ANON": "1000/1h", "LIMIT_RESUMES_USER": "2/1h"}
    limited = start_server(RATE_LIMITS="on", **limits)
    ann, ben = limited.sign_up(), limited.sign_up()
    async with ann.connect() as one, ann.connect() as two, ben.connect() as other:
        assert one.ready["limits"]["resumesUser"] == "2/3600s"
        await one.reply("resume", {"rooms": {}})
        await two.reply("resume", {"rooms": {}})
        error = await two.error("resume", {"rooms": {}})
        check_error(error, "rate_limited")
        assert error["retryAfter"] > 60
        await two.reply("ping")
        await other.reply("resume", {"rooms": {}})


@pytest.mark.parametrize("last_seq", [2, 1000, 2**53 - 1])
async def test_resume_when_ahead_of_the_log_then_says_reset(ann: ChatUser, last_seq: int) -> None:
    room_id, empty = ann.make_room(), ann.make_room()
    ann.send(room_id, "the only one")
    async with ann.connect() as client:
        reply, before = await resume(client, {room_id: last_seq, empty: last_seq})
    assert reply["rooms"] == {
        room_id: {"complete": False, "lastSeq": 1, "reset": True},
        empty: {"complete": False, "lastSeq": 0, "reset": True},
    }
    assert of_room(before, room_id) == []


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
