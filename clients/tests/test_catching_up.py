"""The reference clients get every message and every change of their absence, in as many parts as it takes."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.hostile_proxy import Fault, HostileProxy
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .test_clients import libraries, numbered, send_many

pytestmark = pytest.mark.once  # what the server answers is tested with it, on each database

LONG_AGO = "2026-01-01T00:00:00.000Z"


def edit(user: ChatUser, message: dict[str, Any]) -> None:
    path = f"/api/rooms/{message['roomId']}/messages/{message['id']}"
    assert user.http.patch(path, json={"content": f"edited {message['seq']}"}).status_code == 200


def restore(server: ChatServer, backup: Path) -> None:
    """Puts the database of the backup into the place of the server's."""
    for path in Path(server.env["DATA_DIR"]).glob("chat.sqlite3*"):
        path.unlink()
    for path in backup.glob("chat.sqlite3*"):
        shutil.copy(path, server.env["DATA_DIR"])


def replies(agent: Any) -> list[dict[str, Any]]:
    """The data of the replies to `resume`."""
    answers = [frame for way, frame in agent.frames if way == "in" and frame["event"] == "reply"]
    return [frame["data"] for frame in answers if "rooms" in frame["data"]]


@libraries
async def test_client_when_it_asks_in_parts_then_all_have_one_since(
    start_server: Callable[..., ChatServer], make_agent: Callable[[], Any]
) -> None:
    """The frames are small here, so that parts need no thousand rooms."""
    server = start_server(MAX_FRAME_BYTES="768")
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    messages = [alice.send(alice.make_room(bob), "first") for _ in range(30)]
    agent = make_agent()
    await agent.start(bob)
    state = await agent.state()
    await agent.stop()
    for message in messages:
        edit(alice, message)
    again = make_agent()
    await again.start(bob, state=state)
    await again.until(lambda: len(again.came("message:updated")) >= 30)
    resumes = again.sent("resume")
    assert len(resumes) >= 3
    assert {resume["since"] for resume in resumes} == {state["since"]}
    assert sum(len(resume["rooms"]) for resume in resumes) == 30

    async def caught_up() -> bool:
        since = (await again.state())["since"]
        return since == min(reply["serverTime"] for reply in replies(again))

    await until(caught_up, "the earliest time of the replies is the next since")


async def test_client_when_one_room_has_a_gap_then_keeps_its_since(
    alice: ChatUser, bob: ChatUser, make_agent: Callable[[], Any], proxy: HostileProxy
) -> None:
    """The resume of one room says nothing of the changes in the others."""
    room_id, other = alice.make_room(bob), alice.make_room(bob)
    agent = make_agent()
    await agent.start(bob, baseUrl=proxy.base_url)
    await agent.open(room_id)
    since = agent.came("ready")[0]["serverTime"]
    proxy.lose_frame("message 1")
    await send_many(alice, room_id, 1)
    await until(lambda: proxy.hits == 1, "a push is lost")
    await send_many(alice, room_id, 1, 2)
    await agent.until(lambda: agent.messages(room_id) == numbered(2))
    # It follows the messages, and would be lost with the connection.
    await agent.until(lambda: len(replies(agent)) == 1)
    await agent.drop()
    await agent.until(lambda: len(replies(agent)) == 2)
    of_one, of_all = agent.sent("resume")
    assert of_one == {"rooms": {room_id: 0}, "since": since}
    assert (set(of_all["rooms"]), of_all["since"]) == ({room_id, other}, since)


