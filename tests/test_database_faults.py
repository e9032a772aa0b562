"""The database fails under load: a send is stored, waits, or is refused with a temporary error. An acknowledged
message is never lost."""

import asyncio
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from djongo_lts.testing import MongoServer
from tests.kit.load import TEMPORARY, loaded, recovered, until_not_ready
from tests.kit.proxy import TcpProxy
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import chat_servers

pytestmark = pytest.mark.once  # starts its own databases

# Long enough for senders to send, shorter than the time that a send waits for a lock.
LOCKED_SECONDS = 4


@pytest.fixture
def mongo() -> Iterator[MongoServer]:
    server = MongoServer(sync=True)
    try:
        server.start()
        yield server
    finally:
        server.stop()


async def test_database_when_killed_under_load_then_keeps_acknowledged_sends(
    mongo: MongoServer, redis_server: RedisServer
) -> None:
    with chat_servers(2, REDIS_URL=redis_server.url, DATABASE_URL=f"{mongo.url}/chat") as servers:
        async with loaded(servers) as load:
            for _ in range(2):
                await asyncio.to_thread(mongo.kill)
                await until_not_ready(*servers)
                await asyncio.to_thread(mongo.start)
                await load.progress()
            await recovered(load)
        assert load.errors <= TEMPORARY


async def test_database_when_paused_and_cut_off_then_the_chat_recovers(
    mongo: MongoServer, redis_server: RedisServer
) -> None:
    with TcpProxy(mongo.port) as proxy:
        # Without directConnection the driver learns the addresses of the replica set and bypasses the proxy.
        url = f"mongodb://127.0.0.1:{proxy.port}/chat?directConnection=true"
        with chat_servers(2, REDIS_URL=redis_server.url, DATABASE_URL=url) as servers:
            async with loaded(servers) as load:
                assert mongo.process is not None
                mongo.process.send_signal(signal.SIGSTOP)
                await until_not_ready(*servers)
                mongo.process.send_signal(signal.SIGCONT)
                await load.progress(4)
                proxy.cut()
                await until_not_ready(*servers)
                # New connections work; the old ones stay silent.
                proxy.restore(forget=True)
                await load.progress(4)
                await recovered(load)
            assert load.errors <= TEMPORARY


async def test_sqlite_when_another_program_locks_it_then_sends_wait(
    redis_server: RedisServer,
) -> None:
    with chat_servers(2, REDIS_URL=redis_server.url, DATABASE_URL="") as servers:
        async with loaded(servers) as load:
            path = Path(servers[0].env["DATA_DIR"]) / "chat.sqlite3"
            other = sqlite3.connect(path, isolation_level=None, timeout=30)
            other.execute("BEGIN IMMEDIATE")
            before = len(load.stored)
            # No event shows that a send waits for the lock, so the lock is held for a fixed time.
            await asyncio.sleep(LOCKED_SECONDS)
            assert len(load.stored) <= before + 2, "only sends that were under way may be stored"
            other.execute("ROLLBACK")
            other.close()
            await load.progress(4)
            await recovered(load)
        assert load.errors <= TEMPORARY
