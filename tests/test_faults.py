"""Redis fails under load: clients get temporary errors, no socket hangs, and the chat recovers by itself."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.kit.load import RECOVERY_SECONDS, TEMPORARY, loaded, recovered, until_not_ready
from tests.kit.proxy import TcpProxy
from tests.kit.redis_servers import RedisServer, running
from tests.kit.servers import ChatServer, chat_servers
from tests.kit.waiting import until

# Several times the timeout of a Redis command, which is 2 s.
PAUSE_SECONDS = 10
MAX_GROWTH_BYTES = 150 * 1024 * 1024


@pytest.fixture(scope="module")
def redis_of_two() -> Iterator[RedisServer]:
    with running(RedisServer()) as redis:
        yield redis


@pytest.fixture(scope="module")
def proxy(redis_of_two: RedisServer) -> Iterator[TcpProxy]:
    with TcpProxy(redis_of_two.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def two(proxy: TcpProxy) -> Iterator[list[ChatServer]]:
    """Two server processes, shared by the tests of this module. Each test leaves them recovered."""
    limits = {"RATE_LIMITS": "on", "LIMIT_MESSAGES_USER": "1000/1s", "LIMIT_MESSAGES_ROOM": "1000/1s"}
    with chat_servers(2, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0", **limits) as servers:
        yield servers


async def test_redis_when_it_restarts_under_load_then_the_chat_recovers(
    redis_of_two: RedisServer, two: list[ChatServer]
) -> None:
    async with loaded(two) as load:
        await asyncio.to_thread(redis_of_two.restart)
        await recovered(load)
    assert load.errors <= TEMPORARY


async def test_redis_when_paused_then_messages_are_stored_in_bounded_memory(
    redis_of_two: RedisServer, two: list[ChatServer]
) -> None:
    async with loaded(two) as load:
        await load.progress(20)
        before = [server.memory_bytes() for server in two]
        redis_of_two.pause()
        stored_before = len(load.stored)
        # The length of the outage is what is tested.
        await asyncio.sleep(PAUSE_SECONDS)
        assert len(load.stored) > stored_before, "messages are stored without Redis"
        redis_of_two.resume()
        await recovered(load)
        growth = [server.memory_bytes() - was for server, was in zip(two, before, strict=True)]
    assert load.errors <= TEMPORARY
    assert max(growth) < MAX_GROWTH_BYTES


@pytest.mark.parametrize("forget", [False, True], ids=["comes back", "was replaced"])
async def test_redis_when_its_network_is_cut_then_the_chat_recovers(
    proxy: TcpProxy, two: list[ChatServer], forget: bool
) -> None:
    async with loaded(two) as load:
        await load.progress(20)
        proxy.cut()
        await until_not_ready(*two)
        await load.progress(20)
        proxy.restore(forget=forget)
        await recovered(load)
    assert load.errors <= TEMPORARY


async def test_logout_and_kick_when_redis_loses_them_then_still_take_effect(
    own_redis: RedisServer,
) -> None:
    with TcpProxy(own_redis.port) as proxy, chat_servers(2, REDIS_URL=own_redis.url) as servers:
        one, two = servers
        owner, kicked, gone = one.sign_up(), one.sign_up(), one.sign_up()
        room_id = owner.make_room(kicked)
        two.env["REDIS_URL"] = f"redis://127.0.0.1:{proxy.port}/0"
        two.kill()
        two.start(migrate=False)
        async with kicked.on(two).connect() as kicked_socket, gone.on(two).connect() as gone_socket:
            proxy.cut()
            assert owner.http.delete(f"/api/rooms/{room_id}/members/{kicked.id}").status_code == 204
            answer = gone.http.post("/api/auth/logout", json={"refreshToken": gone.refresh_token})
            assert answer.status_code == 204
            await until_not_ready(two)
            # With the old connections silent, the data under way is lost.
            proxy.restore(forget=True)
            assert await gone_socket.close_code(seconds=RECOVERY_SECONDS) == 4401
            await kicked_socket.expect("room:removed", seconds=RECOVERY_SECONDS)


async def test_connect_when_redis_is_down_then_sockets_talk_in_one_process(
    own_redis: RedisServer,
) -> None:
    with chat_servers(1, REDIS_URL=own_redis.url) as (server,):
        alice, bob = server.sign_up(), server.sign_up()
        room_id = alice.make_room(bob)
        own_redis.kill()
        async with alice.connect() as sender, bob.connect() as listener:
            await sender.reply("message:send", {"roomId": room_id, "content": "hello"})
            assert (await listener.expect("message:receive"))["data"]["content"] == "hello"
            with server.http() as http:
                answer = http.get("/readyz")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert "redis" in answer.json()["error"]["message"]


async def test_server_when_started_before_redis_then_connects_later() -> None:
    redis = RedisServer()
    try:
        with chat_servers(2, REDIS_URL=redis.url) as servers:
            await asyncio.to_thread(redis.start)
            for server in servers:
                await until(server.ready, "the server is ready")
            async with loaded(servers) as load:
                await recovered(load)
    finally:
        redis.stop()
