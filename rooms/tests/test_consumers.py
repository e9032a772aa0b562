"""A connection that is added to a room while others write there. About a second."""

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
from tests.kit.connections import connect
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
