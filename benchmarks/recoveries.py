"""The faults of `convergence`: each function causes one `runs` times, and returns the seconds until recovery.

Two server processes with default settings use one Redis and one database. Faults that end with a restart
are in `restarts.py`.
"""

import asyncio
import contextlib
import copy
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.kit.clients import ChatSocketClient
from tests.kit.proxy import TcpProxy
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

WAIT_SECONDS = 90.0


@contextlib.asynccontextmanager
async def pair(**env: str) -> AsyncIterator[tuple[ChatServer, ChatServer, RedisServer]]:
    redis = RedisServer()
    one = ChatServer(REDIS_URL=redis.url, **env)
    two = ChatServer(**{"REDIS_URL": redis.url, "DATA_DIR": one.env["DATA_DIR"], **env})
    try:
        redis.start()
        one.start()
        yield one, two.start(migrate=False), redis
    finally:
        for process in (two, one, redis):
            process.stop()


def presence(user: ChatUser, online: bool) -> Callable[[dict[str, Any]], bool]:
    def matches(frame: dict[str, Any]) -> bool:
        data = frame["data"]
        return frame["event"] == "presence:update" and (data["userId"], data["online"]) == (user.id, online)

    return matches


def check_announced_once(watcher: ChatSocketClient, users: list[ChatUser]) -> None:
    for user in users:
        announced = [frame for frame in watcher.frames if presence(user, False)(frame)]
        assert len(announced) == 1, f"{len(announced)} events for one disconnect"


async def crash(runs: int) -> list[float]:
    """Kill the process that holds the only socket of a user, until the other process announces the user offline."""
    taken = []
    async with pair() as (one, two, _):
        watcher, users = one.sign_up(), [one.sign_up() for _ in range(runs)]
        watcher.make_room(*users)
        async with watcher.connect() as socket:
            for user in users:
                with contextlib.suppress(OSError):
                    async with user.on(two).connect():
                        await socket.expect(presence(user, True), seconds=WAIT_SECONDS)
                        two.kill()
                        started = time.perf_counter()
                        await socket.expect(presence(user, False), seconds=WAIT_SECONDS)
                        taken.append(time.perf_counter() - started)
                await asyncio.to_thread(two.start, migrate=False)
            await socket.read_all()
            check_announced_once(socket, users)
    return taken


async def vanish(runs: int) -> list[float]:
    """Cut all users off in one moment, each at another point between two pings, until each is announced offline."""
    proxies: list[TcpProxy] = []
    async with pair() as (one, two, _), contextlib.AsyncExitStack() as stack:
        watcher, users = one.sign_up(), [one.sign_up() for _ in range(runs)]
        watcher.make_room(*users)
        socket = await stack.enter_async_context(watcher.connect())
        sockets = []
        for user in users:
            proxies.append(TcpProxy(two.port))
            far = copy.copy(two)
            far.port = proxies[-1].port
            sockets.append(await stack.enter_async_context(user.on(far).connect()))
            await socket.expect(presence(user, True), seconds=WAIT_SECONDS)
            await asyncio.sleep(15 / runs)
        for proxy in proxies:
            proxy.cut()
        started, taken = time.perf_counter(), []
        waiting = {user.id for user in users}
        while waiting:
            update = await socket.expect(
                lambda f: (
                    f["event"] == "presence:update"
                    and f["data"]["userId"] in waiting
                    and not f["data"]["online"]
                ),
                seconds=WAIT_SECONDS,
            )
            taken.append(time.perf_counter() - started)
            waiting.remove(update["data"]["userId"])
        await socket.read_all()
        check_announced_once(socket, users)
        for peer in sockets:
            peer.ws.transport.abort()
        for proxy in proxies:
            proxy.close()
    return taken


async def kick(runs: int) -> list[float]:
    """Remove a member, until their socket in the other process gets `room:removed`."""
    taken = []
    async with pair() as (one, two, _):
        owner, member = one.sign_up(), one.sign_up()
        rooms = [owner.make_room(member) for _ in range(runs)]
        async with member.on(two).connect() as socket:
            for room_id in rooms:
                started = time.perf_counter()
                path = f"/api/rooms/{room_id}/members/{member.id}"
                answer = await asyncio.to_thread(owner.http.delete, path)
                assert answer.status_code == 204, answer.text
                await socket.expect(
                    lambda f, room_id=room_id: (
                        f["event"] == "room:removed" and f["data"]["roomId"] == room_id
                    ),
                    seconds=WAIT_SECONDS,
                )
                taken.append(time.perf_counter() - started)
    return taken


async def logout(runs: int) -> list[float]:
    """Log out, until the session's socket in the other process is closed."""
    taken = []
    async with pair() as (one, two, _):
        user = one.sign_up()
        for _ in range(runs):
            phone = user.login()
            async with phone.on(two).connect() as socket:
                started = time.perf_counter()
                body = {"refreshToken": phone.refresh_token}
                answer = await asyncio.to_thread(phone.http.post, "/api/auth/logout", json=body)
                assert answer.status_code == 204, answer.text
                assert await socket.close_code(seconds=WAIT_SECONDS) == 4401
                taken.append(time.perf_counter() - started)
    return taken
