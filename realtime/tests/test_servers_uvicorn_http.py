"""ChatHttpProtocol on a real socket pair: the limits of a request, pipelines, and the callback at shutdown."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from realtime.servers import uvicorn_http as module
from realtime.servers.head import MAX_HEAD_BYTES, MAX_HEADERS, MAX_LINE_BYTES
from realtime.servers.uvicorn_http import ON_SHUTDOWN, ChatHttpProtocol
from realtime.servers.uvicorn_websocket import ChatProtocol
from tests.kit.errors import check_error

pytestmark = pytest.mark.once  # bytes of one socket


REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


class Application:
    """Answers each request when `answer` is set, and accepts each WebSocket. `shutdowns` counts the calls at
    shutdown; with `reads_body` it reads first. `ended` is set when a request has ended, answered or not."""

    def __init__(self) -> None:
        self.answer, self.requested, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.reads_body = False
        self.headers: list[tuple[bytes, bytes]] = []
        self.shutdowns = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        scope["state"][ON_SHUTDOWN] = self._shut_down
        self.headers = scope["headers"]
        self.requested.set()
        try:
            while self.reads_body and (message := await receive()).get("more_body", True):
                if message["type"] == "http.disconnect":
                    return
            await self.answer.wait()
            headers = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.ended.set()

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
        config = Config(self.application, interface="asgi3", log_config=None, lifespan="off", ws=ChatProtocol)
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

    async def refused(self, status: int, code: str) -> bool:
        """Whether the next answer is an error in the usual shape, and the last one."""
        async with asyncio.timeout(20):
            answer = await self._reader.read(-1)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status), answer
        error = json.loads(body)["error"]
        check_error(error, code)
        return f"x-request-id: {error['requestId']}\r\n".encode() in head

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
    assert await client.refused(431, "too_large")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nx: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * (MAX_HEADERS + 1) + b"\r\n", 431),
        (b"GET /" + b"x" * MAX_LINE_BYTES + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        (HANDSHAKE[:-2] + b"x: y\r\n" * MAX_HEADERS + b"\r\n", 431),
        (HANDSHAKE[:-2] + b"x: " + b"x" * MAX_LINE_BYTES + b"\r\n\r\n", 431),
    ],
    ids=["bytes", "headers", "target", "headers of a handshake", "line of a handshake"],
)
async def test_head_when_it_comes_at_once_then_has_limits(client: Client, head: bytes, status: int) -> None:
    client.writer.write(head)
    assert await client.refused(status, "too_large")
    assert not client.application.requested.is_set()


async def test_head_when_within_the_limits_then_is_served(client: Client) -> None:
    client.application.answer.set()
    client.writer.write(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * MAX_HEADERS + b"\r\n")
    assert await client.status() == 204
    client.writer.write(b"GET /" + b"x" * (MAX_LINE_BYTES - 1) + b" HTTP/1.1\r\n\r\n")
    assert await client.status() == 204


async def test_body_when_larger_than_a_head_may_be_then_is_served(client: Client) -> None:
    client.application.answer.set()
    client.application.reads_body = True
    size = 3 * MAX_HEAD_BYTES
    client.writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
    assert await client.status() == 204


async def test_body_when_it_does_not_end_in_time_then_gets_408(client: Client, settings: Any) -> None:
    settings.BODY_SECONDS = 0.01
    client.application.reads_body = True
    client.writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx")
    assert await client.refused(408, "unavailable")
    await client.application.ended.wait()


async def test_body_when_it_goes_on_after_the_answer_then_closes(client: Client, settings: Any) -> None:
    settings.BODY_SECONDS = 0.01
    client.application.answer.set()
    client.writer.write(CHUNKED + b"1\r\nx\r\n")
    assert await client.status() == 204
    assert await client.is_closed()


async def test_body_when_a_chunk_is_malformed_then_gets_400(client: Client) -> None:
    client.application.reads_body = True
    client.writer.write(CHUNKED)
    await client.application.requested.wait()
    client.writer.write(b"ZZ\r\n")
    assert await client.refused(400, "invalid")
    await client.application.ended.wait()


async def test_trailers_when_sent_then_are_no_headers_of_the_request(client: Client) -> None:
    client.application.answer.set()
    client.writer.write(CHUNKED + b"1\r\nx\r\n0\r\nx-forwarded-for: 192.0.2.1\r\n\r\n")
    assert await client.status() == 204
    assert [name for name, _ in client.application.headers] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize("begin", [b"0\r\nx: ", b"1;x="], ids=["trailers", "extension of a chunk"])
async def test_overhead_of_a_body_when_it_has_no_end_then_closes(client: Client, begin: bytes) -> None:
    client.application.reads_body = True
    client.writer.write(CHUNKED + begin)
    await client.application.requested.wait()
    client.writer.write(b"x" * (MAX_HEAD_BYTES + 1))
    assert await client.refused(431, "too_large")
    await client.application.ended.wait()


async def test_line_ends_when_sent_after_an_answer_then_have_a_deadline(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.application.answer.set()
    client.writer.write(REQUEST)
    assert await client.status() == 204
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.01)
    client.writer.write(b"\r\n")
    assert await client.refused(408, "unavailable")


@pytest.mark.parametrize("behind", [HANDSHAKE, b"no HTTP\r\n\r\n"], ids=["handshake", "malformed"])
async def test_request_when_one_before_it_is_open_then_is_not_answered_first(
    client: Client, behind: bytes
) -> None:
    client.writer.write(REQUEST + REQUEST + behind)
    await client.application.requested.wait()
    client.application.answer.set()
    assert [await client.status(), await client.status()] == [204, 204]
    assert await client.is_closed()


async def test_handshake_when_behind_an_answered_request_then_is_accepted(client: Client) -> None:
    client.application.answer.set()
    client.writer.write(REQUEST)
    assert await client.status() == 204
    client.writer.write(HANDSHAKE)
    assert await client.status() == 101


async def test_upgrade_when_to_another_protocol_then_stays_with_http(client: Client) -> None:
    client.application.answer.set()
    other = REQUEST[:-2] + b"upgrade: h2c\r\nconnection: upgrade\r\n\r\n"
    client.writer.write(other + other + REQUEST)
    assert [await client.status() for _ in range(3)] == [204] * 3
    client.writer.write(REQUEST)
    assert await client.status() == 204


async def test_shutdown_when_a_request_is_open_then_calls_it_once(client: Client) -> None:
    client.writer.write(REQUEST)
    await client.application.requested.wait()
    client.protocol.shutdown()
    assert client.application.shutdowns == 1
    client.application.answer.set()
    assert await client.status() == 204


async def test_shutdown_when_no_request_is_open_then_calls_nothing(client: Client) -> None:
    client.application.answer.set()
    client.writer.write(REQUEST)
    assert await client.status() == 204
    client.protocol.shutdown()
    assert client.application.shutdowns == 0


async def test_head_when_it_does_not_end_in_time_then_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.01)
    client = Client(Application())
    await client.open()
    client.writer.write(b"GET / HTTP/1.1\r\n")
    assert await client.refused(408, "unavailable")
    client.writer.close()


async def test_head_when_it_waits_behind_a_request_then_has_more_time(client: Client) -> None:
    client.writer.write(REQUEST + REQUEST[:10])
    await client.application.requested.wait()
    client.protocol._time_out()
    client.application.answer.set()
    assert await client.status() == 204
    client.writer.write(REQUEST[10:])
    assert await client.status() == 204
