"""Releasing leases, and sweeping those that have ended, on each kind of Redis."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from foundation import times
from presence import keys
from presence.leases import Ended
from presence.store import SHARDS, SHARDS_IN_PROCESS, PresenceStore
from tests.kit.heartbeats import INTERVALS, SLACK, a_socket, end_lease, release, swept
from tests.kit.waiting import until

pytestmark = pytest.mark.once  # presence lives in Redis


@pytest.fixture(params=[SHARDS_IN_PROCESS, SHARDS])
def shards(request: pytest.FixtureRequest) -> int:
    return int(request.param)


async def test_release_when_the_last_socket_then_swept_after_the_grace(
    store: PresenceStore,
) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await store.release([release(socket, grace=0.4, age=30)])
    assert await store.states([socket.user_id]) == {socket.user_id: True}
    assert await store.devices(socket.user_id) == []
    found: list[Ended] = []

    async def taken() -> bool:
        found.extend(await swept(store))
        return bool(found)

    await until(taken, "the user was swept after the grace")
    assert [ended.user_id for ended in found] == [socket.user_id]
    assert abs(times.now() - timedelta(seconds=30) - found[0].last_seen) < 2 * SLACK
    assert await store.states([socket.user_id]) == {socket.user_id: False}


async def test_release_when_another_socket_stays_then_the_user_stays(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await store.acquire(a_socket(socket.user_id, "laptop"), max_sockets=10)
    name = keys.online_key(store.shard_of(socket.user_id))
    laptop_end = await store.redis.zscore(name, str(socket.user_id))
    await store.release([release(socket, grace=0.001)])
    assert await store.redis.zscore(name, str(socket.user_id)) == laptop_end
    assert await swept(store) == []
    assert await store.devices(socket.user_id) == ["laptop"]


async def test_release_when_the_user_was_swept_then_nothing_is_restored(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await end_lease(store, socket)
    assert len(await swept(store)) == 1
    await store.release([release(socket, grace=60)])
    assert await store.count() == 0


async def test_release_when_redis_lost_the_user_then_they_are_swept(
    store: PresenceStore,
) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await store.redis.flushall()
    await store.release([release(socket, age=5, restore=60)])
    assert await store.states([socket.user_id]) == {socket.user_id: True}
    ((user_id, last_seen),) = (await store.sweep(limit=10, ahead_seconds=60)).ended
    assert user_id == socket.user_id
    assert abs(times.now() - timedelta(seconds=5) - last_seen) < SLACK


async def test_sweep_when_many_run_at_once_then_each_user_is_taken_once(client: Any) -> None:
    store = PresenceStore(client, lease_seconds=600, shards=SHARDS)
    # A lease is long, since another sweep takes a user again one lease later.
    sockets = [a_socket() for _ in range(60)]
    await store.renew(sockets)
    for socket in sockets:
        await end_lease(store, socket)
    results = await asyncio.gather(
        *(store.sweep(limit=2) for _ in range(12)), *(swept(store) for _ in range(2))
    )
    taken = [ended for result in results for ended in (result if isinstance(result, list) else result.ended)]
    assert sorted(user_id for user_id, _ in taken) == sorted(socket.user_id for socket in sockets)


async def test_sweep_when_the_answer_is_lost_then_another_takes_the_user(client: Any) -> None:
    store = PresenceStore(client, lease_seconds=0.3, shards=SHARDS)
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await store.release([release(socket, grace=0.001, age=30)])
    found: list[Ended] = []

    async def taken() -> bool:
        found.extend(await swept(store))
        return len(found) == 2

    await until(taken, "the user was taken twice")
    assert [ended.user_id for ended in found] == [socket.user_id] * 2
    assert found[0].last_seen == found[1].last_seen
    assert [await store.confirm([socket.user_id]) for _ in range(2)] == [{socket.user_id}, set()]
    assert await store.redis.hlen(keys.left_key(store.shard_of(socket.user_id))) == 0


async def test_acquire_when_taken_by_a_sweep_then_nothing_is_confirmed(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await end_lease(store, socket)
    assert len(await swept(store)) == 1
    again = await store.acquire(a_socket(socket.user_id), max_sockets=10)
    assert again is not None
    assert again.came_online
    assert not await store.confirm([socket.user_id])


async def test_sweep_when_a_process_crashed_then_last_seen_is_the_lease_end(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await end_lease(store, socket)
    ((_, last_seen),) = await swept(store)
    assert last_seen == times.from_timestamp(1)


async def test_sweep_when_no_lease_has_ended_then_returns_the_waiting_time(store: PresenceStore) -> None:
    assert (await store.sweep(limit=10)).next_seconds is None
    await store.acquire(a_socket(), max_sockets=10)
    result = await store.sweep(limit=10)
    assert result.ended == []
    assert result.next_seconds is not None
    assert 0 < result.next_seconds <= INTERVALS.lease_seconds


async def test_sweep_when_over_the_limit_then_the_rest_is_due_at_once(client: Any) -> None:
    store = PresenceStore(client, lease_seconds=60, shards=1)
    sockets = [a_socket() for _ in range(5)]
    await store.renew(sockets)
    for socket in sockets:
        await end_lease(store, socket)
    first = await store.sweep(limit=3)
    assert (len(first.ended), first.next_seconds) == (3, 0)
    assert len((await store.sweep(limit=3)).ended) == 2
