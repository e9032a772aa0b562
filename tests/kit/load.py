"""Users who send all the time while a test disturbs the chat, and the check that every message arrived."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from .clients import ChatSocketClient
from .servers import ChatServer
from .users import ChatUser
from .waiting import until

# Generous, because the test machine may be busy. benchmarks/convergence.py measures the real times.
RECOVERY_SECONDS = 30
# Longer than any timeout of the server, so that only a request that hangs fails.
ANSWER_SECONDS = 40
# Between two messages of a sender.
PAUSE_SECONDS = 0.02
TEMPORARY = {"error:unavailable", "error:overloaded"}


class Load:
    """Sends messages over `senders` until stopped. `listeners` only receive.

    `stored` maps the content of each acknowledged message to its seq; `errors` holds the error events received.
    """

    def __init__(
        self, user: ChatUser, senders: list[ChatSocketClient], listeners: list[ChatSocketClient], room_id: str
    ) -> None:
        self.user, self.listeners, self.room_id = user, listeners, room_id
        self.stored: dict[str, int] = {}
        self.errors: set[str] = set()
        self._stop = False
        self._tasks = [asyncio.create_task(self._send(n, s)) for n, s in enumerate(senders)]

    async def _send(self, number: int, socket: ChatSocketClient) -> None:
        count = 0
        while not self._stop:
            count += 1
            content = f"{number}.{count}"
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await socket.request("message:send", {"roomId": self.room_id, "content": content})
            if answer["event"] == "reply":
                self.stored[content] = answer["data"]["seq"]
            else:
                self.errors.add(answer["event"])
            await asyncio.sleep(PAUSE_SECONDS)

    async def progress(self, count: int = 1) -> None:
        """Waits until `count` more messages are stored."""
        wanted = len(self.stored) + count
        await until(lambda: len(self.stored) >= wanted, f"{count} more are stored", seconds=RECOVERY_SECONDS)

    async def stop(self) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)


@contextlib.asynccontextmanager
async def loaded(servers: list[ChatServer]) -> Any:
    """Runs a Load of one user, with a sender and a listener in each server, after its first messages are stored."""
    user = servers[0].sign_up()
    room_id = user.make_room()
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(user.on(server).connect()) for server in servers * 2]
        load = Load(user, sockets[: len(servers)], sockets[len(servers) :], room_id)
        try:
            await load.progress(4)
            yield load
        finally:
            await load.stop()


async def recovered(load: Load) -> None:
    """Asserts that the chat has recovered: a message sent in any process reaches every listener, and each listener
    has received every stored message exactly once and in order."""
    sockets = load.listeners
    for number, socket in enumerate(sockets):
        content = f"recovered {number} {time.monotonic()}"
        await _accepted(socket, {"roomId": load.room_id, "content": content, "clientMessageId": content})
        for other in sockets:
            await other.expect(
                lambda f, content=content: (
                    f["event"] == "message:receive" and f["data"]["content"] == content
                ),
                seconds=RECOVERY_SECONDS,
            )
    await load.stop()
    last = await sockets[0].reply("message:send", {"roomId": load.room_id, "content": "last"})
    for socket in sockets:
        await socket.expect(
            lambda f: f["event"] == "message:receive" and f["data"]["seq"] == last["seq"],
            seconds=RECOVERY_SECONDS,
        )
        heard = [frame["data"] for frame in socket.frames if frame["event"] == "message:receive"]
        assert [message["seq"] for message in heard] == list(range(1, last["seq"] + 1)), "each once, in order"
        assert load.stored.items() <= {message["content"]: message["seq"] for message in heard}.items()


@contextlib.asynccontextmanager
async def chatting(user: ChatUser, room_id: str) -> AsyncIterator[None]:
    """Sends messages of a neighbour during the block. Each must be answered."""
    async with user.connect() as client:
        answered, over = 0, False

        async def chat() -> None:
            nonlocal answered
            while not over:
                await client.reply("message:send", {"roomId": room_id, "content": "still here"})
                answered += 1
                # Leaves the machine to the hostile clients.
                await asyncio.sleep(0.01)

        task = asyncio.create_task(chat())
        try:
            yield
        finally:
            over = True
            await task
        assert answered > 0


async def until_not_ready(*servers: ChatServer) -> None:
    """Waits until each server has noticed that Redis or its database does not answer."""
    for server in servers:
        await until(lambda server=server: not server.ready(), "the server is not ready")


async def _accepted(socket: ChatSocketClient, message: dict[str, Any]) -> None:
    """Sends the message until it is stored, as clients do."""

    async def stored() -> bool:
        answer = await socket.request("message:send", message)
        assert answer["event"] in {"reply", *TEMPORARY}, answer
        return bool(answer["event"] == "reply")

    await until(stored, "the message is stored", seconds=RECOVERY_SECONDS, poll_seconds=0.1)
