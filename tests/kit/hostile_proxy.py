"""A proxy that does to WebSocket connections what bad networks do, to see that clients find out by themselves."""

import asyncio
import socket
import struct
from enum import Enum, auto
from typing import NoReturn

from .proxy import Link, TcpProxy

HEAD_END = b"\r\n\r\n"


class Fault(Enum):
    """What happens to connections. Those with a 101 or a refusal leave requests that are no handshake alone."""

    NONE = auto()
    # The proxy answers handshakes itself.
    REFUSE_404 = auto()
    REFUSE_502 = auto()
    STALL_BEFORE_101 = auto()
    STALL_AFTER_101 = auto()
    END_AFTER_101 = auto()
    STALL_IN_FRAME = auto()
    # Nothing passes on old and new connections, and none is closed.
    HALF_OPEN = auto()
    DELAY = auto()
    # Old and new connections are reset.
    DROP = auto()


REFUSALS = {
    Fault.REFUSE_404: b"HTTP/1.1 404 Not Found",
    Fault.REFUSE_502: b"HTTP/1.1 502 Bad Gateway",
}


class HostileProxy(TcpProxy):
    """A TcpProxy with a fault that a test switches.

    A connection that was stalled stays so when the fault has ended: only a new connection helps its client.
    `hits` counts the connections that a fault has stalled or ended, `requests` has the request lines so far.
    """

    def __init__(self, target_port: int, *, delay_seconds: float = 0.2) -> None:
        self.hits = 0
        self.requests: list[bytes] = []
        # Requests that begin with one of these wait for `release`, or get no answer.
        self._held = self._lost = b"\r"
        self._lost_text: bytes | None = None
        self._released = asyncio.Event()
        self._fault = Fault.NONE
        self._delay_seconds = delay_seconds
        self._links: set[Link] = set()
        super().__init__(target_port)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def set(self, fault: Fault) -> None:
        """Begins this fault and ends the one before. When it returns, it is in force."""
        asyncio.run_coroutine_threadsafe(self._set(fault), self._loop).result()

    def hold(self, request: str) -> None:
        """Holds back the requests that begin so ("GET /api/rooms"), until `release`."""
        self._held = request.encode()

    def release(self) -> None:
        self._held = b"\r"
        self._loop.call_soon_threadsafe(self._released.set)

    def lose_answer(self, request: str) -> None:
        """Lets the next request that begins so through, but not its answer."""
        self._lost = request.encode()

    def lose_frame(self, text: str) -> None:
        """Loses the next frame of the server with this text, and what the server sends in the same moment."""
        self._lost_text = text.encode()

    def passed(self, request: str) -> int:
        """The number of requests so far that begin so, with those that are held back."""
        return sum(line.startswith(request.encode()) for line in self.requests)

    async def _set(self, fault: Fault) -> None:
        self._fault = fault
        if fault is Fault.DROP:
            for link in list(self._links):
                if not link.client.is_closing():
                    self._reset(link)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault is Fault.DROP:
            self._reset(Link(writer))
            return
        await super()._serve(reader, writer)

    async def _passing(self, data: bytes, link: Link, *, from_server: bool) -> bytes:
        self._links.add(link)
        if not from_server and not link.is_websocket:
            await self._note_request(data, link)
        if self._fault is Fault.DELAY:
            await asyncio.sleep(self._delay_seconds)
        if link.is_websocket and not link.is_open and self._fault in REFUSALS:
            self._end(link, REFUSALS[self._fault] + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        if link.is_silent or (link.is_mute and from_server) or self._stalls_whole(link):
            self._silence(link)
            await asyncio.Event().wait()
        passing = data
        if from_server and self._lost_text is not None and self._lost_text in data:
            self._lost_text = None
            self.hits += 1
            return b""
        if link.is_websocket and from_server:
            passing = self._cut_off(data, link)
            if len(passing) < len(data):
                self._silence(link)
            link.is_open = True
        return passing

    async def _note_request(self, data: bytes, link: Link) -> None:
        link.is_websocket = b"upgrade: websocket" in data.lower()
        self.requests.append(data.partition(b"\r\n")[0])
        if data.startswith(self._lost):
            self._lost, link.is_mute = b"\r", True
        if data.startswith(self._held):
            await self._released.wait()

    def _stalls_whole(self, link: Link) -> bool:
        if self._fault is Fault.STALL_BEFORE_101:
            return link.is_websocket and not link.is_open
        return self._fault is Fault.HALF_OPEN

    def _cut_off(self, data: bytes, link: Link) -> bytes:
        """The data of a server without what the fault holds back. The first data begins with the 101."""
        head = b"" if link.is_open else data[: data.index(HEAD_END) + len(HEAD_END)]
        if self._fault is Fault.STALL_AFTER_101 and not link.is_open:
            self._silence(link)
            return head
        if self._fault is Fault.END_AFTER_101 and not link.is_open:
            self._end(link, head)
        if self._fault is Fault.STALL_IN_FRAME and len(data) > len(head):
            return data[:-1]
        return data

    def _end(self, link: Link, last: bytes) -> NoReturn:
        """Close after these bytes: TcpProxy closes both sides of a connection that fails."""
        self.hits += 1
        link.client.write(last)
        raise ConnectionAbortedError

    def _silence(self, link: Link) -> None:
        self.hits += not link.is_silent
        link.is_silent = True

    def _reset(self, link: Link) -> None:
        self.hits += 1
        self._links.discard(link)
        # Closed with a RST, as by a host that has restarted.
        linger = struct.pack("ii", 1, 0)
        link.client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        link.client.transport.abort()
