"""FrameLimiter: how many frames one connection may send."""

import time

from foundation import metrics
from foundation.errors import ChatError, RateLimited
from foundation.limits import gcra
from foundation.limits.named import FRAMES
from foundation.limits.rates import Rate
from realtime.wire.close_codes import CloseCode, CloseSocket

REFUSALS_BEFORE_CLOSE = 100


class FrameLimiter:
    """Frames of one connection. A peer that goes on while it is refused is closed with 4429."""

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._empty_at = 0.0
        self._refusals = 0

    def check(self) -> None:
        if self._rate is None:
            return
        empty_at, wait_seconds = gcra.take(self._empty_at, self._rate, now=time.monotonic())
        if wait_seconds:
            metrics.LIMITED.labels(FRAMES.scope).inc()
            raise RateLimited(retry_after=wait_seconds)
        self._empty_at = empty_at

    def note(self, error: ChatError) -> None:
        """Count refusals in a row, of any limit; an error of another kind is none."""
        if not isinstance(error, RateLimited):
            return
        self._refusals += 1
        if self._refusals >= REFUSALS_BEFORE_CLOSE:
            raise CloseSocket(CloseCode.LIMITED, "kept sending while limited")

    def accepted(self) -> None:
        self._refusals = 0
