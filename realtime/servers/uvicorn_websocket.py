"""uvicorn's sansio WebSocket protocol, with a transport that writes frames straight to the socket.

The application finds it as `scope["extensions"]["chat.transport"]`. Under another server it uses ASGI's `send`
(realtime.session.transport.AsgiTransport), which costs a task and an await for each frame of each peer.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode as WireCloseCode
from websockets.frames import Frame as WireFrame
from websockets.http11 import Request
from websockets.protocol import State

from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame

from .compact import CompactEvent, CompactQueue

EXTENSION = "chat.transport"
# Without a bound the kernel takes 3 to 4 MB for a peer that does not read. It doubles this value.
SEND_BUFFER_BYTES = 128 * 1024
# SO_LINGER of zero seconds: closing discards what is queued, in the kernel too.
RESET = struct.pack("ii", 1, 0)
READ_AHEAD_FRAMES = 16
SHUTDOWN_CUT_SECONDS = 3.0
# For a peer to take what is queued and the close frame behind it.
CUT_SECONDS = 5.0


class ChatProtocol(WebSocketsSansIOProtocol):
    """Given to uvicorn as `ws="realtime.servers.uvicorn_websocket:ChatProtocol"`."""

    # uvicorn's own attributes, `received_at` and `early`. uvicorn keeps its in the instance's dict, of 1.5 kB.
    __slots__ = (
        "app", "app_state", "asgi_version", "client", "close_sent", "close_timeout", "close_timer",
        "config", "conn", "connections", "curr_msg_data_type", "default_headers", "disconnected", "early",
        "frames", "handshake_complete", "handshake_initiated", "initial_response",
        "last_ping_rtt", "logger", "loop", "pending_ping_payload", "ping_interval", "ping_sent_at",
        "ping_timeout", "ping_timer", "pong_timer", "queue", "read_paused", "received_at", "request",
        "response", "root_path", "scheme", "scope", "server", "tasks", "transport", "writable",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.received_at = 0.0
        # Frames that came before the handshake was answered. The answer to one must not come first.
        self.early = b""
        self.queue = CompactQueue()  # type: ignore[assignment]
        self.writable = CompactEvent(is_set=True)  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        _set_option(transport, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][EXTENSION] = DirectTransport(self)  # type: ignore[assignment]

    def start_keepalive(self) -> None:
        """Free the request as well: the handshake is over, and its headers take 4 kB while the socket lives."""
        super().start_keepalive()
        # websockets' parser keeps a reference to the request.
        self.request.headers.clear()
        del self.request, self.response
        if self.early:
            early, self.early = self.early, b""
            super().data_received(early)

    def send_receive_event_to_app(self) -> None:
        """Replaces uvicorn's method, with two differences. Reading is paused only when READ_AHEAD_FRAMES wait,
        because pausing and resuming costs two system calls for each frame. Text that is not UTF-8 closes the socket
        without the traceback that uvicorn logs, because the peer is at fault."""
        data = b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "text":
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self.end(WireCloseCode.INVALID_DATA, "text has to be UTF-8")
                return
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
        else:
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        if not self.read_paused and self.queue.qsize() > READ_AHEAD_FRAMES:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_close(self, event: WireFrame) -> None:
        super().handle_close(event)
        # Closing waits for the peer, which may never read.
        self.loop.call_later(CUT_SECONDS, self.cut)

    def data_received(self, data: bytes) -> None:
        self.received_at = self.loop.time()
        if not self.handshake_complete and self.handshake_initiated:
            self.early += data
            if len(self.early) > self.config.ws_max_size:
                self.cut()
            return
        super().data_received(data)

    def keepalive_timeout(self) -> None:
        """Close a peer that is silent. If reading is paused, or data came since the ping, the pong may be behind
        frames that this server has not read."""
        if self.read_paused or self.received_at > self.ping_sent_at:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()
        self.loop.call_later(CUT_SECONDS, self.cut)

    def shutdown(self) -> None:
        """Close with 1012, and drop a peer that does not take the close frame: it would delay the shutdown."""
        super().shutdown()
        self.loop.call_later(SHUTDOWN_CUT_SECONDS, self.cut)

    def end(self, code: int, reason: str) -> None:
        """Queue a close frame behind what is queued, and drop a peer that does not take it. Never waits."""
        if self.close_sent or self.disconnected or self.conn.state is not State.OPEN:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": reason})
        self.conn.send_close(int(code), reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            # The peer's own close frame has to be read.
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CUT_SECONDS, self.cut)

    def cut(self) -> None:
        """Drop the peer and what is queued for it."""
        if not self.disconnected:
            _set_option(self.transport, socket.SO_LINGER, RESET)
            self.transport.abort()


class DirectTransport:
    """A Transport that writes to the socket. A frame's WebSocket bytes are made once for all peers."""

    def __init__(self, protocol: ChatProtocol) -> None:
        self._protocol = protocol

    def write(self, frames: Sequence[Frame]) -> None:
        protocol = self._protocol
        if protocol.close_sent or protocol.disconnected:
            return
        if len(frames) == 1:
            protocol.transport.write(frames[0].wire)
        else:
            protocol.transport.write(b"".join([frame.wire for frame in frames]))

    def buffered_bytes(self) -> int:
        return self._protocol.transport.get_write_buffer_size()

    async def drained(self) -> None:
        await self._protocol.writable.wait()

    async def close(self, code: CloseCode, reason: str) -> None:
        self._protocol.end(code, reason)

    async def drop(self, code: CloseCode, reason: str) -> None:
        """The same as `close`: what is queued is bounded, and a peer that reads again gets the reason."""
        self._protocol.end(code, reason)


def _set_option(transport: Any, option: int, value: int | bytes) -> None:
    peer = transport.get_extra_info("socket")
    if peer is not None and peer.family != socket.AF_UNIX:
        peer.setsockopt(socket.SOL_SOCKET, option, value)
