"""A signal ends a server within ten seconds, and no acknowledged message is lost. Vanished peers are noticed."""

import asyncio
import json
import signal
import uuid
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.kit.raw_sockets import open_raw_socket
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer, chat_servers
from tests.kit.users import ChatUser
from tests.kit.waiting import until

# The time that docs/operations.md gives a server to stop.
STOP_SECONDS = 10
SENDERS = 4


async def stopped(server: ChatServer) -> int:
    """Waits for the server to end in time, and returns its exit status."""
    return await asyncio.to_thread(server.wait, STOP_SECONDS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_stop_when_sockets_are_open_then_closes_them_with_1012(
    start_server, number: signal.Signals
) -> None:
    chat = start_server(forked=False)
    user = chat.sign_up()
    async with user.connect() as one, user.connect() as two:
        chat.send_signal(number)
        assert await one.close_code() == 1012
        assert await two.close_code() == 1012
        assert await stopped(chat) in (0, -number)
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            async with user.connect():
                pass


async def test_stop_when_a_peer_does_not_read_then_still_ends_in_time(start_server) -> None:
    chat = start_server(MAX_CONTENT_CHARS="20000", MAX_FRAME_BYTES="300000")
    user = chat.sign_up()
    room_id = user.make_room()
    _, writer = await open_raw_socket(user, receive_buffer_bytes=4096)
    writer.transport.pause_reading()
    try:
        async with user.connect() as sender:
            for _ in range(40):
                await sender.reply("message:send", {"roomId": room_id, "content": "x" * 20_000})
            chat.send_signal(signal.SIGTERM)
            assert await sender.close_code() == 1012
        await stopped(chat)
    finally:
        writer.close()


async def test_stop_when_messages_are_sent_then_stores_the_acknowledged_ones(start_server) -> None:
    chat = start_server()
    user = chat.sign_up()
    room_id = user.make_room()
    acknowledged: list[str] = []
    async with user.connect() as client:

        async def send() -> None:
            for number in range(100_000):
                await client.send("message:send", {"roomId": room_id, "content": str(number)}, ref=number)

        async def take() -> None:
            async for frame in client.ws:
                data = json.loads(frame)
                if data["event"] == "reply":
                    acknowledged.append(data["data"]["serverMessageId"])
                if len(acknowledged) == 50:
                    chat.send_signal(signal.SIGTERM)

        await asyncio.gather(send(), take(), return_exceptions=True)
    await stopped(chat)
    chat.start(migrate=False)
    stored: list[str] = []
    while page := user.history(room_id, after=len(stored)):
        stored += [message["id"] for message in page]
    assert len(acknowledged) >= 50
    assert set(acknowledged) <= set(stored)


class Sender:
    """Sends messages until stopped, each until it is acknowledged, over whichever server accepts the connection."""

    def __init__(self, user: ChatUser, servers: list[ChatServer], room_id: str) -> None:
        self.user, self.servers, self.room_id = user, servers, room_id
        self.acknowledged: dict[str, int] = {}
        self.close_codes: list[int] = []
        self.stopping = False

    async def run(self) -> None:
        turn, pending = 0, ""
        while not self.stopping:
            turn += 1
            url = self.servers[turn % len(self.servers)].ws_url
            headers = {"Authorization": f"Bearer {self.user.access_token}"}
            try:
                async with connect(url, additional_headers=headers, compression=None) as ws:
                    while not self.stopping:
                        pending = pending or uuid.uuid4().hex
                        self.acknowledged[pending] = await self._send(ws, pending)
                        pending = ""
            except ConnectionClosed as closed:
                self.close_codes.append(closed.rcvd.code if closed.rcvd else 1006)
            except (OSError, InvalidHandshake, TimeoutError):
                # The pause of a client before it tries another server.
                await asyncio.sleep(0.1)

    async def _send(self, ws: Any, message_id: str) -> int:
        data = {"roomId": self.room_id, "content": message_id, "clientMessageId": message_id}
        while True:
            await ws.send(json.dumps({"event": "message:send", "data": data, "ref": message_id}))
            async for text in ws:
                frame = json.loads(text)
                if frame.get("ref") != message_id:
                    continue
                if frame["event"] == "reply":
                    return int(frame["data"]["seq"])
                assert frame["event"] in ("error:unavailable", "error:overloaded"), frame
                # The pause of a client before it retries.
                await asyncio.sleep(0.1)
                break
            else:
                raise ConnectionClosed(ws.protocol.close_rcvd, ws.protocol.close_sent)


async def test_rolling_restart_when_under_load_then_loses_nothing(
    redis_server: RedisServer,
) -> None:
    with chat_servers(2, REDIS_URL=redis_server.url) as servers:
        user = servers[0].sign_up()
        room_id = user.make_room()
        senders = [Sender(user, servers[::step], room_id) for step in (1, -1) for _ in range(SENDERS // 2)]
        tasks = [asyncio.create_task(sender.run()) for sender in senders]
        for server in servers:
            await _progress(senders)
            server.send_signal(signal.SIGTERM)
            await stopped(server)
            await asyncio.to_thread(server.start, migrate=False)
        await _progress(senders)
        for sender in senders:
            sender.stopping = True
        await asyncio.gather(*tasks)
        stored: list[dict[str, Any]] = []
        while page := user.history(room_id, after=len(stored)):
            stored += page
    places = {message["clientMessageId"]: message["seq"] for message in stored}
    assert [message["seq"] for message in stored] == list(range(1, len(stored) + 1))
    assert len(places) == len(stored), "a retry was stored twice"
    for sender in senders:
        assert sender.acknowledged.items() <= places.items()
        assert set(sender.close_codes) <= {1012}


async def _progress(senders: list[Sender]) -> None:
    """Waits until five more messages of each sender are acknowledged."""
    before = [len(sender.acknowledged) for sender in senders]
    await until(
        lambda: all(len(s.acknowledged) >= count + 5 for s, count in zip(senders, before, strict=True)),
        "five more messages of each sender are acknowledged",
        seconds=60,
    )


async def test_ping_when_a_peer_vanishes_then_its_user_goes_offline(
    start_server,
) -> None:
    chat = start_server(PING_SECONDS="1", PRESENCE_GRACE_SECONDS="0.5")
    watcher, vanished = chat.sign_up(), chat.sign_up()
    watcher.make_room(vanished)
    _, writer = await open_raw_socket(vanished)
    try:
        async with watcher.connect() as client:
            # The peer answers neither pings nor a close frame, while the kernel keeps the connection open.
            await client.expect(
                lambda f: (
                    f["event"] == "presence:update"
                    and f["data"]["userId"] == vanished.id
                    and not f["data"]["online"]
                ),
                seconds=40,
            )
            await client.reply("ping")
    finally:
        writer.close()