async def test_client_when_its_rooms_come_in_parts_then_misses_nothing(
    start_server: Callable[..., ChatServer], page_origin: str, make_agent: Callable[[], Any]
) -> None:
    """`ready` names two of the rooms here, `ready:rooms` the others."""
    server = start_server(READY_ROOMS="2", ALLOWED_ORIGINS=page_origin)
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    rooms = [alice.make_room(bob) for _ in range(7)]
    room_id, left = rooms[0], rooms[1]
    agent = make_agent()

    def knows(*expected: str) -> Callable[[], Any]:
        async def holds() -> bool:
            return [room for room in rooms if await agent.knows(room)] == list(expected)

        return holds

    with HostileProxy(server.port) as proxy:
        await agent.start(bob, baseUrl=proxy.base_url)
        await until(knows(*rooms), "all rooms are known")
        await agent.until(lambda: bool(agent.came("ready")))
        assert len(agent.came("ready")[0]["rooms"]) == 2
        await agent.open(room_id)
        await send_many(alice, room_id, 2)
        await agent.until(lambda: len(agent.messages(room_id)) >= 2)
        assert agent.sent("resume") == []
        proxy.set(Fault.DROP)
        await until(lambda: proxy.hits > 0, "the client is away")
        await send_many(alice, room_id, 2, 3)
        edit(alice, alice.history(room_id)[0])
        for room in rooms[2:4]:
            await send_many(alice, room, 1)
        assert alice.http.delete(f"/api/rooms/{left}/members/{bob.id}").status_code == 204
        proxy.set(Fault.NONE)
        await agent.until(lambda: len(agent.messages(room_id)) >= 4)
        # The page shows the first one as edited.
        assert agent.messages(room_id)[1:] == numbered(4)[1:]
        await agent.until(lambda: bool(agent.came("message:updated")))
        await until(knows(*(room for room in rooms if room != left)), "the room that was left is forgotten")
        assert left not in agent.sent("resume")[-1]["rooms"]


@libraries
async def test_client_when_its_rooms_come_in_parts_then_since_goes_forward(
    start_server: Callable[..., ChatServer], make_agent: Callable[[], Any]
) -> None:
    server = start_server(READY_ROOMS="2")
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    rooms = [alice.make_room(bob) for _ in range(5)]
    agent = make_agent()
    await agent.start(bob, state={"rooms": dict.fromkeys(rooms, 0), "since": LONG_AGO})

    async def caught_up() -> bool:
        return bool((await agent.state())["since"] != LONG_AGO)

    await until(caught_up, "the changes of all rooms are known")
    assert set().union(*(resume["rooms"] for resume in agent.sent("resume"))) == set(rooms)
    assert {resume["since"] for resume in agent.sent("resume")} == {LONG_AGO}
    assert (await agent.state())["since"] in {reply["serverTime"] for reply in replies(agent)}


@libraries
async def test_client_when_the_log_has_a_hole_then_goes_on_behind_it(
    start_server: Callable[..., ChatServer], make_agent: Callable[[], Any]
) -> None:
    """No log should have one. If a damaged one does, a client asks no more than once for what nobody has."""
    server = start_server()
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    await send_many(alice, room_id, 6)
    damage = "from messaging.models import Message; Message.objects.filter(seq=4).delete()"
    await asyncio.to_thread(server.manage, "shell", "-c", damage)
    agent = make_agent()
    await agent.start(bob, state={"rooms": {room_id: 2}, "since": LONG_AGO})
    await agent.until(lambda: len(agent.messages(room_id)) >= 3)
    await send_many(alice, room_id, 1, 7)
    await agent.until(lambda: len(agent.messages(room_id)) >= 4)
    assert agent.messages(room_id) == [*numbered(1, 3), *numbered(3, 5)]
    assert len(agent.sent("resume")) <= 3
    assert len(agent.came("ready")) == 1


async def test_client_when_too_much_is_missing_then_hears_of_deletions(
    start_server: Callable[..., ChatServer], page_origin: str, make_agent: Callable[[], Any]
) -> None:
    server = start_server(RESUME_MAX_MESSAGES="8", ALLOWED_ORIGINS=page_origin)
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    agent = make_agent()
    with HostileProxy(server.port) as proxy:
        await agent.start(bob, baseUrl=proxy.base_url)
        await agent.open(room_id)
        await send_many(alice, room_id, 2)
        await agent.until(lambda: len(agent.messages(room_id)) >= 2)
        proxy.set(Fault.DROP)
        await until(lambda: proxy.hits > 0, "the client is away")
        first = alice.history(room_id)[0]
        assert alice.http.delete(f"/api/rooms/{room_id}/messages/{first['id']}").status_code == 204
        await send_many(alice, room_id, 20, 3)
        proxy.set(Fault.NONE)
        await agent.until(lambda: len(agent.messages(room_id)) >= 22)
        await agent.until(lambda: bool(agent.came("message:deleted")))
        assert agent.messages(room_id)[1:] == numbered(22)[1:]
        assert [message["seq"] for message in agent.came("message:deleted")] == [1]
        assert [reply["rooms"][room_id]["complete"] for reply in replies(agent)] == [False]


