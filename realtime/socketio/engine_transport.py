"""EngineTransport: one client's Engine.IO transport, first polling and then perhaps a WebSocket.

It replaces what python-engineio does with packets that are too large, too many or invalid, with upgrades that do
not complete (upgrade.py), and with pongs that it cannot read while a session is behind.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import engineio.async_socket
from engineio.exceptions import UnknownPacketError
from engineio.packet import MESSAGE, NOOP, PING, UPGRADE, Packet

from foundation.limits.named import FRAMES
from realtime.servers.uvicorn_websocket import EXTENSION, DirectTransport
from realtime.session.frame_limit import FrameLimiter, check_size
from realtime.wire.close_codes import CloseSocket

from .engine_packets import is_engine_text, packets_of
from .upgrade import UPGRADE_PACKETS, probe

# An event of Socket.IO. Its session counts it, because it is answered if it is over the limit.
EVENT = f"{MESSAGE}2"
# A WebSocket message up to this many times the limit is read to its end, so that its client hears of the limit.
REFUSED_SIZE = 4


class EngineTransport(engineio.async_socket.AsyncSocket):
    """`server` calls its handler of "message" with a packet's text, or with the CloseSocket that it caused.

    `limiter` counts all frames of this client: those below its WebSocket, the packets here, the session's events.
    """

    last_ping: float | None

    def __init__(self, server: Any, sid: str) -> None:
        super().__init__(server, sid)
        self.limiter = FrameLimiter(FRAMES.rate)
        self._polls = 0
        self._is_paused = False
        self._pinged_at = time.monotonic()
        self._direct: DirectTransport | None = None

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
                # Since the last ping, not since this wait began: a client with many events waits often and briefly.
                seconds = self._pinged_at + self.server.ping_interval - time.monotonic()
                if seconds <= 0:
                    self._pinged_at = time.monotonic()
                    self.queue.put_nowait(Packet(PING))
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await has_room.wait()
        finally:
            self._is_paused = False
            if self.last_ping:
                self.last_ping = time.time()

    async def check_ping_timeout(self) -> Any:
        if self._is_paused and not self.closed:
            return True
        return await super().check_ping_timeout()

    async def send(self, pkt: Packet) -> None:
        if pkt.packet_type == PING:
            self._pinged_at = time.monotonic()
        await super().send(pkt)

    async def receive(self, pkt: Packet) -> None:
        # python-engineio would queue an answer to each UPGRADE, and raise for the others.
        if pkt.packet_type not in (PING, UPGRADE, NOOP):
            await super().receive(pkt)

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """Handle the packets of a POST. One over a limit ends the session as any such frame does; the client hears
        of it in its poll, because it would take another status for a failure of the network."""
        max_bytes = self.server.max_http_buffer_size
        body = environ["wsgi.input"]
        # Reads a larger body to its end, and does not store the rest.
        content = await body.read(max_bytes + 1)
        try:
            check_size(content, max_bytes)
            # The last packet of a broken body may be cut, and the client sends all of them again.
            if body.event["type"] != "http.disconnect":
                await self._receive_all(content)
        except CloseSocket as close:
            await self.refuse(close)

    async def _receive_all(self, content: bytes) -> None:
        for text in packets_of(content):
            if self.closed:
                return
            if not is_engine_text(text):
                await self.close(wait=False, reason=self.server.reason.TRANSPORT_ERROR)
                raise UnknownPacketError
            self.count(text)
            await self.receive(Packet(encoded_packet=text))

    def count(self, text: str) -> None:
        """Raises CloseSocket for a client that sends packets without end."""
        if not text.startswith(EVENT):
            self.limiter.count()

    async def refuse(self, close: CloseSocket) -> None:
        await self.server.handlers["message"](self.sid, close)

    async def note_closed(self) -> None:
        """Tell the session if the server below has closed the WebSocket."""
        code = self._direct.closed_with() if self._direct else None
        if code is not None:
            await self.refuse(CloseSocket(code))

    async def _upgrade_websocket(self, environ: dict[str, Any]) -> Any:
        self._direct = environ["asgi.scope"].get("extensions", {}).get(EXTENSION)
        if self._direct is not None:
            self._direct.limiter = self.limiter
            self._direct.receive_up_to(REFUSED_SIZE * self.server.max_http_buffer_size)
        return await super()._upgrade_websocket(environ)

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
        max_bytes = self._transport.server.max_http_buffer_size
        while True:
            try:
                text = await self._ws.wait()
            except OSError:
                await self._transport.note_closed()
                raise
            if not isinstance(text, str):
                raise OSError("packets are text")
            try:
                check_size(text, max_bytes)
                if not is_engine_text(text):
                    raise OSError("not a packet")
                self._transport.count(text)
                return text
            except CloseSocket as close:
                # The session ends, and then this server closes the WebSocket.
                await self._transport.refuse(close)

    async def send(self, packet: Any) -> None:
        if not self._first:
            await self._ws.send(packet)

    async def close(self) -> None:
        await self._ws.close()
