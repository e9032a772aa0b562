"""ChatHttpProtocol on a real socket pair: the limits of a head, and the callback at shutdown."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from realtime.servers import uvicorn_http as module
from realtime.servers.uvicorn_http import MAX_HEAD_BYTES, ON_SHUTDOWN, ChatHttpProtocol

pytestmark = pytest.mark.once  # bytes of one socket


class Application:
    """Answers each request when `answer` is set. `shutdowns` counts the calls at shutdown."""

    def __init__(self) -> None:
        self.answer, self.requested = asyncio.Event(), asyncio.Event()
        self.shutdowns = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"][ON_SHUTDOWN] = self._shut_down
        self.requested.set()
        await self.answer.wait()
        await send({"type": "http.response.start", "status": 204, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _shut_down(self) -> None:
        self.shutdowns += 1


class Client:
    """The client's end of a connection to a ChatHttpProtocol."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.protocol: ChatHttpProtocol
        self._reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def open(self) -> None:
        config = Config(self.application, interface="asgi3", log_config=None, lifespan="off")
        config.load()
        ours, theirs = socket.socketpair()
        self.protocol = ChatHttpProtocol(config=config, server_state=ServerState(), app_state={})
        await asyncio.get_running_loop().connect_accepted_socket(lambda: self.protocol, theirs)
        self._reader, self.writer = await asyncio.open_connection(sock=ours)

    async def status(self) -> int:
        """The status of the next answer."""
        async with asyncio.timeout(20):
            head = await self._reader.readuntil(b"\r\n\r\n")
        return int(head.split()[1])

    async def is_closed(self) -> bool:
        async with asyncio.timeout(20):
            return await self._reader.read() == b""


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client(Application())
    await client.open()
    yield client
    client.application.answer.set()
    client.writer.close()
    client.protocol.transport.close()


async def test_head_when_larger_than_the_limit_then_gets_431(client: Client) -> None:
    client.writer.write(b"GET / HTTP/1.1\r\nx: " + b"x" * MAX_HEAD_BYTES)
    assert await client.status() == 431
    assert await client.is_closed()


async def test_body_when_larger_than_a_head_may_be_then_is_served(client: Client) -> None:
    client.application.answer.set()
    size = MAX_HEAD_BYTES + 1
    client.writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
    assert await client.status() == 204


async def test_shutdown_when_a_request_is_open_then_calls_it_once(client: Client) -> None:
    client.writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await client.application.requested.wait()
    client.protocol.shutdown()
    assert client.application.shutdowns == 1
    client.application.answer.set()
    assert await client.status() == 204


async def test_shutdown_when_no_request_is_open_then_calls_nothing(client: Client) -> None:
    client.application.answer.set()
    client.writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert await client.status() == 204
    client.protocol.shutdown()
    assert client.application.shutdowns == 0


async def test_head_when_it_does_not_end_in_time_then_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.01)
    client = Client(Application())
    await client.open()
    client.writer.write(b"GET / HTTP/1.1\r\n")
    assert await client.status() == 408
    assert await client.is_closed()
    client.writer.close()


async def test_head_when_it_waits_behind_a_request_then_has_more_time(client: Client) -> None:
    request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    client.writer.write(request + request[:10])
    await client.application.requested.wait()
    client.protocol._time_out()
    client.application.answer.set()
    assert await client.status() == 204
    client.writer.write(request[10:])
    assert await client.status() == 204
