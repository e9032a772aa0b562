"""LocalLimiter: rate limits that are counted in this process alone, used while Redis is away."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache

from foundation import metrics
from foundation.errors import RateLimited

from . import gcra
from .declaration import Count

MAX_LOCAL_KEYS = 100_000


class LocalLimiter:
    """Counts for this process, from any thread. With more than `max_keys` keys it forgets the longest unused."""

    def __init__(
        self, *, max_keys: int = MAX_LOCAL_KEYS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._empty_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, *counts: Count | None) -> None:
        """Take from each limit, or from none: raises RateLimited with the longest wait.

        None stands for a limit that is off.
        """
        taken = [count for count in counts if count is not None]
        with self._lock:
            now, longest_wait_seconds, empty_at = self._clock(), 0.0, {}
            for _, key, rate, events in taken:
                before = self._empty_at.get(key, now)
                empty_at[key], wait_seconds = gcra.take(before, rate, now=now, events=events)
                longest_wait_seconds = max(longest_wait_seconds, wait_seconds)
            if longest_wait_seconds:
                metrics.LIMITED.labels(taken[0].scope).inc()
                raise RateLimited(retry_after=longest_wait_seconds)
            for key, at in empty_at.items():
                self._empty_at[key] = at
                self._empty_at.move_to_end(key)
            while len(self._empty_at) > self._max_keys:
                self._empty_at.popitem(last=False)


@cache
def get_local_limiter() -> LocalLimiter:
    """The limiter of this process."""
    return LocalLimiter()
