"""LogInterval: which of many equal records are written, so that a flood or an outage does not fill the log."""

import threading
import time
from collections.abc import Callable


class LogInterval:
    """Lets one record through in `seconds`. Safe from any thread."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._count = 0

    def count(self) -> int:
        """Count a record. Returns how many came since the last that was written, or 0 if this is not to be."""
        with self._lock:
            self._count += 1
            if self._clock() < self._next_at:
                return 0
            self._next_at = self._clock() + self._seconds
            count, self._count = self._count, 0
            return count
