"""Connection: one client's identity, the bounded way out to it, and the controls that wait for its consumers."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation import times
from foundation.ids import uuid7
from foundation.limits.named import FRAMES
from realtime import metrics
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame

from .frame_limit import FrameLimiter
from .transport import Transport

logger = logging.getLogger(__name__)

MAX_BUFFERED_BYTES = 1024 * 1024
DROPPABLE_BUFFERED_BYTES = MAX_BUFFERED_BYTES // 4
MAX_HELD_FRAMES = 2_000
MAX_CONTROLS = 1_000

Control = tuple[str, dict[str, Any]]


@dataclass(slots=True)
class Identity:
    """The user and session of an access token. `expires_at` changes when the client refreshes its token."""

    user_id: UUID
    session_id: UUID
    expires_at: datetime


class Connection:
    """One open socket. `push` never waits: a peer that does not read misses droppable frames first, and is closed
    with 4408 when MAX_BUFFERED_BYTES are queued for it.

    `ended` is done when the connection closes or the peer has left. `limiter` counts the frames that come from it.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        device_id: str | None,
        transport: Transport,
        limiter: FrameLimiter | None = None,
    ) -> None:
        self.id = str(uuid7())
        self.identity = identity
        self.device_id = device_id or self.id
        self.connected_at = times.now()
        self.closing: tuple[CloseCode, str] | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.limiter = limiter or FrameLimiter(FRAMES.rate)
        self._transport = transport
        self._holds = 0
        self._held: list[Frame] = []
        self._controls: list[Control] = []
        self._on_control: Callable[[], None] | None = None

    @property
    def user_id(self) -> UUID:
        return self.identity.user_id

    def push(self, payload: bytes) -> None:
        """Queue one frame for the peer."""
        self.push_frames([Frame(payload)])

    def push_frames(self, frames: list[Frame]) -> None:
        """Queue frames to be sent together. A closing connection gets none; a slow peer is closed."""
        if self.closing is not None:
            return
        if buffered := self._transport.buffered_bytes():
            frames = self._admit(frames, buffered)
        if self._holds:
            self._held.extend(frames)
            if len(self._held) > MAX_HELD_FRAMES:
                self._close_slow(buffered)
        elif frames:
            self._transport.write(frames)

    def _admit(self, frames: list[Frame], buffered: int) -> list[Frame]:
        """The frames that a peer with `buffered` bytes in its outbox still gets. Closes a peer that is too slow."""
        if buffered > DROPPABLE_BUFFERED_BYTES:
            kept = [frame for frame in frames if not frame.droppable]
            metrics.DROPPED.inc(len(frames) - len(kept))
            frames = kept
        if buffered + sum(len(frame.payload) for frame in frames) > MAX_BUFFERED_BYTES:
            self._close_slow(buffered)
            return []
        return frames

    def _close_slow(self, buffered: int) -> None:
        metrics.SLOW_READERS.inc()
        logger.info("a peer reads too slowly", extra={"bufferedBytes": buffered})
        self.close(CloseCode.SLOW_READER, "outbox full")

    async def send(self, payload: bytes) -> None:
        """Send an answer or a replay that the peer asked for. `hold` does not delay it; a slow peer does."""
        if self.closing is None:
            self._transport.write([Frame(payload)])
            if self._transport.buffered_bytes() > DROPPABLE_BUFFERED_BYTES:
                await self._transport.drained()

    def hold(self) -> None:
        """Delay pushed frames until `release`, so that frames of `send` come first. Calls nest."""
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        if not self._holds and self._held:
            held, self._held = self._held, []
            self.push_frames(held)

    def add_control(self, control: str, data: dict[str, Any]) -> None:
        """Queue a control for the consumers of this connection. If MAX_CONTROLS wait, the peer has to reconnect.

        A connection that has ended takes none, because nothing would run them.
        """
        if self.ended.done():
            return
        if len(self._controls) >= MAX_CONTROLS:
            self.close(CloseCode.RESTART, "too many changes at once")
            return
        self._controls.append((control, data))
        if self._on_control is not None:
            self._on_control()

    def watch_controls(self, on_control: Callable[[], None]) -> None:
        """Have `on_control` called whenever a control is queued, and now if some already are."""
        self._on_control = on_control
        if self._controls:
            on_control()

    def take_controls(self) -> list[Control]:
        """The controls since the last call, in their order."""
        taken, self._controls = self._controls, []
        return taken

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Ask the session to close the connection. Of several codes the first one is used."""
        if self.closing is None:
            self.closing = (code, reason)
            self.end()

    def note_closed(self) -> None:
        """Take over the code with which the transport was closed by the server below, if it was."""
        if (code := self._transport.closed_with()) is not None:
            self.close(code)

    def end(self) -> None:
        """Mark `ended` as done: the connection is closing, or the peer has left."""
        if not self.ended.done():
            self.ended.set_result(None)

    async def finish(self, code: CloseCode, reason: str) -> None:
        """Close the transport after sending what is queued. Only the session calls this."""
        self.close(code, reason)
        await self._transport.close(code, reason)

    async def drop(self, code: CloseCode, reason: str) -> None:
        """Close the transport at once, without what is queued. Only the session calls this."""
        self.close(code, reason)
        await self._transport.drop(code, reason)
