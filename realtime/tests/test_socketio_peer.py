"""Peer: events wait for their answers, and a client that takes nothing fills its own outbox."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import socketio
from engineio.async_socket import AsyncSocket

from foundation import times
from foundation.errors import Invalid
from foundation.ids import uuid7
from realtime.session.connection import Identity
from realtime.socketio.engine import Engine
from realtime.socketio.peer import MAX_UNTAKEN_PACKETS, Peer
from realtime.wire.close_codes import CloseCode
from realtime.wire.protocol import Empty, encode_error, encode_reply
from tests.kit.waiting import until

pytestmark = pytest.mark.once  # a transport in memory

EVENT = b'{"event":"typing","data":{}}'


class Client:
    """A peer, and python-engineio's queue of packets that its client has not taken."""

    def __init__(self) -> None:
        server: Any = socketio.AsyncServer(async_mode="asgi")
        engine = Engine(server, has_client=lambda engine_sid: True)
        self.transport = AsyncSocket(server.eio, "engine")
        server.eio.sockets["engine"] = self.transport
        scope = {"identity": Identity(uuid7(), uuid7(), times.now())}
        self.peer = Peer(server, engine, sid="socket", engine_sid="engine", scope=scope)
        self.peer.accepted.set()

    async def take(self) -> str:
        """The next packet, as the transport encodes it."""
        async with asyncio.timeout(20):
            return (await self.transport.queue.get()).encode()


def as_sent(ref: int) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(ref).encode())


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    # A client that takes nothing would delay each close by two seconds.
    monkeypatch.setattr("realtime.session.transport.CLOSE_TIMEOUT_SECONDS", 0.05)
    client = Client()
    yield client
    await client.peer.connection.drop(CloseCode.NORMAL, "")


async def test_event_when_replied_to_then_is_acknowledged_with_the_data(client: Client) -> None:
    asking = asyncio.create_task(client.peer.ask("ping", {}))
    request = json.loads((await client.peer.receive())["text"])
    assert (request["event"], request["data"]) == ("ping", {})
    client.peer.connection.push(encode_reply(as_sent(request["ref"]), Empty()))
    assert await asking == {}


async def test_event_when_refused_then_gets_the_error_in_both_ways(client: Client) -> None:
    asking = asyncio.create_task(client.peer.ask("ping", {"x": 1}))
    ref = json.loads((await client.peer.receive())["text"])["ref"]
    client.peer.connection.push(encode_error(Invalid("No."), ref=as_sent(ref), request_id="c.1"))
    answer = await asking
    assert answer["error"]["code"] == "invalid"
    assert await client.take() == "42" + json.dumps(["error:invalid", answer["error"]], separators=(",", ":"))


async def test_event_when_another_waits_then_is_handled_after_it(client: Client) -> None:
    asking = [asyncio.create_task(client.peer.ask(event, {})) for event in ("first", "second")]
    for event in ("first", "second"):
        request = json.loads((await client.peer.receive())["text"])
        assert request["event"] == event
        client.peer.connection.push(encode_reply(as_sent(request["ref"]), Empty()))
    assert await asyncio.gather(*asking) == [{}, {}]


async def test_event_when_the_session_ends_then_gets_no_answer(client: Client) -> None:
    asking = asyncio.create_task(client.peer.ask("ping", {}))
    await client.peer.receive()
    client.peer.end()
    assert await asking is None
    assert await client.peer.ask("ping", {}) is None


async def test_leave_when_repeated_then_disconnects_once(client: Client) -> None:
    client.peer.leave()
    client.peer.leave()
    client.peer.end()
    assert await client.peer.receive() == {"type": "websocket.disconnect"}
    receiving = asyncio.create_task(client.peer.receive())
    await asyncio.sleep(0)
    assert not receiving.done()
    receiving.cancel()


async def test_frames_when_not_accepted_then_wait_for_it(client: Client) -> None:
    client.peer.accepted.clear()
    client.peer.connection.push(EVENT)
    await client.peer.started.wait()
    assert client.transport.queue.empty()
    client.peer.accepted.set()
    assert await client.take() == '42["typing",{}]'


async def test_frames_when_the_client_takes_none_then_stay_in_the_outbox(client: Client) -> None:
    for _ in range(MAX_UNTAKEN_PACKETS + 2):
        client.peer.connection.push(EVENT)
    transport = client.peer.connection._transport
    await until(lambda: client.transport.queue.qsize() == MAX_UNTAKEN_PACKETS, "the client's queue is full")
    assert transport.buffered_bytes() == 2 * len(EVENT)
    await client.take()
    await until(lambda: transport.buffered_bytes() == len(EVENT), "one more frame was sent")
    assert client.transport.queue.qsize() == MAX_UNTAKEN_PACKETS


async def test_close_when_the_client_takes_nothing_then_is_still_sent(client: Client) -> None:
    for _ in range(MAX_UNTAKEN_PACKETS + 1):
        client.peer.connection.push(EVENT)
    await until(lambda: client.transport.queue.qsize() == MAX_UNTAKEN_PACKETS, "the client's queue is full")
    await client.peer.connection.drop(CloseCode.SLOW_READER, "outbox full")
    packets = [client.transport.queue.get_nowait() for _ in range(client.transport.queue.qsize())]
    closes = [packet.encode() for packet in packets if packet is not None and packet.packet_type == 4][-1]
    assert closes == '42["close",{"code":4408,"reason":"outbox full"}]'
