"""The faults of `convergence` that end with a restart: of Redis, and of the database (the MongoDB stand-in).

The time runs from the moment the part answers again until each process stores a message that the other delivers.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from djongo_lts.testing import MongoServer
from tests.kit.clients import ChatSocketClient
from tests.kit.servers import ChatServer

from .recoveries import WAIT_SECONDS, pair


@contextlib.asynccontextmanager
async def talkers(one: ChatServer, two: ChatServer) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Yields a function that waits until each process stores a message and the other delivers it.

    At the end every reader must have every message, once and in order.
    """
    user = one.sign_up()
    room_id = user.make_room()
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(user.on(server).connect()) for server in (one, two) * 2]
        writers, readers = sockets[:2], sockets[2:]

        async def send_across(writer: ChatSocketClient, reader: ChatSocketClient) -> None:
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
            await asyncio.gather(send_across(writers[0], readers[1]), send_across(writers[1], readers[0]))

        await converge()
        yield converge
        last = await writers[0].reply("message:send", {"roomId": room_id, "content": "last"})
        for socket in readers:
            await socket.expect(
                lambda f: f["event"] == "message:receive" and f["data"]["content"] == "last",
                seconds=WAIT_SECONDS,
            )
            received = [f["data"]["seq"] for f in socket.frames if f["event"] == "message:receive"]
            assert received == list(range(1, last["seq"] + 1)), (
                "a message is missing, repeated or out of order"
            )


async def timed(
    converge: Callable[[], Awaitable[None]], kill: Callable[[], object], start: Callable[[], object]
) -> float:
    """Kill a server, let both processes notice by sending once, start it, and measure the time from there."""
    kill()
    noticing = asyncio.create_task(asyncio.wait_for(converge(), WAIT_SECONDS))
    await asyncio.sleep(1)
    await asyncio.to_thread(start)
    started = time.perf_counter()
    await noticing
    await converge()
    return time.perf_counter() - started


async def redis(runs: int) -> list[float]:
    """Kill Redis and start it again, until both processes deliver the messages of the other."""
    async with pair() as (one, two, server), talkers(one, two) as converge:
        return [await timed(converge, server.kill, server.start) for _ in range(runs)]


async def database(runs: int) -> list[float]:
    """Kill the database and start it again, until both processes store and deliver."""
    mongo = MongoServer(sync=True)
    try:
        mongo.start()
        async with pair(DATABASE_URL=f"{mongo.url}/chat") as (one, two, _), talkers(one, two) as converge:
            return [await timed(converge, mongo.kill, mongo.start) for _ in range(runs)]
    finally:
        mongo.stop()
