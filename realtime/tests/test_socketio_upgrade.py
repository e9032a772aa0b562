"""Upgrades from polling to a WebSocket that do not complete: polling goes on as if there had been none."""

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime.socketio import upgrade
from realtime.socketio.upgrade import probe
from tests.kit.clients import ANSWER_SECONDS
from tests.kit.hostile_proxy import Fault, HostileProxy
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .engine_clients import EngineSocket, open_polling, websocket_url
from .stock_client import StockClient

pytestmark = pytest.mark.once  # about transports; test_socketio_endpoint runs on every database

# What a client sends over a WebSocket that it then closes, or that this server closes.
ABORTED: dict[str, tuple[list[str | bytes], bool]] = {
    "closed before the first packet": ([], True),
    "closed after the probe": (["2probe"], True),
    "garbage": (["nonsense"], False),
    "empty": ([""], False),
    "binary": ([b"2probe"], False),
    "upgrade without probe": (["5"], False),
    "event without probe": (['42["ping",{}]'], False),
    "garbage after the probe": (["2probe", "nonsense"], False),
    "event after the probe": (["2probe", '42["ping",{}]'], False),
    "probed twice": (["2probe", "2probe"], False),
}


async def closed(ws: Any) -> None:
    async for _ in ws:
        pass


@pytest.mark.parametrize("name", ABORTED)
async def test_upgrade_when_aborted_then_polls_wait_and_deliver(
    name: str, server: ChatServer, ann: ChatUser, ben: ChatUser
) -> None:
    packets, client_closes = ABORTED[name]
    room_id = ann.make_room(ben)
    async with open_polling(server, ben) as client, asyncio.timeout(ANSWER_SECONDS):
        async with connect(websocket_url(server, client.sid)) as ws:
            for packet in packets:
                await ws.send(packet)
            if not client_closes:
                await closed(ws)
        client.polls = 0
        polling = asyncio.create_task(client.expect('42["message:receive"'))
        await asyncio.to_thread(ann.send, room_id, name)
        assert name in await polling
        # One that was ended by the probe, one that brought other events of the room, and the message.
        assert client.polls <= 5
        # And a later upgrade works.
        async with connect(websocket_url(server, client.sid)) as ws:
            upgraded = EngineSocket(ws)
            await upgraded.send("2probe")
            await upgraded.expect("3probe")
            await upgraded.send("5")
            assert await upgraded.ask('["ping",{}]')


async def test_upgrade_when_it_hangs_then_polls_wait_and_deliver(
    server: ChatServer, ann: ChatUser, ben: ChatUser
) -> None:
    """Silent before and after the probe: the server ends both WebSockets in its own time."""
    room_id = ann.make_room(ben)
    async with open_polling(server, ben) as client, asyncio.timeout(ANSWER_SECONDS):
        url = websocket_url(server, client.sid)
        async with connect(url) as silent, connect(url) as probed:
            await probed.send("2probe")
            assert await probed.recv() == "3probe"
            client.polls = 0
            polling = asyncio.create_task(client.expect('42["message:receive"'))
            await asyncio.gather(closed(silent), closed(probed))
            await asyncio.to_thread(ann.send, room_id, "after ten seconds")
            assert "after ten seconds" in await polling
            assert client.polls <= 20


async def test_upgrade_when_two_probe_then_the_first_to_complete_wins(
    server: ChatServer, ben: ChatUser
) -> None:
    async with open_polling(server, ben) as client, asyncio.timeout(ANSWER_SECONDS):
        url = websocket_url(server, client.sid)
        async with connect(url) as one, connect(url) as other:
            for ws in (one, other):
                await ws.send("2probe")
                assert await ws.recv() == "3probe"
            await one.send("5")
            socket = EngineSocket(one)
            assert await socket.ask('["ping",{}]')
            await other.send("5")
            await closed(other)
            assert await socket.ask('["ping",{}]')
            with pytest.raises(InvalidStatus):
                await connect(url)


async def test_upgrade_when_a_poll_waits_then_it_is_ended_for_it(server: ChatServer, ben: ChatUser) -> None:
    async with (
        asyncio.timeout(ANSWER_SECONDS),
        open_polling(server, ben) as client,
        connect(websocket_url(server, client.sid)) as ws,
    ):
        await ws.send("2probe")
        assert await ws.recv() == "3probe"
        # Begun after the answer to the probe was sent.
        while "6" not in (await client.poll()).text:
            pass
        await ws.send("5")
        socket = EngineSocket(ws)
        assert await socket.ask('["ping",{}]')


@pytest.mark.parametrize(
    "fault",
    [
        Fault.REFUSE_404,
        Fault.REFUSE_502,
        Fault.STALL_BEFORE_101,
        Fault.STALL_AFTER_101,
        Fault.END_AFTER_101,
    ],
    ids=lambda fault: fault.name,
)
async def test_upgrade_when_a_proxy_breaks_it_then_the_stock_client_polls(
    fault: Fault, server: ChatServer, ann: ChatUser, ben: ChatUser, node: Any
) -> None:
    with HostileProxy(server.port) as proxy:
        proxy.set(fault)
        client = StockClient(server, ben.access_token, base_url=proxy.base_url)
        try:
            await asyncio.to_thread(chat_over_polling, client, ann, ben)
        finally:
            await asyncio.to_thread(client.stop)
        assert proxy.hits >= 1
        # The handshake, one for each event, those that the probe ended, and the probe.
        assert proxy.passed("GET /socket.io/") <= 30


def chat_over_polling(client: StockClient, ann: ChatUser, ben: ChatUser) -> None:
    client.expect("ready")
    room_id = ann.make_room(ben)
    for number in range(3):
        ann.send(room_id, f"number {number}")
        assert client.expect("message:receive")["data"]["content"] == f"number {number}"
        assert client.emit("ping", {})["serverTime"]
    assert not [line for line in client.seen if line.get("event") in ("disconnect", "upgrade")]


class Transport:
    """Counts the polls that a probe ends."""

    closed = upgraded = False

    def __init__(self) -> None:
        self.ended = 0

    def end_poll(self) -> None:
        self.ended += 1


class Silent:
    """A WebSocket that probes and then sends nothing."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def wait(self) -> str:
        if not self.sent:
            return "2probe"
        await asyncio.Event().wait()
        return ""

    async def send(self, packet: str) -> None:
        self.sent.append(packet)


async def test_probe_when_the_client_is_silent_then_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "UPGRADE_SECONDS", 0.05)
    transport, ws = Transport(), Silent()
    assert not await probe(transport, ws)
    assert (ws.sent, transport.ended) == (["3probe"], 1)
