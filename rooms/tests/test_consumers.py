"""A connection that is added to a room while others write there, or that has many rooms. About ten seconds."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import OperationalError

from accounts.models import User
from foundation.database import run_db
from foundation.errors import Unavailable
from foundation.ids import uuid7
from realtime.hub.hub import Hub, get_hub
from realtime.session.connection import Connection
from rooms.consumers import RoomsConsumer
from rooms.models import Room
from rooms.topics import room_topic
from tests.kit.clients import ChatSocketClient
from tests.kit.connections import connect
from tests.kit.servers import ChatServer
from tests.kit.waiting import until


class UnreadableLog:
    """A log whose table cannot be read."""

    def last_messages(self, rooms: Iterable[Room]) -> dict[UUID, dict[str, Any]]:
        raise OperationalError

    def advance_marks(self, room: Room) -> bool:
        raise OperationalError


async def add_while(joining: Connection, room: Room, meanwhile: Callable[[], None]) -> None:
    """Add the connection to the room; `meanwhile` is called before the room is read."""
    held, go_on = threading.Barrier(settings.DB_THREADS + 1), threading.Event()

    def hold() -> None:
        held.wait(20)
        go_on.wait(20)

    busy = [asyncio.create_task(run_db(hold)) for _ in range(settings.DB_THREADS)]
    # Every thread of the database is busy now.
    await asyncio.to_thread(held.wait, 20)
    added = asyncio.create_task(RoomsConsumer(joining).room_added({"room_id": str(room.pk)}))
    topic = room_topic(room.pk)
    await until(lambda: topic in get_hub().topics(joining), "the connection listens to the room")
    meanwhile()
    await get_hub().flush()
    go_on.set()
    await asyncio.gather(added, *busy)


@pytest.mark.parametrize("others_listen", [True, False])
async def test_room_added_when_a_message_comes_meanwhile_then_precedes_it(
    hub: Hub, members: tuple[Room, list[User]], others_listen: bool
) -> None:
    room, (ann, ben) = members
    topic = room_topic(room.pk)
    if others_listen:
        other, _ = await connect(hub, ann.pk)
        hub.subscribe(other, topic)
        hub.note_head(topic, 0)
    joining, peer = await connect(hub, ben.pk)

    def say() -> None:
        assert topic in hub.topics(joining)
        hub.publish(topic, b'{"event":"message:receive","data":{}}', seq=1)

    await run_db(Room.objects.filter(pk=room.pk).update, last_seq=1)
    await add_while(joining, room, say)
    frames = [json.loads(payload) for payload in peer.payloads]
    assert [frame["event"] for frame in frames] == ["room:added", "message:receive"]
    # The message is not counted yet, or clients would drop it as known.
    assert (frames[0]["data"]["lastSeq"], frames[0]["data"]["unreadCount"]) == (0, 0)


async def test_room_added_when_another_socket_joins_meanwhile_then_heads_agree(
    hub: Hub, members: tuple[Room, list[User]]
) -> None:
    room, (ann, ben) = members
    topic = room_topic(room.pk)
    await run_db(Room.objects.filter(pk=room.pk).update, last_seq=2)
    other, _ = await connect(hub, ann.pk)
    joining, peer = await connect(hub, ben.pk)

    def begin() -> None:
        hub.subscribe(other, topic)
        hub.note_head(topic, 2)

    await add_while(joining, room, begin)
    (frame,) = (json.loads(payload) for payload in peer.payloads)
    # Messages up to this seq are not delivered, so the client must not wait for them.
    assert frame["data"]["lastSeq"] == hub.position(topic) == 2


async def test_room_added_when_it_fails_then_the_subscription_is_removed(
    hub: Hub, members: tuple[Room, list[User]], monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (_, ben) = members
    joining, peer = await connect(hub, ben.pk)
    monkeypatch.setattr("rooms.log._log", UnreadableLog())
    with pytest.raises(Unavailable):
        await RoomsConsumer(joining).room_added({"room_id": str(room.pk)})
    assert (peer.payloads, hub.topics(joining)) == ([], frozenset())


async def test_control_when_the_connection_has_ended_then_is_not_kept(hub: Hub) -> None:
    connection, _ = await connect(hub, uuid7())
    woken: list[None] = []
    connection.watch_controls(lambda: woken.append(None))
    connection.end()
    connection.add_control("room:removed", {})
    assert (woken, connection.take_controls()) == ([], [])


async def test_ready_when_there_are_many_rooms_then_has_the_recent_ones(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(READY_ROOMS="2")
    ann, ben = server.sign_up(), server.sign_up()
    rooms = [ben.make_room(ann, name=f"room {number}") for number in range(7)]
    for room_id in (rooms[3], rooms[5]):
        ben.send(room_id, "the last activity")
    async with ann.connect() as client:
        assert client.ready["rooms"] == {rooms[3]: 1, rooms[5]: 1}
        assert await client.all_rooms() == dict.fromkeys(rooms, 0) | client.ready["rooms"]
        pages = [frame["data"]["rooms"] for frame in client.frames if frame["event"] == "ready:rooms"]
        # No room comes twice.
        assert sum(len(page) for page in pages) == 5
        assert max(len(page) for page in pages) <= 2
        for room_id in rooms:
            ben.send(room_id, "live")
        heard = [(await client.expect("message:receive"))["data"] for _ in rooms]
        assert sorted(message["roomId"] for message in heard) == sorted(rooms)
        assert {message["content"] for message in heard} == {"live"}
    async with ben.connect() as client:
        assert set(await client.all_rooms()) == set(rooms)
    for room_id in rooms[:5]:
        assert ann.http.delete(f"/api/rooms/{room_id}/members/{ann.id}").status_code == 204
    async with ann.connect() as client:
        assert (client.ready["moreRooms"], set(client.ready["rooms"])) == (False, set(rooms[5:]))


async def test_next_rooms_when_a_message_comes_meanwhile_then_names_the_room(
    hub: Hub, members: tuple[Room, list[User]]
) -> None:
    """Live events of a room follow the frame that names it, also where another connection listens already."""
    room, (ann, ben) = members
    topic = room_topic(room.pk)
    other, heard = await connect(hub, ann.pk)
    hub.subscribe(other, topic)
    hub.note_head(topic, 0)
    joining, peer = await connect(hub, ben.pk)
    page = asyncio.create_task(RoomsConsumer(joining).next_rooms({"after": None}))
    while topic not in hub.topics(joining):  # noqa: ASYNC110  # the next turn of the loop, before the heads are read
        await asyncio.sleep(0)
    hub.publish(topic, b'{"event":"message:receive","data":{}}', seq=1)
    await hub.flush()
    assert (len(heard.payloads), page.done()) == (1, False)
    await page
    frames = [json.loads(payload) for payload in peer.payloads]
    assert [frame["event"] for frame in frames] == ["ready:rooms", "message:receive"]
    assert frames[0]["data"] == {"rooms": {str(room.pk): 1}, "more": False}


async def test_rooms_when_messages_come_between_pages_then_none_is_lost(
    start_server: Callable[..., ChatServer],
) -> None:
    """Each message is in the head that names its room, or comes after that frame. Rooms come and go meanwhile."""
    server = start_server(READY_ROOMS="1", MAX_CONNECTIONS_USER="50")
    ann, ben = server.sign_up(), server.sign_up()
    rooms = [ben.make_room(ann) for _ in range(12)]
    written = dict.fromkeys(rooms, 0)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for room_id in rooms:
                ben.send(room_id, "x")
                written[room_id] += 1

    writer = asyncio.create_task(asyncio.to_thread(write))
    try:
        for _ in range(5):
            async with ann.connect() as client:
                joined = await asyncio.to_thread(ben.make_room, ann)
                await client.expect("room:added")
                known = await client.all_rooms()
                assert set(rooms) <= known.keys()
                target = {room_id: count + 1 for room_id, count in written.items()}
                while any(last_seqs(client, known)[room_id] < target[room_id] for room_id in rooms):
                    await client.expect("message:receive")
                assert ann.http.delete(f"/api/rooms/{joined}/members/{ann.id}").status_code == 204
                await client.expect("room:removed")
    finally:
        stop.set()
        await writer


def last_seqs(client: ChatSocketClient, known: dict[str, int]) -> dict[str, int]:
    """What a client of the contract has of each room: its head, and each message after the frame that named it."""
    last: dict[str, int] = {}
    for frame in client.frames:
        event, data = frame["event"], frame["data"]
        if event in ("ready", "ready:rooms"):
            last = data["rooms"] | last
        elif event == "message:receive" and data["roomId"] in known:
            assert data["seq"] == last[data["roomId"]] + 1, "a message was lost, or came before its room"
            last[data["roomId"]] += 1
    return last
