"""Connections that are dropped, and requests that never end. Another user can chat meanwhile."""

import asyncio
from collections.abc import Callable

import pytest

from tests.kit.load import chatting
from tests.kit.raw_sockets import open_raw_socket
from tests.kit.servers import ChatServer
from tests.kit.waiting import until

pytestmark = pytest.mark.once  # tests the wire

CROWD = 1000
PATIENCE_SECONDS = 100.0


async def test_connections_when_a_thousand_are_dropped_then_none_remains(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(MAX_CONNECTIONS_USER="100000")
    user, neighbour = server.sign_up(), server.sign_up()
    room_id = neighbour.make_room(user)

    async def open_and_drop() -> None:
        _, writer = await open_raw_socket(user)
        writer.transport.abort()

    await asyncio.gather(*(open_and_drop() for _ in range(50)))
    before = server.memory_bytes()
    async with chatting(neighbour, room_id):
        for _ in range(CROWD // 50):
            await asyncio.gather(*(open_and_drop() for _ in range(50)))
    assert server.memory_bytes() - before < 64 * 1024 * 1024
    async with neighbour.connect() as client:
        # Presence goes offline only when the lease of every connection is released.

        async def offline() -> bool:
            states = await client.reply("presence:query", {"userIds": [user.id]})
            return not states[user.id]["online"]

        await until(offline, "the user is offline", poll_seconds=0.1)


async def test_handshakes_when_they_never_end_then_are_answered_408(
    server: ChatServer,
) -> None:
    neighbour = server.sign_up()
    room_id = neighbour.make_room()
    peers = []

    async def drip(writer: asyncio.StreamWriter) -> None:
        """Sends a byte a second, which never completes the request: the pace of the attack, not a wait."""
        while True:
            await asyncio.sleep(1)
            writer.write(b"x")

    try:
        for number in range(200):
            peers.append(await asyncio.open_connection("127.0.0.1", server.port))
            peers[-1][1].write(b"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "[: 45 - number % 46])
        dripping = asyncio.create_task(drip(peers[0][1]))
        async with chatting(neighbour, room_id), neighbour.connect() as other:
            await other.reply("ping")
        async with asyncio.timeout(PATIENCE_SECONDS):
            answers = [await reader.read() for reader, _ in peers]
        dripping.cancel()
    finally:
        for _, writer in peers:
            writer.transport.abort()
    assert {answer[:13] for answer in answers} == {b"HTTP/1.1 408 "}


async def test_header_when_it_never_ends_then_is_answered_431(server: ChatServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 200_000)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await reader.read(13)) == b"HTTP/1.1 431 "
    finally:
        writer.transport.abort()
