"""Contention: three processes write to one room at once, and each message is stored once. A few seconds."""

import asyncio
import contextlib
import json
from collections.abc import Iterator

import pytest

from tests.kit.clients import ChatSocketClient
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer

PROCESSES = 3
MESSAGES = 40
SECONDS = 60


@pytest.fixture
def servers(redis_server: RedisServer) -> Iterator[list[ChatServer]]:
    first = ChatServer(REDIS_URL=redis_server.url, LIMIT_FRAMES="10000/1s")
    others = [
        ChatServer(**{name: first.env[name] for name in ("REDIS_URL", "LIMIT_FRAMES", "DATA_DIR")})
        for _ in range(PROCESSES - 1)
    ]
    try:
        yield [first.start(), *(server.start(migrate=False) for server in others)]
    finally:
        for server in reversed([first, *others]):
            server.stop()


async def send_all(client: ChatSocketClient, room_id: str, name: str) -> list[dict]:
    """Send all messages without waiting for answers, then return the answers in order."""
    for number in range(MESSAGES):
        data = {"roomId": room_id, "content": f"{name} {number}", "clientMessageId": f"{name}-{number}"}
        await client.ws.send(json.dumps({"event": "message:send", "data": data, "ref": str(number)}))
    return [
        await client.expect(lambda frame, ref=str(number): frame.get("ref") == ref, seconds=SECONDS)
        for number in range(MESSAGES)
    ]


async def test_send_when_processes_compete_for_seqs_then_no_gap_and_no_repeat(
    servers: list[ChatServer],
) -> None:
    user = servers[0].sign_up()
    room_id = user.make_room()
    names = [f"from {number}" for number in range(PROCESSES)]
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(user.on(server).connect()) for server in servers]
        answers = await asyncio.gather(
            *(send_all(socket, room_id, name) for socket, name in zip(sockets, names, strict=True))
        )
    refused = [answer for answered in answers for answer in answered if answer["event"] != "reply"]
    assert refused == []
    log: list[dict] = []
    while page := user.history(room_id, after=len(log)):
        log += page
    assert [message["seq"] for message in log] == list(range(1, PROCESSES * MESSAGES + 1))
    for name, answered in zip(names, answers, strict=True):
        assert [message["content"] for message in log if message["content"].startswith(name)] == [
            f"{name} {number}" for number in range(MESSAGES)
        ]
        assert [answer["data"]["seq"] for answer in answered] == [
            message["seq"] for message in log if message["content"].startswith(name)
        ]
