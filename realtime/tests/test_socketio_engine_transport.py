"""EngineTransport: POSTs and WebSocket messages that are too large or no packets, and pings during a wait."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import engineio
import pytest
from engineio.packet import MESSAGE, NOOP, PING, Packet
from websockets.exceptions import ConnectionClosedError

from realtime.servers.compact import CompactEvent
from realtime.socketio.engine_transport import EngineTransport, is_engine_text
from tests.kit.clients import ANSWER_SECONDS
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .engine_clients import EnginePolling, open_polling, open_socket

MAX_FRAME_BYTES = 65_536
in_memory = pytest.mark.once  # a transport in memory


@pytest.mark.parametrize("text", ["42[]", "1", "2probe", "3", "5", "6"])
def test_engine_text_when_a_client_may_send_it_then_is_accepted(text: str) -> None:
    assert is_engine_text(text)


@pytest.mark.parametrize("text", ["", "0", "x", "4", "4x", "9", "3" + "[" * 20_000])
def test_engine_text_when_the_library_would_raise_then_is_refused(text: str) -> None:
    assert not is_engine_text(text)


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


def make_transport(ping_seconds: float) -> EngineTransport:
    server = engineio.AsyncServer(async_mode="asgi", ping_interval=ping_seconds, ping_timeout=ping_seconds)
    return EngineTransport(server, "sid")


@in_memory
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


@in_memory
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
