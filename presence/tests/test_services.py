"""Announcements of changes, on the hub and the store of the test's process."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from accounts.models import User
from accounts.topics import user_address
from foundation import loop, times
from foundation.database import run_db
from presence import services
from presence.leases import Change
from presence.store import get_store
from realtime.hub.hub import get_hub
from rooms.models import Membership, Room
from tests.kit.connections import Peer, connect
from tests.kit.heartbeats import a_socket, end_lease, swept


@pytest.fixture
async def process() -> AsyncIterator[None]:
    """The test's loop as the loop of a process."""
    loop.adopt()
    await get_store().redis.flushall()
    yield
    await loop.stop()


@pytest.fixture
def pair(transactional_db: Any) -> list[User]:
    """Two users who share a room."""
    room = Room.objects.create(name="x")
    users = [User.objects.create_user(username=name, email=f"{name}@example.com") for name in ("ann", "ben")]
    Membership.objects.bulk_create([Membership(room=room, user=user) for user in users])
    return users


async def attach(user: User) -> Peer:
    connection, peer = await connect(get_hub(), user.pk)
    await get_hub().attach(connection, user_address(user.pk))
    return peer


def updates(peer: Peer) -> list[tuple[str, bool, str]]:
    frames = [json.loads(payload) for payload in peer.payloads]
    return [(frame["data"]["userId"], frame["data"]["online"], frame["data"]["lastSeen"]) for frame in frames]


async def test_announce_when_a_user_left_then_peers_get_one_event(process: None, pair: list[User]) -> None:
    ann, ben = pair
    anns, bens = await attach(ann), await attach(ben)
    socket = a_socket(ben.pk)
    await get_store().acquire(socket, max_sockets=1)
    await end_lease(get_store(), socket)
    assert len(await swept(get_store())) == 1
    change = Change(ben.pk, False, times.truncate(times.now()))
    await services.announce([change])
    await services.announce([change])
    await get_hub().flush()
    assert updates(anns) == [(str(ben.pk), False, times.to_wire(change.at))]
    assert updates(bens) == []
    await run_db(ben.refresh_from_db)
    assert ben.last_seen == change.at


async def test_announce_when_the_user_has_returned_then_nothing_is_published(
    process: None, pair: list[User]
) -> None:
    ann, ben = pair
    anns = await attach(ann)
    socket = a_socket(ben.pk)
    await get_store().acquire(socket, max_sockets=1)
    await end_lease(get_store(), socket)
    assert len(await swept(get_store())) == 1
    await get_store().acquire(a_socket(ben.pk), max_sockets=1)
    await services.announce([Change(ben.pk, False, times.now())])
    await get_hub().flush()
    assert updates(anns) == []
