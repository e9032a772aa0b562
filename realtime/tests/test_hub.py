"""What a hub knows of logs that nobody in its process listens to."""

from collections.abc import AsyncIterator

import pytest
from channels.layers import InMemoryChannelLayer

from realtime import loop
from realtime.hub import Hub
from realtime.ids import uuid7

from .kit import connect


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    loop.adopt()
    hub = Hub(InMemoryChannelLayer())
    yield hub
    await hub.stop()


async def say(hub: Hub, *seqs: int) -> None:
    for seq in seqs:
        hub.publish("room", b"%d" % seq, seq=seq)
    await hub.flush()


async def test_head_of_a_log_that_nobody_listens_to_is_what_was_heard_of_it(hub: Hub) -> None:
    assert hub.head("room") == 0
    await say(hub, 3, 4)
    assert hub.head("room") == 4


async def test_head_when_the_last_listener_has_left_then_is_kept_and_moves_on(hub: Hub) -> None:
    connection, peer = await connect(hub, uuid7())
    hub.subscribe(connection, "room")
    hub.note_head("room", 7)
    await say(hub, 8)
    assert (hub.head("room"), peer.payloads) == (8, [b"8"])
    hub.detach(connection)
    assert hub.head("room") == 8
    await say(hub, 9)
    assert hub.head("room") == 9


async def test_listener_who_begins_at_the_hubs_head_gets_what_follows_and_nothing_twice(hub: Hub) -> None:
    await say(hub, 4)
    connection, peer = await connect(hub, uuid7())
    hub.subscribe(connection, "room")
    hub.note_head("room", max(3, hub.head("room")))  # a row that lags behind says 3
    await say(hub, 4, 5)
    assert peer.payloads == [b"5"]
