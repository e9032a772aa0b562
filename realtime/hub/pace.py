"""Pace: decides whether to delay outgoing frames (10 ms) so that several share one socket write (decision 12)."""

import time
from collections.abc import Callable

HOLD_SECONDS = 0.010
# From this number of frames for each connection in one delivery, a delay pays off.
JOINED = 2.0
# This many deliveries in a row with fewer frames end the delay. A single one may be chance.
MISSES = 2
# If writing to sockets takes at least this share of SHARE_SECONDS, a delay is tried.
BUSY_SHARE = 0.25
SHARE_SECONDS = 0.25
# The time between two trials. They are needed because a sender that waits for each reply never sends two together.
TRIAL_SECONDS = 1.0


class Pace:
    """The state of one hub, without I/O. `clock` returns seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hot = False
        self._misses = 0
        self._busy = False
        self._spent = 0.0
        self._since = clock()
        self._try_at = self._since

    def hold_seconds(self) -> float:
        """The delay of a frame that is sent now."""
        return HOLD_SECONDS if self._hot else 0.0

    def note(self, *, frames: int, connections: int) -> None:
        """Note a delivery of frames that this process sent: how many frames, to how many connections."""
        if frames >= JOINED * connections > 0:
            self._hot, self._misses = True, 0
        elif self._hot:
            self._misses += 1
            if self._misses == MISSES:
                self._hot, self._try_at = False, self._clock() + TRIAL_SECONDS
        elif self._busy and self._clock() >= self._try_at:
            self._hot, self._misses = True, 0

    def note_writing(self, seconds: float) -> None:
        """Note the time that a delivery, of this or another process, took to write to its sockets."""
        self._spent += seconds
        passed = self._clock() - self._since
        if passed >= SHARE_SECONDS:
            self._busy = self._spent >= BUSY_SHARE * passed
            self._spent, self._since = 0.0, self._since + passed
