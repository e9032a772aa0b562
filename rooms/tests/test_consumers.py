"""A connection that is brought into a room while others write there. About a second."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.conf import settings

from accounts.models import User
from realtime import loop
from realtime.hub import Hub, get_hub
from realtime.protocol import encode_event
from realtime.tests.kit import connect
from realtime.threads import run_db
from rooms.consumers import RoomsConsumer
from rooms.models import Membership, Room
from rooms.topics import room_topic


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    loop.adopt()
    yield get_hub()
    await loop.stop()


@pytest.fixture
def members(transactional_db: Any) -> tuple[Room, list[User]]:
    room = Room.objects.create(name="x")
    users = [User.objects.create_user(username=name, email=f"{name}@example.com") for name in ("ann", "ben")]
    Membership.objects.bulk_create([Membership(room=room, user=user) for user in users])
    return room, users


@pytest.mark.parametrize("others_listen", [True, False])
async def test_room_added_when_somebody_writes_meanwhile_then_comes_first_and_the_message_behind_it(
    hub: Hub, members: tuple[Room, list[User]], others_listen: bool
) -> None:
    room, (ann, ben) = members
    topic = room_topic(room.pk)
    if others_listen:
        other, _ = await connect(hub, ann.pk)
        hub.subscribe(other, topic)
        hub.note_head(topic, 0)
    joining, peer = await connect(hub, ben.pk)
    go_on = threading.Event()

    def be_slow() -> None:
        assert go_on.wait(20)
        Room.objects.filter(pk=room.pk).update(last_seq=1)

    busy = [asyncio.create_task(run_db(be_slow)) for _ in range(settings.DB_THREADS)]
    await asyncio.sleep(0)  # they hold all database threads now
    added = asyncio.create_task(RoomsConsumer(joining).room_added({"room_id": str(room.pk)}))
    await asyncio.sleep(0)
    assert topic in hub.topics(joining)
    hub.publish(topic, encode_event("message:receive", {}), seq=1)
    await hub.flush()
    go_on.set()
    await asyncio.gather(added, *busy)
    frames = [json.loads(payload) for payload in peer.payloads]
    assert [frame["event"] for frame in frames] == ["room:added", "message:receive"]
    # Not counted already, or clients would drop it as known.
    assert (frames[0]["data"]["lastSeq"], frames[0]["data"]["unreadCount"]) == (0, 0)
