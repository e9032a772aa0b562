"""The reading half of our WebSocket protocol: it bounds the frames, fragments, bytes and time of what a peer sends.

uvicorn alone parses all that arrived at once, answers each ping, and waits without limit for the rest of a message.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame as WireFrame

from foundation.limits.named import FRAMES
from realtime.session.frame_limit import FrameLimiter
from realtime.wire.close_codes import CloseCode, CloseSocket

from .compact import CompactQueue

READ_AHEAD_FRAMES = 16
# A read of the event loop is up to 256 KB, which is 40,000 empty frames.
STEP_BYTES = 4096
# Of one message. With the default limit of frames, a message of so many is not refused.
MAX_FRAGMENTS = 32
# From the first byte of a message to its last.
MESSAGE_SECONDS = 60.0
# Read after the close frame, to find the peer's own. That is 2,700 empty frames.
CLOSING_BYTES = 16 * 1024


class ReadingProtocol(WebSocketsSansIOProtocol):
    """A base of ChatProtocol, which has `end` and `cut`, and the slots.

    `limiter` counts the frames that no handler sees: pings, pongs and fragments. The FrameHandler of the connection
    counts messages with the same limiter. `unparsed` is what was read and waits for room in the queue.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = CompactQueue()  # type: ignore[assignment]
        self.limiter = FrameLimiter(FRAMES.rate)
        self.received_at = 0.0
        self.unparsed = memoryview(b"")
        self.fragments = 0
        self.closing_bytes = 0
        self.deadline: asyncio.TimerHandle | None = None

    def end(self, code: CloseCode, reason: str) -> None:
        raise NotImplementedError

    def connection_lost(self, exc: Exception | None) -> None:
        self.unparsed = memoryview(b"")
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.received_at = self.loop.time()
        if len(data) <= STEP_BYTES and not self.unparsed and not self._has_to_wait():
            self._parse(data)
        else:
            self.unparsed = memoryview(bytes(self.unparsed) + data)
            self._parse_steps()

    def _parse_steps(self) -> None:
        while self.unparsed and not self._has_to_wait():
            step, self.unparsed = self.unparsed[:STEP_BYTES], self.unparsed[STEP_BYTES:]
            self._parse(step)
        if self.unparsed and not self.read_paused:
            self._pause_reading()

    def _has_to_wait(self) -> bool:
        """Whether the queue is full, or the peer did not wait for the answer to its handshake."""
        return self.read_paused or (self.handshake_initiated and not self.handshake_complete)

    def _parse(self, data: bytes | memoryview) -> None:
        if self.close_sent:
            self.closing_bytes += len(data)
            if self.closing_bytes > CLOSING_BYTES:
                # The socket stays like this until it is cut.
                self.unparsed = memoryview(b"")
                self._pause_reading()
                return
        super().data_received(data)  # type: ignore[arg-type]
        if self.conn.reader.buffer or self.conn.current_size is not None:
            if self.deadline is None:
                self.deadline = self.loop.call_later(MESSAGE_SECONDS, self._time_out)
        elif self.deadline is not None:
            self._end_deadline()

    def handle_cont(self, event: WireFrame) -> None:
        if not self._count():
            return
        self.fragments = 0 if event.fin else self.fragments + 1
        if self.fragments >= MAX_FRAGMENTS - 1:
            self.end(CloseCode.TOO_BIG, "too many fragments")
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        if self._count():
            super().handle_ping()

    def handle_pong(self, event: WireFrame) -> None:
        if self._count():
            super().handle_pong(event)

    def _count(self) -> bool:
        """Count a frame that has no answer. False if the socket is closing, also because of this frame."""
        if self.close_sent:
            return False
        try:
            self.limiter.count()
        except CloseSocket as close:
            self.end(close.code, close.reason)
            return False
        return True

    def send_receive_event_to_app(self) -> None:
        """Replaces uvicorn's method, with two differences. Reading is paused only when READ_AHEAD_FRAMES wait,
        because pausing and resuming costs two system calls for each frame. Text that is not UTF-8 closes the socket
        without the traceback that uvicorn logs, because the peer is at fault."""
        self._end_deadline()
        data = b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "text":
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self.end(CloseCode.BAD_TEXT, "text has to be UTF-8")
                return
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
        else:
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        if not self.read_paused and self.queue.qsize() > READ_AHEAD_FRAMES:
            self._pause_reading()

    async def receive(self) -> Any:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.go_on_reading()
        return message

    def go_on_reading(self) -> None:
        """Parse what waits, then read on, unless what waited has filled the queue again."""
        if self.closing_bytes > CLOSING_BYTES:
            return
        self.read_paused = False
        self._parse_steps()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _pause_reading(self) -> None:
        self.read_paused = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def _time_out(self) -> None:
        self.deadline = None
        if self.read_paused:
            # The rest may have arrived.
            self.deadline = self.loop.call_later(MESSAGE_SECONDS, self._time_out)
        else:
            self.end(CloseCode.TOO_SLOW, "the message took too long")

    def _end_deadline(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
