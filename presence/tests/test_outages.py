"""Heartbeats while Redis is killed, restarted, flushed or paused. Real servers only."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from foundation import times
from foundation.redis.outage import REDIS_AWAY
from presence import keys
from presence.leases import Lease
from presence.store import SHARDS, PresenceStore
from tests.kit.heartbeats import INTERVALS, PresenceProcess, a_socket
from tests.kit.redis_servers import RedisServer
from tests.kit.waiting import until

from .test_heartbeat import acquire, of, until_announced

pytestmark = pytest.mark.once  # presence lives in Redis

StartProcess = Callable[..., Awaitable[PresenceProcess]]


@pytest.fixture
async def client(own_redis: RedisServer) -> AsyncIterator[Any]:
    """Replaces the three kinds of Redis by a server that the test may stop."""
    found = redis.asyncio.from_url(
        own_redis.url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
    )
    yield found
    await found.aclose()


async def until_online(store: PresenceStore, *leases: Lease) -> None:
    users = [lease.socket.user_id for lease in leases]

    async def online() -> bool:
        try:
            return all((await store.states(users)).values())
        except REDIS_AWAY:
            return False

    await until(online, "all are online again")


async def until_away(process: PresenceProcess) -> None:
    async def away() -> bool:
        return process.heartbeat._away

    await until(away, "the process noticed that Redis is away")


@pytest.mark.parametrize("how", ["restart", "flush"])
async def test_renew_when_redis_lost_all_then_leases_return_silently(
    start_process: StartProcess, store: PresenceStore, own_redis: RedisServer, how: str
) -> None:
    one, two = await start_process(), await start_process()
    leases = [await acquire(one), await acquire(two)]
    await acquire(two, leases[0].socket.user_id, "laptop")
    if how == "restart":
        await asyncio.to_thread(own_redis.restart)
    else:
        await store.redis.flushall()
    await until_online(store, *leases)
    await one.sentinel()
    await two.sentinel()
    for lease in leases:
        assert of(one.announced, lease.socket.user_id) == [True]
    assert await store.devices(leases[0].socket.user_id) == ["laptop", "phone"]


async def test_beat_when_redis_lost_all_then_it_does_not_wait_for_renewal(
    start_process: StartProcess, client: Any
) -> None:
    store = PresenceStore(client, lease_seconds=600, shards=SHARDS)
    process = await start_process(
        store=store, intervals=replace(INTERVALS, lease_seconds=600, renew_seconds=300)
    )
    lease = await acquire(process)
    await client.flushall()
    await until_online(store, lease)
    assert of(process.announced, lease.socket.user_id) == [True]


async def test_beat_when_one_shard_is_lost_then_its_leases_are_back(
    start_process: StartProcess, client: Any
) -> None:
    store = PresenceStore(client, lease_seconds=600, shards=SHARDS)
    intervals = replace(INTERVALS, lease_seconds=600, renew_seconds=300)
    process = await start_process(store=store, intervals=intervals)
    acquired = [await acquire(process) for _ in range(40)]
    leases = {store.shard_of(lease.socket.user_id): lease for lease in acquired}
    # In a cluster the node of one shard may be lost, and the others stay.
    for shard, lease in list(leases.items())[:2]:
        await client.delete(keys.online_key(shard), keys.sockets_key(shard, lease.socket.user_id))
        await until_online(store, lease)
    assert all(of(process.announced, lease.socket.user_id) == [True] for lease in acquired)


async def test_sweep_when_redis_paused_over_a_lease_then_nobody_is_offline(
    start_process: StartProcess, store: PresenceStore, own_redis: RedisServer
) -> None:
    # A sweep that is in Redis' socket when it is paused runs afterwards, and its answer is lost.
    intervals = replace(INTERVALS, renew_seconds=1.0)
    one, two = await start_process(intervals=intervals), await start_process(intervals=intervals)
    leases = [await acquire(one), await acquire(two)]
    last_end = max(lease.held_until or 0 for lease in leases)
    own_redis.pause()
    try:
        await until_away(one)
        await until_away(two)

        async def ended() -> bool:
            return one.heartbeat._clock() > last_end + intervals.renew_seconds

        await until(ended, "the leases ran out")
    finally:
        own_redis.resume()
    await until_online(store, *leases)
    await one.sentinel()
    await two.sentinel()
    assert all(of(one.announced, lease.socket.user_id) == [True] for lease in leases)


async def test_acquire_when_redis_is_away_then_online_is_announced_after(
    start_process: StartProcess, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    process = await start_process()
    await process.sentinel()
    own_redis.kill()
    with caplog.at_level(logging.WARNING, "presence"):
        leases = [await acquire(process) for _ in range(3)]
        await until_away(process)
        assert process.announced == []
    await asyncio.to_thread(own_redis.start)
    for lease in leases:
        await until_announced(process, lease.socket.user_id, True)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, "an outage is one warning"


async def test_release_when_redis_is_away_then_offline_has_the_closing_time(
    start_process: StartProcess, own_redis: RedisServer
) -> None:
    process, other = await start_process(), await start_process()
    lease, stays = await acquire(process), await acquire(process)
    await acquire(other, stays.socket.user_id, "laptop")
    own_redis.kill()
    await until_away(process)
    closed_at = times.now()
    process.heartbeat.release(lease)
    process.heartbeat.release(stays)
    await asyncio.to_thread(own_redis.start)
    await until_announced(process, lease.socket.user_id, True, False)
    await process.sentinel()
    assert of(process.announced, stays.socket.user_id) == [True]
    (offline,) = [change for change in process.announced if not change.online]
    assert abs(offline.at - closed_at) < timedelta(seconds=1)


async def test_stop_when_redis_is_away_then_it_ends_within_its_bound(
    start_process: StartProcess, own_redis: RedisServer
) -> None:
    process = await start_process()
    await acquire(process)
    own_redis.kill()
    async with asyncio.timeout(5):
        await process.heartbeat.stop()


async def test_acquire_when_the_answer_is_lost_then_online_is_announced(
    start_process: StartProcess, store: PresenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start_process()
    acquire = store.acquire

    async def acquire_without_answer(*args: Any, **options: Any) -> None:
        await acquire(*args, **options)
        raise TimeoutError

    socket = a_socket()
    with monkeypatch.context() as patched:
        patched.setattr(store, "acquire", acquire_without_answer)
        assert await process.heartbeat.acquire(socket) is not None
    await until_announced(process, socket.user_id, True)
