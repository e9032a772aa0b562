"""`manage.py prune_presence` with a real Redis, with and without running servers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from presence import keys
from presence.store import SHARDS, PresenceStore
from tests.kit.heartbeats import a_socket
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer

from .test_consumers import until_update, updates_of

StartServer = Callable[..., ChatServer]


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator[redis.Redis]:
    found = redis.Redis.from_url(own_redis.url)
    yield found
    found.close()


def shard_of(user_id: Any) -> int:
    return PresenceStore(None, lease_seconds=1, shards=SHARDS).shard_of(user_id)  # type: ignore[arg-type]


def add(client: redis.Redis, *, ended: bool) -> Any:
    """A user with one socket, whose lease ended in 1970 or ends in an hour."""
    socket, end = a_socket(), 1000
    if not ended:
        seconds, _ = client.time()  # type: ignore[misc]
        end = (seconds + 3600) * 1000
    shard = shard_of(socket.user_id)
    client.zadd(keys.sockets_key(shard, socket.user_id), {socket.member: end})
    client.zadd(keys.online_key(shard), {str(socket.user_id): end})
    return socket.user_id


def online(client: redis.Redis) -> set[str]:
    return {user.decode() for shard in range(SHARDS) for user in client.zrange(keys.online_key(shard), 0, -1)}  # type: ignore[union-attr]


def test_prune_when_some_leases_ended_then_only_those_are_removed(
    own_redis: RedisServer, client: redis.Redis
) -> None:
    command = ChatServer(REDIS_URL=own_redis.url)
    try:
        command.migrate()
        dead, living = [add(client, ended=True) for _ in range(3)], add(client, ended=False)
        half = add(client, ended=False)
        client.zadd(keys.sockets_key(shard_of(half), half), {"old:1": 1000})
        orphan = a_socket().user_id
        client.hset(keys.left_key(shard_of(orphan)), str(orphan), 1000)

        before = online(client)
        dry = command.manage("prune_presence", "--dry-run").stdout
        assert online(client) == before
        wet = command.manage("prune_presence").stdout
        for verb, output in (("would remove", dry), ("removed", wet)):
            for user_id in dead:
                assert f"{verb} user {user_id}" in output
                assert f"{verb} 1 expired socket lease(s) of user {user_id}" in output
            assert f"{verb} 1 expired socket lease(s) of user {half}" in output
            assert f"{verb} an orphaned time of leaving of user {orphan}" in output
            assert str(living) not in output
            assert output.splitlines()[-1] == f"{verb} 4 socket lease(s), 3 user(s), 1 orphan(s)"
        assert online(client) == {str(living), str(half)}
        assert (
            command.manage("prune_presence").stdout == "removed 0 socket lease(s), 0 user(s), 0 orphan(s)\n"
        )
    finally:
        command.stop()


async def test_prune_when_a_server_crashed_then_peers_get_offline_once(
    own_redis: RedisServer, start_server: StartServer
) -> None:
    env = {"REDIS_URL": own_redis.url, "PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1"}
    server = start_server(**env)
    doomed = start_server(**env, DATA_DIR=str(server.folder))
    alice, bob, carol = (server.sign_up() for _ in range(3))
    alice.make_room(bob, carol)
    async with alice.connect() as watching:
        async with bob.on(doomed).connect():
            await until_update(watching, bob, online=True)
            doomed.kill()
        while updates_of(watching, bob) == [True]:
            server.manage("prune_presence")
            await watching.read_all()
        async with carol.connect():
            await until_update(watching, carol, online=True)
        await until_update(watching, carol, online=False)
        assert updates_of(watching, bob) == [True, False]


def test_prune_when_without_redis_url_then_there_is_nothing(server: ChatServer) -> None:
    assert "nothing to prune" in server.manage("prune_presence").stdout


def test_prune_when_redis_is_away_then_it_fails_without_traceback(own_redis: RedisServer) -> None:
    command = ChatServer(REDIS_URL=own_redis.url)
    try:
        own_redis.kill()
        done = command.manage("prune_presence", check=False)
        assert done.returncode == 1
        assert "Redis is away" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        command.stop()
