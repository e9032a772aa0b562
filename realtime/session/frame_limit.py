"""FrameLimiter: how many frames one connection may send; and how large each may be."""

import time

from foundation import metrics
from foundation.errors import ChatError, RateLimited
from foundation.limits import gcra
from foundation.limits.named import FRAMES
from foundation.limits.rates import Rate
from realtime.wire.close_codes import CloseCode, CloseSocket

REFUSALS_BEFORE_CLOSE = 100
# Of a flood some frames are always accepted. So they end a count of refusals at most this often.
COUNT_SECONDS = 1.0


def check_size(frame: str | bytes, max_bytes: int) -> None:
    """Raises CloseSocket for a frame that is too large."""
    if len(frame) > max_bytes or (isinstance(frame, str) and len(frame.encode()) > max_bytes):
        raise CloseSocket(CloseCode.TOO_BIG, "frame too big")


class FrameLimiter:
    """Frames of one connection. A peer that goes on while it is refused is closed with 4429."""

    __slots__ = ("_counted_from", "_empty_at", "_rate", "_refusals")

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._empty_at = 0.0
        self._refusals = 0
        self._counted_from = 0.0

    def check(self) -> None:
        if self._rate is None:
            return
        empty_at, wait_seconds = gcra.take(self._empty_at, self._rate, now=time.monotonic())
        if wait_seconds:
            metrics.LIMITED.labels(FRAMES.scope).inc()
            raise RateLimited(retry_after=wait_seconds)
        self._empty_at = empty_at

    def note(self, error: ChatError) -> None:
        """Count refusals in a row, of any limit; an error of another kind is none. Raises CloseSocket."""
        if isinstance(error, RateLimited):
            self._refusals += 1
        if self._exceeded():
            raise CloseSocket(CloseCode.LIMITED, "kept sending while limited")

    def accepted(self) -> None:
        if self._refusals and not self._exceeded():
            now = time.monotonic()
            if now - self._counted_from >= COUNT_SECONDS:
                self._refusals, self._counted_from = 0, now

    def count(self) -> None:
        """Count a frame that gets no answer, such as a ping. Raises CloseSocket."""
        try:
            self.check()
        except RateLimited as error:
            self.note(error)
        else:
            self.accepted()

    def _exceeded(self) -> bool:
        return self._refusals >= REFUSALS_BEFORE_CLOSE
