"""What heartbeats make of a Redis that is killed, restarted, flushed or paused. Real servers only."""

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
from presence.leases import Lease
from presence.store import PresenceStore
from tests.kit.heartbeats import INTERVALS, PresenceProcess, a_socket
from tests.kit.redis_servers import RedisServer
from tests.kit.waiting import until

from .test_heartbeat import of, take, until_told

pytestmark = pytest.mark.once  # presence lives in Redis

StartProcess = Callable[..., Awaitable[PresenceProcess]]


@pytest.fixture
async def client(own_redis: RedisServer) -> AsyncIterator[Any]:
    """In place of the three kinds: a server that the test may end."""
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
async def test_redis_loses_all_then_each_process_puts_its_leases_back_and_nothing_is_told(
    start_process: StartProcess, store: PresenceStore, own_redis: RedisServer, how: str
) -> None:
    one, two = await start_process(), await start_process()
    leases = [await take(one), await take(two)]
    await take(two, leases[0].socket.user_id, "laptop")
    if how == "restart":
        await asyncio.to_thread(own_redis.restart)
    else:
        await store.redis.flushall()
    await until_online(store, *leases)
    await one.sentinel()
    await two.sentinel()
    for lease in leases:
        assert of(one.told, lease.socket.user_id) == [True]
    assert await store.devices(leases[0].socket.user_id) == ["laptop", "phone"]


async def test_redis_loses_all_then_it_is_noticed_long_before_the_next_renewal(
    start_process: StartProcess, client: Any
) -> None:
    store = PresenceStore(client, lease_seconds=600)
    process = await start_process(
        store=store, intervals=replace(INTERVALS, lease_seconds=600, renew_seconds=300)
    )
    lease = await take(process)
    await client.flushall()
    await until_online(store, lease)
    assert of(process.told, lease.socket.user_id) == [True]


async def test_redis_paused_longer_than_a_lease_then_nobody_is_told_offline(
    start_process: StartProcess, store: PresenceStore, own_redis: RedisServer
) -> None:
    # A sweep that Redis had in its socket when it was paused runs afterwards, and its answer reaches nobody.
    intervals = replace(INTERVALS, renew_seconds=1.0)
    one, two = await start_process(intervals=intervals), await start_process(intervals=intervals)
    leases = [await take(one), await take(two)]
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
    assert all(of(one.told, lease.socket.user_id) == [True] for lease in leases)


async def test_socket_opened_while_redis_is_away_then_it_has_a_lease_and_is_told_after(
    start_process: StartProcess, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    process = await start_process()
    await process.sentinel()
    own_redis.kill()
    with caplog.at_level(logging.WARNING, "presence"):
        leases = [await take(process) for _ in range(3)]
        await until_away(process)
        assert process.told == []
    await asyncio.to_thread(own_redis.start)
    for lease in leases:
        await until_told(process, lease.socket.user_id, True)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, "an outage is one warning"


async def test_socket_closed_while_redis_restarts_then_offline_is_told_with_the_time_of_closing(
    start_process: StartProcess, own_redis: RedisServer
) -> None:
    process, other = await start_process(), await start_process()
    lease, stays = await take(process), await take(process)
    await take(other, stays.socket.user_id, "laptop")
    own_redis.kill()
    await until_away(process)
    closed_at = times.now()
    process.heartbeat.give_back(lease)
    process.heartbeat.give_back(stays)
    await asyncio.to_thread(own_redis.start)
    await until_told(process, lease.socket.user_id, True, False)
    await process.sentinel()
    assert of(process.told, stays.socket.user_id) == [True]
    (offline,) = [change for change in process.told if not change.online]
    assert abs(offline.at - closed_at) < timedelta(seconds=1)


async def test_stop_while_redis_is_away_then_it_ends_within_its_bound(
    start_process: StartProcess, own_redis: RedisServer
) -> None:
    process = await start_process()
    await take(process)
    own_redis.kill()
    async with asyncio.timeout(5):
        await process.heartbeat.stop()


async def test_answer_to_take_is_lost_then_online_is_told_all_the_same(
    start_process: StartProcess, store: PresenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start_process()
    acquire = store.acquire

    async def acquire_unheard(*args: Any, **options: Any) -> None:
        await acquire(*args, **options)
        raise TimeoutError

    socket = a_socket()
    with monkeypatch.context() as patched:
        patched.setattr(store, "acquire", acquire_unheard)
        assert await process.heartbeat.take(socket) is not None
    await until_told(process, socket.user_id, True)
