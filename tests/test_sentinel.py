"""The master of Redis ends and Sentinel promotes its replica: the chat finds it by itself and loses nothing."""

from collections.abc import Iterator

import pytest

from tests.kit.load import TEMPORARY, loaded, recovered
from tests.kit.redis_sentinel import PASSWORD, SERVICE, Replica, SentinelServer
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import chat_servers
from tests.kit.waiting import until

FAILOVER_SECONDS = 60


@pytest.fixture
def redis_group() -> Iterator[tuple[RedisServer, Replica, SentinelServer]]:
    master = RedisServer(password=PASSWORD)
    replica = Replica(master)
    sentinel = SentinelServer(master)
    try:
        for server in (master, replica, sentinel):
            server.start()
        yield master, replica, sentinel
    finally:
        for server in (sentinel, replica, master):
            server.stop()


async def test_redis_when_sentinel_promotes_a_replica_then_the_chat_recovers(
    redis_group: tuple[RedisServer, Replica, SentinelServer],
) -> None:
    master, replica, sentinel = redis_group
    await until(
        lambda: sentinel.replicas() == [replica.port],
        "the sentinel knows the replica",
        seconds=FAILOVER_SECONDS,
    )
    url = f"redis+sentinel://:{PASSWORD}@127.0.0.1:{sentinel.port}/{SERVICE}/0"
    with chat_servers(2, REDIS_URL=url) as servers:
        async with loaded(servers) as load:
            master.kill()
            # Meanwhile messages are stored without Redis.
            await load.progress(4)
            await until(
                lambda: sentinel.master_port() == replica.port,
                "the replica is the master",
                seconds=FAILOVER_SECONDS,
            )
            await recovered(load)
        assert load.errors <= TEMPORARY
        for server in servers:
            await until(server.ready, "the server is ready")
