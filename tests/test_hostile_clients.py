"""Malicious and broken clients: each is limited, and another user can chat meanwhile."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from foundation.ids import uuid7
from tests.kit.load import chatting
from tests.kit.raw_sockets import PING, frame, open_raw_socket
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # tests the wire

PATIENCE_SECONDS = 100.0


async def test_pings_when_a_client_never_reads_then_memory_is_bounded(server: ChatServer) -> None:
    user, neighbour = server.sign_up(), server.sign_up()
    room_id = neighbour.make_room()
    _, writer = await open_raw_socket(user)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    before = server.memory_bytes()
    flood = frame(b"p" * 100, PING) * 500
    async with chatting(neighbour, room_id):
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(20):
                # 20 MB of pings, unless the server stops reading.
                for _ in range(400):
                    writer.write(flood)
                    await writer.drain()
    writer.transport.abort()
    assert server.memory_bytes() - before < 64 * 1024 * 1024


async def test_sender_when_a_member_of_none_of_the_rooms_then_stores_nothing(
    server: ChatServer,
) -> None:
    user, neighbour = server.sign_up(), server.sign_up()
    room_id = neighbour.make_room()
    rooms = [*(str(uuid7()) for _ in range(999)), room_id]
    async with chatting(neighbour, neighbour.make_room()), user.connect() as client:
        for number, room in enumerate(rooms):
            await client.send("message:send", {"roomId": room, "content": "spam"}, ref=number)
        await client.expect(lambda frame: frame.get("ref") == len(rooms) - 1, seconds=90)
    answers = {frame["ref"]: frame["event"] for frame in client.frames if "ref" in frame}
    assert answers == dict.fromkeys(range(len(rooms)), "error:not_found")
    assert neighbour.history(room_id) == []


async def test_readers_when_they_read_too_slowly_then_are_closed_with_4408(
    start_server: Callable[..., ChatServer],
) -> None:
    """The close code is taken from the log: the close frame is behind the data that the reader left unread."""
    server = start_server()
    idle, sipper, neighbour = (server.sign_up() for _ in range(3))
    room_id = neighbour.make_room(idle, sipper)
    writers = []
    for user in (idle, sipper):
        _, writer = await open_raw_socket(user, receive_buffer_bytes=4096)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writers.append(writer)

    async def sip(descriptor: int) -> None:
        """Reads a byte a second: the pace of the attack, not a wait."""
        while True:
            await asyncio.sleep(1)
            with contextlib.suppress(OSError):
                os.read(descriptor, 1)

    def cut() -> set[str]:
        return {
            record["userId"]
            for record in server.log_records()
            if (record.get("route"), record.get("status")) == ("ws/chat/", 4408)
        }

    before = server.memory_bytes()
    sipping = asyncio.create_task(sip(writers[1].get_extra_info("socket").fileno()))
    try:
        async with neighbour.connect() as client, asyncio.timeout(PATIENCE_SECONDS):
            # First the buffers of the kernel fill up, then the 1 MB that the server buffers.
            while cut() != {idle.id, sipper.id}:
                for _ in range(100):
                    await client.reply("message:send", {"roomId": room_id, "content": "x" * 4000})
    finally:
        sipping.cancel()
        for writer in writers:
            writer.transport.abort()
    assert server.memory_bytes() - before < 64 * 1024 * 1024


async def test_client_when_it_ignores_its_limit_then_is_closed_with_4429(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_FRAMES="20/1s", LIMIT_SIGNUP_IP="100/1h")
    user, neighbour = server.sign_up(), server.sign_up()
    async with neighbour.connect() as bystander, user.connect() as client:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(5000):
                await client.send("ping")
        assert await client.close_code(seconds=PATIENCE_SECONDS) == 4429
        await bystander.reply("ping")
    assert any(frame["event"] == "error:rate_limited" for frame in client.frames)


@pytest.mark.parametrize("path", ["signup", "login"])
async def test_sign_ups_and_logins_when_flooded_then_are_refused(
    start_server: Callable[..., ChatServer], path: str
) -> None:
    """Hashing a password is the most expensive request without a token, so it is limited before the hashing."""
    limits = {"LIMIT_SIGNUP_IP": "10/1d", "LIMIT_LOGIN_IP": "10/1d", "LIMIT_REST_ANON": "100000/1h"}
    limits["PASSWORD_MEMORY_KIB"] = "102400"
    server = start_server(RATE_LIMITS="on", LIMIT_MESSAGES_USER="100000/1s", LIMIT_FRAMES="100000/1s",
                          LIMIT_MESSAGES_ROOM="100000/1s", **limits)  # fmt: skip
    neighbour = server.sign_up()
    room_id = neighbour.make_room()
    codes: Counter[int] = Counter()
    async with chatting(neighbour, room_id), httpx.AsyncClient(base_url=server.base_url) as http:

        async def attempt(number: int) -> None:
            body = {"email": f"{path}_flood{number}@example.com", "password": "entirely other words 7"}
            body |= {"username": f"flood_{number}"} if path == "signup" else {}
            answer = await http.post(f"/api/auth/{path}", json=body, timeout=PATIENCE_SECONDS)
            codes[answer.status_code] += 1

        for first in range(0, 150, 25):
            await asyncio.gather(*(attempt(first + number) for number in range(25)))
    # The sign-up of the neighbour counts too.
    done = 9 if path == "signup" else 10
    assert codes == {201 if path == "signup" else 401: done, 429: 150 - done}
