"""EngineTransport: POSTs and WebSocket messages that are too large or no packets, and pings during a wait."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import engineio
import pytest
from engineio.packet import MESSAGE, NOOP, PING, Packet
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from realtime.servers.compact import CompactEvent
from realtime.session.frame_limit import REFUSALS_BEFORE_CLOSE
from realtime.socketio.engine_transport import EngineTransport
from tests.kit.clients import ANSWER_SECONDS
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .engine_clients import PATH, EnginePolling, open_polling, open_socket
from .socket_log import until_logged

pytestmark = pytest.mark.once  # about transports; test_socketio_endpoint runs on every database

MAX_FRAME_BYTES = 65_536
FRAMES = 20
CLOSED = '42["close",{"code":4429,"reason":"kept sending while limited"}]'


@pytest.fixture(scope="module")
def limited() -> Iterator[ChatServer]:
    """A server on which a client has FRAMES frames, because no more come back within a test."""
    server = ChatServer(RATE_LIMITS="on", LIMIT_FRAMES=f"{FRAMES}/1h", LIMIT_SIGNUP_IP="100/1h")
    try:
        yield server.start()
    finally:
        server.stop()


async def is_closed(client: EnginePolling) -> bool:
    """Whether a poll says so: one that waited has CLOSE, a later one is refused."""
    answer = await client.poll()
    return answer.text == "1" or answer.status_code == 400


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_post_when_too_large_then_the_session_is_closed_with_1009(
    is_chunked: bool, server: ChatServer, ben: ChatUser
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"42"
        for _ in range(40):
            yield b'["ping",{}]' * 1_000

    async with asyncio.timeout(ANSWER_SECONDS), open_polling(server, ben) as client:
        body = chunks() if is_chunked else b"42" + b"x" * MAX_FRAME_BYTES
        answer = await client.post_body(body)
        assert (answer.status_code, answer.text) == (200, "OK")
        assert await client.expect('42["close"') == '42["close",{"code":1009,"reason":"frame too big"}]'
        assert await is_closed(client)


async def test_post_when_too_large_without_a_session_then_the_transport_ends(server: ChatServer) -> None:
    async with asyncio.timeout(ANSWER_SECONDS), open_polling(server) as client:
        await client.post_body(b"40" + b"x" * MAX_FRAME_BYTES)
        assert await is_closed(client)


async def test_post_when_chunked_then_its_packets_are_handled(server: ChatServer, ben: ChatUser) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for part in (b"421[", b'"ping",', b'{}]\x1e422["pi', b'ng",{}]'):
            yield part

    async with asyncio.timeout(ANSWER_SECONDS), open_polling(server, ben) as client:
        assert (await client.post_body(chunks())).status_code == 200
        await client.expect("431[")
        await client.post_body(b"d=" + b"423%5B%22ping%22%2C%7B%7D%5D")
        await client.expect("433[")


@pytest.mark.parametrize("body", [b"x", b"42[]\x1e", b"b4NDI=", b"42\xff", b"d=", b"0"])
async def test_post_when_it_has_no_packets_then_the_transport_ends(
    body: bytes, server: ChatServer, ben: ChatUser
) -> None:
    logged = len(server.log.read_text())
    async with asyncio.timeout(ANSWER_SECONDS), open_polling(server, ben) as client:
        assert (await client.post_body(body)).status_code == 400
        while (await client.poll()).status_code == 200:
            pass
    assert "Traceback" not in server.log.read_text()[logged:]


async def test_post_when_of_upgrades_then_nothing_is_queued_for_them(
    server: ChatServer, ben: ChatUser
) -> None:
    async with asyncio.timeout(ANSWER_SECONDS), open_polling(server, ben) as client:
        for _ in range(3):
            assert (await client.post(*["5"] * 1_000, *["2"] * 1_000, *["6"] * 1_000)).status_code == 200
        await client.post('421["ping",{}]')
        assert (await client.poll()).text.startswith("431[")


# Packets without an answer: of Engine.IO, and of Socket.IO.
@pytest.mark.parametrize("packet", ["2", "3", "5", "6", "43[]", "41/x,"])
async def test_packets_when_a_flood_then_the_session_is_closed_with_4429(
    packet: str, limited: ChatServer
) -> None:
    flood = [packet] * (FRAMES + REFUSALS_BEFORE_CLOSE)
    user = limited.sign_up()
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(limited, user) as socket:
        await socket.send(*flood)
        assert await socket.expect('42["close"') == CLOSED
        async for _ in socket.ws:
            pass
    await until_logged(limited, user, 4429, "socket.io/")
    user = limited.sign_up()
    async with asyncio.timeout(ANSWER_SECONDS), open_polling(limited, user) as client:
        assert (await client.post(*flood)).text == "OK"
        assert await client.expect('42["close"') == CLOSED
    await until_logged(limited, user, 4429, "socket.io/")


async def test_packets_when_few_then_count_with_events_and_pings(limited: ChatServer) -> None:
    """A CONNECT, and four times each: an Engine.IO packet, a WebSocket ping, an acknowledgement, an event."""
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(limited, limited.sign_up()) as socket:
        for _ in range(4):
            await socket.send("6", "43[]")
            await (await socket.ws.ping())
            assert "error" not in await socket.ask('["ping",{}]')
        for _ in range(FRAMES - 17):
            assert "error" not in await socket.ask('["ping",{}]')
        assert (await socket.ask('["ping",{}]'))["error"]["code"] == "rate_limited"


async def test_flood_when_before_a_session_then_the_transport_ends(limited: ChatServer) -> None:
    async with asyncio.timeout(ANSWER_SECONDS), open_polling(limited) as client:
        await client.post(*["6"] * (FRAMES + REFUSALS_BEFORE_CLOSE))
        assert await is_closed(client)


async def test_websocket_pings_when_a_flood_then_4429_is_logged(limited: ChatServer) -> None:
    user = limited.sign_up()
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(limited, user) as socket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(FRAMES + REFUSALS_BEFORE_CLOSE):
                await socket.ws.ping()
        await socket.ws.wait_closed()
        assert socket.ws.close_code == 4429
    await until_logged(limited, user, 4429, "socket.io/")


@pytest.mark.parametrize("length", ["Transfer-Encoding: chunked", "Content-Length: 9000"])
async def test_post_when_it_breaks_off_then_none_of_its_packets_is_handled(
    length: str, server: ChatServer, ann: ChatUser
) -> None:
    room_id = ann.make_room()
    packet = f'42["message:send",{{"roomId":"{room_id}","content":"broken"}}]\x1e42["mess'
    body = f"{len(packet):x}\r\n{packet}\r\n" if "chunked" in length else packet
    async with asyncio.timeout(ANSWER_SECONDS), open_polling(server, ann) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        path = f"{PATH}?EIO=4&transport=polling&sid={client.sid}"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n{body}".encode())
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        # Events are handled one after the other.
        assert (await client.post('421["ping",{}]')).status_code == 200
        await client.expect("431[")
    assert ann.history(room_id) == []


async def test_message_when_far_too_large_then_the_websocket_closes(
    server: ChatServer, ben: ChatUser
) -> None:
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(server, ben) as socket:
        await socket.send("42" + "x" * 5 * MAX_FRAME_BYTES)
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.expect("nothing")
        assert closed.value.sent is not None
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    await until_logged(server, ben, 1009, "socket.io/")


def make_transport(ping_seconds: float) -> EngineTransport:
    server = engineio.AsyncServer(async_mode="asgi", ping_interval=ping_seconds, ping_timeout=ping_seconds)
    return EngineTransport(server, "sid")


async def test_wait_when_long_then_pings_go_out_and_none_is_missed() -> None:
    transport = make_transport(0.01)
    # A ping that was sent long ago and not answered.
    transport.last_ping = time.time() - 1_000
    has_room = CompactEvent(is_set=False)
    waiting = asyncio.create_task(transport.wait_paused(has_room))
    await until(lambda: transport.queue.qsize() >= 2, "pings are sent")
    assert await transport.check_ping_timeout()
    has_room.set()
    await waiting
    assert transport.queue.get_nowait().packet_type == PING
    assert transport.last_ping > time.time() - 500


async def test_waits_when_many_and_brief_then_a_ping_goes_out() -> None:
    """None of them is as long as the interval between pings."""
    transport = make_transport(0.2)

    async def wait_briefly() -> bool:
        has_room = CompactEvent(is_set=False)
        asyncio.get_running_loop().call_soon(has_room.set)
        await transport.wait_paused(has_room)
        return not transport.queue.empty()

    await until(wait_briefly, "a ping is sent")
    assert transport.queue.get_nowait().packet_type == PING


async def test_poll_when_ended_then_gets_a_noop_once() -> None:
    transport = make_transport(10)
    transport.end_poll()
    assert transport.queue.empty()
    polling = asyncio.create_task(transport.poll())
    await asyncio.sleep(0)
    for _ in range(3):
        transport.end_poll()
    packets: Any = await polling
    assert [packet.packet_type for packet in packets] == [NOOP]
    await transport.queue.put(Packet(MESSAGE, "x"))
    transport.end_poll()
    assert transport.queue.qsize() == 1
