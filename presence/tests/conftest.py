"""Stores over each kind of Redis: inside the process, a server, a cluster."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import fakeredis
import pytest
import redis.asyncio
from redis.asyncio.cluster import RedisCluster

from presence.leases import Change
from presence.store import SHARDS, PresenceStore
from tests.kit.heartbeats import INTERVALS, PresenceProcess
from tests.kit.redis_servers import ClusterServer, RedisServer, running


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisServer]:
    with running(ClusterServer()) as cluster:
        yield cluster


@pytest.fixture(params=["in-process", "server", "cluster"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A client of an empty Redis of each kind."""
    if request.param == "in-process":
        found: Any = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer())
    elif request.param == "server":
        found = redis.asyncio.from_url(request.getfixturevalue("redis_server").url)
    else:
        found = RedisCluster.from_url(request.getfixturevalue("redis_cluster").url)
    await found.flushall()
    yield found
    await found.aclose()


@pytest.fixture
def shards() -> int:
    return SHARDS


@pytest.fixture
def store(client: Any, shards: int) -> PresenceStore:
    return PresenceStore(client, lease_seconds=INTERVALS.lease_seconds, shards=shards)


@pytest.fixture
async def start_process(store: PresenceStore) -> AsyncIterator[Callable[..., Awaitable[PresenceProcess]]]:
    """Starts heartbeats over one store. Their announcements are in one list, unless they get one of their own."""
    started: list[PresenceProcess] = []
    announced: list[Change] = []

    async def start(**options: Any) -> PresenceProcess:
        process = PresenceProcess(options.pop("store", store), options.pop("announced", announced), **options)
        process.heartbeat.start()
        started.append(process)
        return process

    yield start
    for process in started:
        await process.crash()
        await process.heartbeat._announcer.stop()
