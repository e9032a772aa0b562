"""Redis of each kind that presence runs on: inside the process, a server, a cluster."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import fakeredis
import pytest
import redis.asyncio
from redis.asyncio.cluster import RedisCluster

from presence.leases import Change
from presence.store import PresenceStore
from tests.kit.heartbeats import INTERVALS, PresenceProcess
from tests.kit.redis_servers import ClusterServer, RedisServer, running


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisServer]:
    with running(ClusterServer()) as cluster:
        yield cluster


@pytest.fixture(params=["in-process", "server", "cluster"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """An empty Redis of each kind."""
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
def store(client: Any) -> PresenceStore:
    return PresenceStore(client, lease_seconds=INTERVALS.lease_seconds)


@pytest.fixture
async def start_process(store: PresenceStore) -> AsyncIterator[Callable[..., Awaitable[PresenceProcess]]]:
    """Starts heartbeats over one store, which share what they tell unless they are given a list."""
    started: list[PresenceProcess] = []
    told: list[Change] = []

    async def start(**options: Any) -> PresenceProcess:
        process = PresenceProcess(options.pop("store", store), options.pop("told", told), **options)
        process.heartbeat.start()
        started.append(process)
        return process

    yield start
    for process in started:
        await process.crash()
        await process.heartbeat._announcer.stop()
