"""EngineTransport: one client's Engine.IO transport, first polling and then perhaps a WebSocket.

It replaces what python-engineio does with packets that are too large or invalid, with upgrades that do not complete
(upgrade.py), and with pongs that it cannot read while a session is behind.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

import engineio.async_socket
from engineio.exceptions import UnknownPacketError
from engineio.packet import MESSAGE, NOOP, PING, UPGRADE, Packet

from .upgrade import UPGRADE_PACKETS, probe

# The types of Engine.IO packets that a client may send.
ENGINE_TYPES = frozenset("123456")
MAX_CONTROL_CHARS = 16
SEPARATOR = "\x1e"


class EngineTransport(engineio.async_socket.AsyncSocket):
    """`server` calls its handler of "message" with a packet's text, or with None for one that is too large."""

    last_ping: float | None

    def __init__(self, server: Any, sid: str) -> None:
        super().__init__(server, sid)
        self._polls = 0
        self._is_paused = False

    async def poll(self) -> Any:
        self._polls += 1
        try:
            return await super().poll()
        finally:
            self._polls -= 1

    def end_poll(self) -> None:
        """Answer a poll that waits for packets, if there is one, with a NOOP."""
        if self._polls and self.queue.empty():
            self.queue.put_nowait(Packet(NOOP))

    async def wait_paused(self, has_room: Any) -> None:
        """Wait for the event while nothing more of this client is read. Its pongs may be behind what is not read,
        so it is sent pings without them, and is not held to be silent."""
        self._is_paused = True
        try:
            while not has_room.is_set():
                try:
                    async with asyncio.timeout(self.server.ping_interval):
                        await has_room.wait()
                except TimeoutError:
                    self.queue.put_nowait(Packet(PING))
        finally:
            self._is_paused = False
            if self.last_ping:
                self.last_ping = time.time()

    async def check_ping_timeout(self) -> Any:
        if self._is_paused and not self.closed:
            return True
        return await super().check_ping_timeout()

    async def receive(self, pkt: Packet) -> None:
        # python-engineio would queue an answer to each UPGRADE, and raise for the others.
        if pkt.packet_type not in (PING, UPGRADE, NOOP):
            await super().receive(pkt)

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """Handle the packets of a POST. A body that is too large ends the session as any such frame does; the
        client hears of it in its poll, because it would take another status for a failure of the network."""
        max_bytes = self.server.max_http_buffer_size
        # Reads a larger body to its end, and does not store the rest.
        body = await environ["wsgi.input"].read(max_bytes + 1)
        if len(body) > max_bytes:
            await self.server.handlers["message"](self.sid, None)
            return
        for text in _packets_of(body):
            if self.closed:
                return
            if not is_engine_text(text):
                await self.close(wait=False, reason=self.server.reason.TRANSPORT_ERROR)
                raise UnknownPacketError
            await self.receive(Packet(encoded_packet=text))

    async def _websocket_handler(self, ws: Any) -> None:
        """python-engineio holds polls back from the moment a WebSocket opens. It is told of an upgrade only when
        this has completed, so that polling goes on until then."""
        if self.connected and not await probe(self, ws):
            await ws.close()
            return
        await super()._websocket_handler(_Checked(self, ws, UPGRADE_PACKETS if self.connected else ()))


class _Checked:
    """A WebSocket of which python-engineio reads only packets that it can handle. `first` are read before others,
    and the answer to them is not sent, because the client has it."""

    def __init__(self, transport: EngineTransport, ws: Any, first: Iterable[str]) -> None:
        self._transport = transport
        self._ws = ws
        self._first = list(first)

    async def wait(self) -> str:
        """Raises OSError if the client has left, or sends what is not a packet."""
        if self._first:
            return self._first.pop(0)
        server = self._transport.server
        while True:
            text = await self._ws.wait()
            if not isinstance(text, str):
                raise OSError("packets are text")
            if len(text) > server.max_http_buffer_size or len(text.encode()) > server.max_http_buffer_size:
                # The session ends, and then this server closes the WebSocket.
                await server.handlers["message"](self._transport.sid, None)
            elif is_engine_text(text):
                return text
            else:
                raise OSError("not a packet")

    async def send(self, packet: Any) -> None:
        if not self._first:
            await self._ws.send(packet)

    async def close(self) -> None:
        await self._ws.close()


def is_engine_text(text: str) -> bool:
    """Whether python-engineio can read a packet; others raise where none of its handlers catches it."""
    if text[:1] == str(MESSAGE):
        return text[1:2].isdigit()
    return text[:1] in ENGINE_TYPES and len(text) <= MAX_CONTROL_CHARS


def _packets_of(body: bytes) -> list[str]:
    """The packets of a POST. A packet that cannot be read is returned as ""."""
    try:
        text = body.decode()
        if text.startswith("d="):
            # From a client that uses JSON-P.
            text = parse_qs(text, errors="strict")["d"][0]
    except (UnicodeError, LookupError):
        return [""]
    return text.split(SEPARATOR) if text else []
