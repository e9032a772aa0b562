"""Clients that mean harm or are broken: each is bounded, and a neighbour chats on meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from realtime.testing import ChatServer, ChatUser

from .frame_fuzz import PING, Run, frame

CROWD = 1000


@contextlib.asynccontextmanager
async def chatting(user: ChatUser, room_id: str) -> AsyncIterator[None]:
    """A neighbour who sends all the while, and is answered each time."""
    async with user.connect() as client:
        answered, over = 0, False

        async def chat() -> None:
            nonlocal answered
            while not over:
                await client.reply("message:send", {"roomId": room_id, "content": "still here"})
                answered += 1

        task = asyncio.create_task(chat())
        try:
            yield
        finally:
            over = True
            await task
        assert answered > 0


async def test_a_thousand_connections_opened_and_dropped_then_none_stays(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(MAX_CONNECTIONS_USER="100000")
    user, neighbour = server.sign_up(), server.sign_up()
    run = Run(server, user, seed=1)
    room_id = neighbour.make_room(user)

    async def open_and_drop() -> None:
        _, writer = await run.open()
        writer.transport.abort()

    await asyncio.gather(*(open_and_drop() for _ in range(50)))
    before = run.memory_bytes()
    async with chatting(neighbour, room_id):
        for _ in range(CROWD // 50):
            await asyncio.gather(*(open_and_drop() for _ in range(50)))
    assert run.memory_bytes() - before < 64 * 1024 * 1024
    async with neighbour.connect() as client:  # the leases of all of them are given back
        for _ in range(300):
            states = await client.reply("presence:query", {"userIds": [user.id]})
            if not states[user.id]["online"]:
                return
            await asyncio.sleep(0.1)
    pytest.fail("the crowd has gone, and presence says it is here")


async def test_handshakes_that_never_end_then_keep_nobody_out(server: ChatServer) -> None:
    neighbour = server.sign_up()
    room_id = neighbour.make_room()
    writers = []
    try:
        for number in range(200):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "[: 10 + number % 40])
            writers.append(writer)
        async with chatting(neighbour, room_id), neighbour.connect() as other:
            await other.reply("ping")
    finally:
        for writer in writers:
            writer.transport.abort()


async def test_flood_of_pings_from_a_client_that_never_reads_then_is_bounded(server: ChatServer) -> None:
    user, neighbour = server.sign_up(), server.sign_up()
    room_id = neighbour.make_room()
    run = Run(server, user, seed=1)
    _, writer = await run.open()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    before = run.memory_bytes()
    flood = frame(b"p" * 100, PING) * 500
    async with chatting(neighbour, room_id):
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(20):
                for _ in range(400):  # 20 MB of pings, unless the server stops taking them
                    writer.write(flood)
                    await writer.drain()
    writer.transport.abort()
    assert run.memory_bytes() - before < 64 * 1024 * 1024


async def test_sender_to_a_thousand_rooms_of_others_then_is_told_of_each_and_stores_nothing(
    server: ChatServer,
) -> None:
    user, neighbour = server.sign_up(), server.sign_up()
    room_id = neighbour.make_room()
    async with chatting(neighbour, neighbour.make_room()), user.connect() as client:
        for number in range(1000):
            await client.send("message:send", {"roomId": room_id, "content": "spam"}, ref=number)
        last = await client.expect(lambda frame: frame.get("ref") == 999, seconds=90)
    assert last["event"] == "error:not_found"
    assert neighbour.history(room_id) == []
