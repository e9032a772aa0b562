"""uvicorn's sansio WebSocket protocol, with a transport that writes frames straight to the socket.

The application finds it as `scope["extensions"]["chat.transport"]`. Under another server it uses ASGI's `send`
(realtime.session.transport.AsgiTransport), which costs a task and an await for each frame of each peer.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Any

from websockets.frames import Frame as WireFrame
from websockets.http11 import Request
from websockets.protocol import State

from realtime.session.frame_limit import FrameLimiter
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame

from .compact import CompactEvent
from .uvicorn_reading import ReadingProtocol

EXTENSION = "chat.transport"
# Without a bound the kernel takes 3 to 4 MB for a peer that does not read. It doubles this value.
SEND_BUFFER_BYTES = 128 * 1024
# SO_LINGER of zero seconds: closing discards what is queued, in the kernel too.
RESET = struct.pack("ii", 1, 0)
SHUTDOWN_CUT_SECONDS = 3.0
# For a peer to take what is queued and the close frame behind it.
CUT_SECONDS = 5.0


class ChatProtocol(ReadingProtocol):
    """Given to uvicorn as `ws="realtime.servers.uvicorn_websocket:ChatProtocol"`."""

    # uvicorn's own attributes and those of ReadingProtocol. uvicorn keeps them in the instance's dict: 1.5 kB.
    __slots__ = (
        "app", "app_state", "asgi_version", "client", "close_sent", "close_timeout", "close_timer",
        "closing_bytes", "config", "conn", "connections", "curr_msg_data_type", "deadline", "default_headers",
        "disconnected", "fragments", "frames", "handshake_complete", "handshake_initiated", "initial_response",
        "last_ping_rtt", "limiter", "logger", "loop", "pending_ping_payload", "ping_interval", "ping_sent_at",
        "ping_timeout", "ping_timer", "pong_timer", "queue", "read_paused", "received_at", "request",
        "response", "root_path", "scheme", "scope", "server", "tasks", "transport", "unparsed", "writable",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
        if self.read_paused:
            self.loop.call_soon(self.go_on_reading)

    def handle_close(self, event: WireFrame) -> None:
        super().handle_close(event)
        # Closing waits for the peer, which may never read.
        self.loop.call_later(CUT_SECONDS, self.cut)

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

    def end(self, code: CloseCode, reason: str) -> None:
        """Queue a close frame behind what is queued, and drop a peer that does not take it. Never waits."""
        if self.close_sent or self.disconnected or self.conn.state is not State.OPEN:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": reason})
        self.conn.send_close(int(code), reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            # The peer's own close frame has to be read. Not at once: this may be called while frames are handled.
            self.loop.call_soon(self.go_on_reading)
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

    @property
    def limiter(self) -> FrameLimiter:
        return self._protocol.limiter

    @limiter.setter
    def limiter(self, limiter: FrameLimiter) -> None:
        self._protocol.limiter = limiter

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

    def closed_with(self) -> CloseCode | None:
        """The code with which this server closed the socket, also for frames that the application never saw."""
        conn = self._protocol.conn
        if conn.close_sent is None or conn.close_rcvd_then_sent:
            return None
        return CloseCode(conn.close_sent.code)

    def receive_up_to(self, max_bytes: int) -> None:
        """Have the application receive messages of this size, in place of uvicorn's `ws_max_size`. A larger one
        closes the socket with 1009, and then nothing can be sent that would explain it."""
        self._protocol.conn.max_message_size = max_bytes

    async def close(self, code: CloseCode, reason: str) -> None:
        self._protocol.end(code, reason)

    async def drop(self, code: CloseCode, reason: str) -> None:
        """The same as `close`: what is queued is bounded, and a peer that reads again gets the reason."""
        self._protocol.end(code, reason)


def _set_option(transport: Any, option: int, value: int | bytes) -> None:
    peer = transport.get_extra_info("socket")
    if peer is not None and peer.family != socket.AF_UNIX:
        peer.setsockopt(socket.SOL_SOCKET, option, value)
