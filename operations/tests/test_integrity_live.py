"""The check beside a server in use: members write, edit and join, and messages are archived. Some ten seconds."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

CHECKS = 2
PAUSE_SECONDS = 0.05


async def talk(user: ChatUser, peer: ChatUser, room: str, stopped: asyncio.Event) -> None:
    async with user.connect() as socket:
        while not stopped.is_set():
            sent = await socket.reply("message:send", {"roomId": room, "content": "text"})
            edit = {"roomId": room, "messageId": sent["serverMessageId"], "content": "another"}
            await socket.reply("message:edit", edit)
            # The pace of a writer, not a wait.
            await asyncio.sleep(PAUSE_SECONDS)
            if sent["seq"] % 10 == 0:
                other = await asyncio.to_thread(user.make_room, peer)
                await socket.reply("message:send", {"roomId": other, "content": "first"})


async def archive(server: ChatServer, room: str, to: Path, stopped: asyncio.Event) -> None:
    arguments = (
        "archive_messages",
        "--older-than",
        "0.001s",
        "--room",
        room,
        "--to",
        str(to),
        "--grace",
        "0",
    )
    while not stopped.is_set():
        await asyncio.to_thread(server.manage, *arguments, check=False)


@pytest.mark.timeout(240)
async def test_check_when_the_server_is_in_use_then_no_violation(
    start_server: Callable[..., ChatServer], tmp_path: Path
) -> None:
    # The whole database is read, and other tests leave broken rows.
    server = start_server(own_database=True)
    users = [server.sign_up() for _ in range(2)]
    rooms = [user.make_room(users[0] if user is users[1] else users[1]) for user in users]
    for _ in range(20):
        users[0].send(rooms[0], "before")
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for user, room in zip(users, rooms, strict=True):
            group.create_task(talk(user, users[0], room, stopped))
        group.create_task(archive(server, rooms[0], tmp_path, stopped))
        for _ in range(CHECKS):
            arguments = ("check_integrity", "--archive", str(tmp_path))
            done = await asyncio.to_thread(server.manage, *arguments, check=False)
            assert "No problems found." in done.stdout, done.stdout + done.stderr
        stopped.set()
    assert users[0].http.get(f"/api/rooms/{rooms[0]}").json()["firstSeq"] > 1
