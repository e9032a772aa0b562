"""What a peer may send: pings, pongs, fragments, slow messages, frames after the close. Ten seconds."""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.servers import uvicorn_reading
from realtime.servers.uvicorn_reading import MAX_FRAGMENTS, READ_AHEAD_FRAMES
from realtime.session.frame_limit import REFUSALS_BEFORE_CLOSE
from tests.kit.raw_sockets import CLOSE, CONTINUATION, PING, PONG, TEXT, frame, open_raw_socket
from tests.kit.servers import ChatServer

from .socket_log import until_logged

pytestmark = pytest.mark.once  # tests the wire

FLOOD = 100_000
ANSWER_SECONDS = 30.0


@pytest.fixture(scope="module")
def limited() -> Iterator[ChatServer]:
    """A server on which a connection has 20 frames, because no more come back within a test."""
    server = ChatServer(RATE_LIMITS="on", LIMIT_FRAMES="20/1h", LIMIT_SIGNUP_IP="100/1h")
    try:
        yield server.start()
    finally:
        server.stop()


async def closed_with(reader: asyncio.StreamReader) -> int:
    """The code of the close frame that the server sent last."""
    async with asyncio.timeout(ANSWER_SECONDS):
        with contextlib.suppress(ConnectionResetError):
            received = b""
            while chunk := await reader.read(2**16):
                received += chunk
                # A close frame with a reason of under 126 bytes ends what was received.
                for size in range(2, 126):
                    if received[-size - 2 : -size] == bytes([0x80 | CLOSE, size]):
                        return int(struct.unpack("!H", received[-size : -size + 2])[0])
    raise AssertionError("there was no close frame")


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_control_frames_when_a_flood_then_closes_with_4429(limited: ChatServer, opcode: int) -> None:
    user, neighbour = limited.sign_up(), limited.sign_up()
    reader, writer = await open_raw_socket(user)
    async with neighbour.connect() as client:
        writer.write(frame(b"", opcode) * FLOOD)
        assert await closed_with(reader) == 4429
        await client.reply("ping")
    writer.transport.abort()
    await until_logged(limited, user, 4429)


async def test_pings_when_few_then_are_answered_and_counted_as_frames(limited: ChatServer) -> None:
    async with limited.sign_up().connect() as client:
        for _ in range(15):
            await asyncio.wait_for(await client.ws.ping(), ANSWER_SECONDS)
        for _ in range(5):
            await client.reply("ping")
        assert (await client.error("ping"))["code"] == "rate_limited"


async def test_messages_when_of_many_small_fragments_then_closes_with_4429(limited: ChatServer) -> None:
    reader, writer = await open_raw_socket(limited.sign_up())
    message = frame(b" ", TEXT, fin=False) + frame(b"", CONTINUATION)
    writer.write(message * (20 + REFUSALS_BEFORE_CLOSE))
    assert await closed_with(reader) == 4429
    writer.transport.abort()


@pytest.mark.parametrize("endless", [False, True])
async def test_message_when_of_too_many_fragments_then_closes_with_1009(
    server: ChatServer, endless: bool
) -> None:
    reader, writer = await open_raw_socket(server.sign_up())
    text = json.dumps({"event": "ping", "ref": "whole"}).encode()
    first, rest = frame(text, fin=False), frame(b" ", CONTINUATION, fin=False) * (MAX_FRAGMENTS - 2)
    writer.write(first + rest + frame(b" ", CONTINUATION))
    async with asyncio.timeout(ANSWER_SECONDS):
        await reader.readuntil(b'"ref":"whole"')
    more = frame(b"", CONTINUATION, fin=False) * (FLOOD if endless else 1)
    writer.write(first + rest + more + frame(b" ", CONTINUATION))
    assert await closed_with(reader) == 1009
    writer.transport.abort()


