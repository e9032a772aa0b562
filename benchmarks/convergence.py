"""How long the chat takes to be one again after a part of it died, with default settings and real processes.

`python -m benchmarks.convergence [crash vanish redis database kick logout] --runs 10`. Two server processes over
one Redis, and SQLite, or the MongoDB stand-in where the database is what dies. Knows only test kit and contract.
"""

import argparse
import asyncio
import contextlib
import copy
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from djongo_lts.testing import MongoServer
from tests.kit.clients import ChatSocketClient
from tests.kit.proxy import TcpProxy
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

WAIT_SECONDS = 90.0
# What issue and design promise, in seconds.
BOUNDS = {"crash": 25.0, "vanish": 40.0, "redis": 5.0, "database": 5.0, "kick": 1.0, "logout": 1.0}
TITLES = {
    "crash": "kill -9 of a process, until its user is told offline",
    "vanish": "peer that vanished without closing, until told offline",
    "redis": "Redis killed and restarted, until both processes hear each other",
    "database": "database killed and restarted, until both store and hear",
    "kick": "member removed, until the socket in the other process is told",
    "logout": "logout, until the socket in the other process is closed",
}


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


def check_told_once(watcher: ChatSocketClient, users: list[ChatUser]) -> None:
    for user in users:
        told = [frame for frame in watcher.frames if presence(user, False)(frame)]
        assert len(told) == 1, f"{len(told)} events of one end"


async def crash(runs: int) -> list[float]:
    """The user's only socket is in the process that is killed."""
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
            await socket.settle()
            check_told_once(socket, users)
    return taken


async def vanish(runs: int) -> list[float]:
    """All peers are cut off in one moment, each at another point between two pings."""
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
            told = await socket.expect(
                lambda f: (
                    f["event"] == "presence:update"
                    and f["data"]["userId"] in waiting
                    and not f["data"]["online"]
                ),
                seconds=WAIT_SECONDS,
            )
            taken.append(time.perf_counter() - started)
            waiting.remove(told["data"]["userId"])
        await socket.settle()
        check_told_once(socket, users)
        for peer in sockets:
            peer.ws.transport.abort()
        for proxy in proxies:
            proxy.close()
    return taken


@contextlib.asynccontextmanager
async def talkers(one: ChatServer, two: ChatServer) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """What waits until each process stores a message and the other hears it, and all before it in order."""
    user = one.sign_up()
    room_id = user.make_room()
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(user.on(server).connect()) for server in (one, two) * 2]
        writers, readers = sockets[:2], sockets[2:]

        async def tell(writer: ChatSocketClient, reader: ChatSocketClient) -> None:
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    answer = await writer.request("message:send", {"roomId": room_id, "content": "x"})
                    if answer["event"] == "reply":
                        break
                    await asyncio.sleep(0.05)
            seq = answer["data"]["seq"]
            await reader.expect(
                lambda f: f["event"] == "message:receive" and f["data"]["seq"] >= seq, seconds=WAIT_SECONDS
            )

        async def converge() -> None:
            await asyncio.gather(tell(writers[0], readers[1]), tell(writers[1], readers[0]))

        await converge()
        yield converge
        last = await writers[0].reply("message:send", {"roomId": room_id, "content": "last"})
        for socket in readers:
            await socket.expect(
                lambda f: f["event"] == "message:receive" and f["data"]["content"] == "last",
                seconds=WAIT_SECONDS,
            )
            heard = [f["data"]["seq"] for f in socket.frames if f["event"] == "message:receive"]
            assert heard == list(range(1, last["seq"] + 1)), "something was lost, doubled or out of order"


async def timed(
    converge: Callable[[], Awaitable[None]], kill: Callable[[], object], start: Callable[[], object]
) -> float:
    """Kill it, let both processes notice by sending once, start it, and time from there."""
    kill()
    noticing = asyncio.create_task(asyncio.wait_for(converge(), WAIT_SECONDS))
    await asyncio.sleep(1)
    await asyncio.to_thread(start)
    started = time.perf_counter()
    await noticing
    await converge()
    return time.perf_counter() - started


async def redis(runs: int) -> list[float]:
    async with pair() as (one, two, server), talkers(one, two) as converge:
        return [await timed(converge, server.kill, server.start) for _ in range(runs)]


async def database(runs: int) -> list[float]:
    mongo = MongoServer(sync=True)
    try:
        mongo.start()
        async with pair(DATABASE_URL=f"{mongo.url}/chat") as (one, two, _), talkers(one, two) as converge:
            return [await timed(converge, mongo.kill, mongo.start) for _ in range(runs)]
    finally:
        mongo.stop()


async def kick(runs: int) -> list[float]:
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


MEASURES: dict[str, Callable[[int], Awaitable[list[float]]]] = {
    "crash": crash, "vanish": vanish, "redis": redis, "database": database, "kick": kick, "logout": logout,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measures", nargs="*", help=f"of {', '.join(MEASURES)}; all without any")
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    print("| what | bound | median | min | max | runs |\n|---|---|---|---|---|---|", flush=True)
    for name in arguments.measures or MEASURES:
        taken = asyncio.run(_run(MEASURES[name], arguments.runs))
        figures = " | ".join(
            f"{figure:.2f} s" for figure in (statistics.median(taken), min(taken), max(taken))
        )
        print(f"| {TITLES[name]} | {BOUNDS[name]:.0f} s | {figures} | {len(taken)} |", flush=True)


async def _run(measure: Callable[[int], Awaitable[list[float]]], runs: int) -> list[float]:
    return await measure(runs)


if __name__ == "__main__":
    main()
