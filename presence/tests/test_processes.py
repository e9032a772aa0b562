"""Presence over several server processes with one Redis and one database, some of them killed."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.waiting import until

from .test_consumers import LIMITED, until_update, updates_of

StartServer = Callable[..., ChatServer]

SHORT = {"PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1", "PRESENCE_GRACE_SECONDS": "1.5"}
# A lease and a sweep after the kill, and some time for the events.
MAX_SECONDS = 25.0


def start_two(start_server: StartServer, redis: RedisServer, **env: str) -> tuple[ChatServer, ChatServer]:
    first = start_server(REDIS_URL=redis.url, **env)
    return first, start_server(REDIS_URL=redis.url, DATA_DIR=str(first.folder), **env)


@pytest.mark.slow
async def test_kill_when_settings_are_defaults_then_offline_in_25_seconds(
    start_server: StartServer, own_redis: RedisServer
) -> None:
    first, second = start_two(start_server, own_redis)
    alice, bob, carol = (first.sign_up() for _ in range(3))
    alice.make_room(bob, carol)
    async with alice.connect() as watching, alice.connect() as also, carol.on(first).connect():
        async with bob.on(second).connect(), carol.on(second).connect():
            await until_update(watching, bob, online=True)
            await until_update(watching, carol, online=True)
            second.kill()
            killed_at = time.monotonic()
        frame = await watching.expect(
            lambda frame: frame["event"] == "presence:update" and frame["data"]["userId"] == bob.id,
            seconds=MAX_SECONDS,
        )
        assert frame["data"]["online"] is False
        assert time.monotonic() - killed_at < MAX_SECONDS
        await until_update(also, bob, online=True)
        await until_update(also, bob, online=False)
        for client in (watching, also):
            await client.read_all()
            assert updates_of(client, bob) == [True, False]
            assert updates_of(client, carol) == [True], "she has a device on the first server"
        assert first.http(alice).get(f"/api/users/{bob.id}").json()["lastSeen"] == frame["data"]["lastSeen"]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[RedisServer, ChatServer, ChatServer]]:
    """Two processes with short leases, and their Redis, which a test may restart."""
    redis = RedisServer()
    first = ChatServer(REDIS_URL=redis.url, **SHORT)
    second = ChatServer(REDIS_URL=redis.url, DATA_DIR=str(first.folder), **SHORT)
    try:
        redis.start()
        yield redis, first.start(), second.start()
    finally:
        for process in (second, first, redis):
            process.stop()


async def test_reload_when_on_another_process_then_nothing_is_published(
    pair: tuple[RedisServer, ChatServer, ChatServer],
) -> None:
    _, first, second = pair
    alice, bob, carol = (first.sign_up() for _ in range(3))
    alice.make_room(bob, carol)
    async with alice.connect() as watching:
        async with bob.connect():
            await until_update(watching, bob, online=True)
        async with bob.on(second).connect():
            async with carol.on(second).connect():
                await until_update(watching, carol, online=True)
            await until_update(watching, carol, online=False)
            assert updates_of(watching, bob) == [True]
        await until_update(watching, bob, online=False)


async def test_connect_when_the_devices_oldest_is_elsewhere_then_is_replaced(
    pair: tuple[RedisServer, ChatServer, ChatServer],
) -> None:
    _, first, second = pair
    bob = first.sign_up()
    async with contextlib.AsyncExitStack() as sockets:
        open_sockets = [
            await sockets.enter_async_context(bob.on(first).connect(device_id="phone")) for _ in range(10)
        ]
        async with bob.on(second).connect(device_id="phone") as newest:
            assert await open_sockets[0].close_code() == LIMITED
            for client in (newest, *open_sockets[1:]):
                await client.reply("ping")


async def test_restart_of_redis_when_connected_then_nobody_is_offline(
    pair: tuple[RedisServer, ChatServer, ChatServer],
) -> None:
    redis, first, second = pair
    alice, bob = first.sign_up(), first.sign_up()
    alice.make_room(bob)
    async with alice.connect() as watching, bob.on(second).connect():
        await until_update(watching, bob, online=True)
        await asyncio.to_thread(redis.restart)

        async def healed() -> bool:
            states = await watching.reply("presence:query", {"userIds": [alice.id, bob.id]})
            return all(state["online"] for state in states.values())

        await until(healed, "both are online again")
        assert updates_of(watching, bob) == [True]


async def test_stop_when_users_are_connected_then_offline_after_the_grace(
    start_server: StartServer, own_redis: RedisServer
) -> None:
    first, second = start_two(start_server, own_redis, PRESENCE_LEASE_SECONDS="60")
    alice, bob = first.sign_up(), first.sign_up()
    alice.make_room(bob)
    async with alice.connect() as watching:
        async with bob.on(second).connect():
            await until_update(watching, bob, online=True)
            await asyncio.to_thread(second.stop)
        await until_update(watching, bob, online=False)


async def test_stop_when_without_redis_then_last_seen_is_stored(start_server: StartServer) -> None:
    server = start_server()
    alice = server.sign_up()
    async with alice.connect():
        server.send_signal(15)
        await asyncio.to_thread(server.wait)
    await asyncio.to_thread(server.start)
    assert alice.http.get("/api/users/me").json()["lastSeen"] is not None