async def test_frames_when_many_come_at_once_then_all_are_answered(server: ChatServer) -> None:
    """They are read in steps, and more than the server reads ahead."""
    count = 100 * READ_AHEAD_FRAMES
    reader, writer = await open_raw_socket(server.sign_up())
    frames = [frame(json.dumps({"event": "ping", "ref": n}).encode()) for n in range(count)]
    writer.write(b"".join(frames))
    async with asyncio.timeout(4 * ANSWER_SECONDS):
        for number in range(count):
            await reader.readuntil(f'"ref":{number},'.encode())
    writer.transport.abort()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(b"x", rsv=4), 1002),
        (frame(b"\xff"), 1007),
        (frame(b"x" * 100_000), 1009),
        (frame(b"", fin=False) + frame(b"", CONTINUATION, fin=False) * MAX_FRAGMENTS, 1009),
    ],
    ids=["bad bits", "bad text", "large frame", "many fragments"],
)
async def test_close_when_by_the_server_itself_then_its_code_is_logged(
    server: ChatServer, sent: bytes, code: int
) -> None:
    user = server.sign_up()
    reader, writer = await open_raw_socket(user)
    writer.write(sent)
    assert await closed_with(reader) == code
    writer.transport.abort()
    await until_logged(server, user, code)


@pytest.mark.parametrize("code", [1001, 4429])
async def test_close_when_by_the_peer_then_its_code_is_not_logged(server: ChatServer, code: int) -> None:
    """A peer may choose of thousands of codes, and those of the server would be mistaken for its own."""
    user = server.sign_up()
    async with user.connect() as client:
        await client.ws.close(code)
    await until_logged(server, user, 1000)


async def test_peer_when_it_answers_no_ping_then_1011_is_logged() -> None:
    server = ChatServer(PING_SECONDS="0.2")
    try:
        user = server.start().sign_up()
        _, writer = await open_raw_socket(user)
        await until_logged(server, user, 1011)
        writer.transport.abort()
    finally:
        server.stop()


class Application:
    """An ASGI application that accepts a socket and keeps it open, or closes it. `texts` are what it received."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.closes = False

    async def __call__(
        self, scope: object, receive: Callable[[], object], send: Callable[..., object]
    ) -> None:
        await receive()  # type: ignore[misc]
        await send({"type": "websocket.accept"})  # type: ignore[misc]
        if self.closes:
            await send({"type": "websocket.close", "code": 4401})  # type: ignore[misc]
            return
        while (message := await receive())["type"] == "websocket.receive":  # type: ignore[misc,index]
            self.texts.append(message["text"])  # type: ignore[index]


@pytest.fixture
async def application() -> AsyncIterator[tuple[Application, int]]:
    """The application on our protocol, and its port."""
    application = Application()
    config = uvicorn.Config(
        application, port=0, http="httptools", log_config=None, lifespan="off",
        ws="realtime.servers.uvicorn_websocket:ChatProtocol", ws_per_message_deflate=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield application, server.servers[0].sockets[0].getsockname()[1]
    server.force_exit = True
    await server.shutdown()


async def test_message_when_it_never_ends_then_closes_with_1008(
    application: tuple[Application, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_reading, "MESSAGE_SECONDS", 0.5)
    received, port = application
    parts = (frame(b"part", claim=100), frame(b"part", fin=False), frame(b"")[:1])
    for begun in parts:
        async with connect(f"ws://127.0.0.1:{port}/", compression=None) as client:
            await client.send("whole")
            client.transport.write(begun)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(client.recv(), ANSWER_SECONDS)
            assert client.close_code == 1008
    assert received.texts == ["whole"] * len(parts)


async def test_frames_when_sent_after_the_close_then_are_not_answered(
    application: tuple[Application, int],
) -> None:
    application[0].closes = True
    reader, writer = await asyncio.open_connection("127.0.0.1", application[1])
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(4) == bytes([0x80 | CLOSE, 2]) + struct.pack("!H", 4401)
    writer.write(frame(b"", PING) * 100 + frame(struct.pack("!H", 4401), CLOSE))
    # The peer's own close frame is still found, and ends the connection.
    assert await asyncio.wait_for(reader.read(), ANSWER_SECONDS) == b""
    writer.close()
