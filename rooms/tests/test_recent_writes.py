"""Which rooms were written to lately, in a real Redis. Takes about five seconds."""

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from redis.asyncio.client import Redis

from foundation.redis.address import RedisAddress
from foundation.redis.outage import Outage
from rooms.recent_writes import KEPT_SECONDS, KEY, RecentWrites
from tests.kit.clock import Clock
from tests.kit.redis_servers import ClusterServer, RedisServer, running
from tests.kit.waiting import until

pytestmark = pytest.mark.once  # kept in Redis

ONE, TWO, OTHER = uuid4(), uuid4(), uuid4()


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[[RedisServer], Redis]]:
    """Makes clients of a Redis."""
    made: list[Redis] = []

    def make(server: RedisServer) -> Redis:
        made.append(RedisAddress.parse(server.url).client())
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


Clients = Callable[[RedisServer], Redis]


async def test_rooms_when_announced_then_another_process_finds_them(
    redis_server: RedisServer, client_of: Clients
) -> None:
    here, there = (RecentWrites(client_of(redis_server), Outage()) for _ in range(2))
    await here.announce({ONE, TWO})
    assert await there.among([TWO, OTHER, ONE]) == {ONE, TWO}
    assert await there.among([]) == set()
    kept = await client_of(redis_server).ttl(KEY.format(ONE))
    assert KEPT_SECONDS - 30 < kept <= KEPT_SECONDS


async def test_rooms_when_announced_a_moment_ago_then_cost_nothing(
    redis_server: RedisServer, client_of: Clients
) -> None:
    redis = client_of(redis_server)
    writes = RecentWrites(redis, Outage())
    await writes.announce({ONE})
    await redis.delete(KEY.format(ONE))
    await writes.announce({ONE})
    assert await writes.among([ONE]) == set()
    await writes.announce({ONE, TWO})
    assert await writes.among([ONE, TWO]) == {TWO}


async def test_rooms_when_redis_is_a_cluster_then_are_found(client_of: Clients) -> None:
    with running(ClusterServer()) as cluster:
        writes = RecentWrites(client_of(cluster), Outage())
        await writes.announce({ONE, TWO})
        assert await writes.among([ONE, TWO, OTHER]) == {ONE, TWO}


async def test_rooms_when_redis_was_away_then_are_announced_again(
    own_redis: RedisServer, client_of: Clients
) -> None:
    """Also without rate limits, whose calls tell the end of an outage as well."""
    clock = Clock()
    outage = Outage(clock=clock)
    writes = RecentWrites(client_of(own_redis), outage)
    await writes.announce({ONE})
    own_redis.kill()
    await writes.announce({TWO})
    assert await writes.among([ONE, TWO]) == set()
    own_redis.start()
    await writes.announce({ONE})
    assert await writes.among([ONE]) == set(), "nobody asks until the pause has passed"

    async def is_back() -> bool:
        clock.now += 10
        await writes.announce({ONE})
        return await writes.among([ONE, TWO]) == {ONE}

    await until(is_back, "the room is announced again")
    assert not outage.lasts()
    assert not outage.lasts(), "for all callers, not only for one a second"