@libraries
async def test_client_when_changes_are_many_then_gets_all_in_parts(
    start_server: Callable[..., ChatServer], make_agent: Callable[[], Any]
) -> None:
    server = start_server(RESUME_MAX_MESSAGES="8")
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    await send_many(alice, room_id, 30)
    for message in alice.history(room_id):
        edit(alice, message)
    # A part ends among changes of some age only.
    age = (
        "from datetime import timedelta; from messaging.models import Message\n"
        "for one in Message.objects.all():\n"
        "    Message.objects.filter(pk=one.pk).update(changed_at=one.changed_at - timedelta(hours=1))"
    )
    await asyncio.to_thread(server.manage, "shell", "-c", age)
    agent = make_agent()
    await agent.start(bob, state={"rooms": {room_id: 30}, "since": LONG_AGO})

    async def caught_up() -> bool:
        done = [reply for reply in replies(agent) if not reply.get("more")]
        return bool(done) and (await agent.state())["since"] == done[-1]["serverTime"]

    await until(caught_up, "the client has all changes")
    assert {message["seq"] for message in agent.came("message:updated")} == set(range(1, 31))
    parts = replies(agent)
    assert len(parts) > 1
    asked = [resume["since"] for resume in agent.sent("resume")]
    assert asked == [LONG_AGO, *(reply["serverTime"] for reply in parts[:-1])]


async def test_client_when_the_log_is_an_older_copy_then_begins_anew(
    start_server: Callable[..., ChatServer],
    page_origin: str,
    make_agent: Callable[[], Any],
    tmp_path: Path,
) -> None:
    server = start_server(ALLOWED_ORIGINS=page_origin)
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    await send_many(alice, room_id, 2)
    server.kill()
    backup = shutil.copytree(server.env["DATA_DIR"], tmp_path / "backup")
    await asyncio.to_thread(server.start, migrate=False)
    agent = make_agent()
    await agent.start(bob)
    await agent.open(room_id)
    await send_many(alice, room_id, 3, 3)
    await agent.until(
        lambda: bool(agent.messages(room_id)) and agent.messages(room_id)[-1] == (5, "message 5")
    )
    server.kill()
    restore(server, backup)
    await asyncio.to_thread(server.start, migrate=False)
    await agent.until(lambda: any(reply["rooms"][room_id].get("reset") for reply in replies(agent)))
    alice.send(room_id, "another third")
    await agent.until(lambda: agent.messages(room_id)[-1] == (3, "another third"))
    assert [reset["lastSeq"] for reset in agent.came("room:reset")] in ([], [2])
    assert len(agent.came("ready")) == 2


@pytest.mark.slow  # waits for a token, or a limit, of ten seconds
async def test_client_when_its_resumes_are_limited_then_waits_for_them(
    start_server: Callable[..., ChatServer], page_origin: str, make_agent: Callable[[], Any]
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_RESUMES_USER="1/10s", ALLOWED_ORIGINS=page_origin)
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    agent = make_agent()
    await agent.start(bob)
    await agent.open(room_id)
    await agent.drop()
    await agent.until(lambda: len(replies(agent)) == 1)
    await agent.drop()
    await agent.until(lambda: len(replies(agent)) == 2)
    alice.send(room_id, "message 1")
    await agent.until(lambda: agent.messages(room_id) == numbered(1))
    assert [frame for _, frame in agent.frames if frame["event"] == "error:rate_limited"]
    assert len(agent.came("ready")) == 3
