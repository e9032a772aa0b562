"""EngineSocket and EnginePolling: Socket.IO's packets over one transport each, without a client library."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.kit.clients import ANSWER_SECONDS
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

PATH = "/socket.io/"
SEPARATOR = "\x1e"


def login(user: ChatUser) -> str:
    """The CONNECT packet of a user."""
    return "40" + json.dumps({"token": user.access_token})


def websocket_url(server: ChatServer, sid: str = "") -> str:
    query = f"?EIO=4&transport=websocket{f'&sid={sid}' if sid else ''}"
    return f"ws://127.0.0.1:{server.port}{PATH}{query}"


class EngineSocket:
    """A WebSocket that answers pings while it waits for a packet."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws
        self.pings = 0
        self.seen: list[str] = []

    async def send(self, *packets: str) -> None:
        for packet in packets:
            await self.ws.send(packet)

    async def expect(self, *starts: str) -> str:
        """The next packet with one of these beginnings."""
        while True:
            packet = str(await self.ws.recv())
            if packet == "2":
                self.pings += 1
                await self.ws.send("3")
            self.seen.append(packet)
            if packet.startswith(starts):
                return packet

    async def ask(self, event: str, ack_id: str = "7") -> Any:
        """Send `event`, the text of a packet's list, and return its acknowledgement."""
        await self.send(f"42{ack_id}{event}")
        answer = await self.expect(f"43{ack_id}[")
        return json.loads(answer.removeprefix(f"43{ack_id}"))[0]


@asynccontextmanager
async def open_socket(server: ChatServer, user: ChatUser | None = None) -> AsyncIterator[EngineSocket]:
    """A WebSocket without polling before it. With a user it is logged in."""
    async with connect(websocket_url(server), open_timeout=ANSWER_SECONDS) as ws:
        socket = EngineSocket(ws)
        await socket.expect("0")
        if user is not None:
            await socket.send(login(user))
            await socket.expect('42["ready"')
        yield socket


class EnginePolling:
    """A client that polls. `polls` counts its GETs."""

    def __init__(self, http: httpx.AsyncClient, sid: str) -> None:
        self.sid = sid
        self.polls = 0
        self._http = http
        self._query = {"EIO": "4", "transport": "polling", "sid": sid}

    async def post(self, *packets: str, **options: Any) -> httpx.Response:
        return await self._http.post(PATH, params=self._query, content=SEPARATOR.join(packets), **options)

    async def post_body(self, body: Any) -> httpx.Response:
        return await self._http.post(PATH, params=self._query, content=body)

    async def poll(self) -> httpx.Response:
        self.polls += 1
        return await self._http.get(PATH, params=self._query)

    async def expect(self, start: str) -> str:
        """Poll until a packet with this beginning comes."""
        while True:
            answer = await self.poll()
            assert answer.status_code == 200, answer.text
            packets = answer.text.split(SEPARATOR)
            if "2" in packets:
                await self.post("3")
            for packet in packets:
                if packet.startswith(start):
                    return packet


@asynccontextmanager
async def open_polling(server: ChatServer, user: ChatUser | None = None) -> AsyncIterator[EnginePolling]:
    """A client that polls. With a user it is logged in."""
    async with httpx.AsyncClient(base_url=server.base_url, timeout=ANSWER_SECONDS) as http:
        opened = await http.get(PATH, params={"EIO": "4", "transport": "polling"})
        client = EnginePolling(http, json.loads(opened.text[1:])["sid"])
        if user is not None:
            await client.post(login(user))
            await client.expect('42["ready"')
        yield client
