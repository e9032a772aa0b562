"""Pace: how long what is sent waits to leave together with its like; not at all, unless that is worth it.

Knows counts and times (docs/decisions/0012); must not know frames or connections.
"""

import time
from collections.abc import Callable

HOLD_SECONDS = 0.010
JOINED = 2.0  # frames for each connection in one delivery, from where on waiting is worth it
MISSES = 2  # deliveries in a row that did not join end the waiting, since chance makes one
BUSY_SHARE = (
    0.25  # of the time goes into writing: from there on waiting is tried, without a sign that it helps
)
SHARE_SECONDS = 0.25
TRIAL_SECONDS = 1.0  # between two trials: a sender who waits for each answer never sends two together


class Pace:
    """Of one hub. `clock` counts seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hot = False
        self._misses = 0
        self._busy = False
        self._spent = 0.0
        self._since = clock()
        self._try_at = self._since

    def hold_seconds(self) -> float:
        """How long what is sent now waits for what comes behind it."""
        return HOLD_SECONDS if self._hot else 0.0

    def note(self, *, frames: int, connections: int) -> None:
        """A delivery of what was sent here gave this many frames to this many connections."""
        if frames >= JOINED * connections > 0:
            self._hot, self._misses = True, 0
        elif self._hot:
            self._misses += 1
            if self._misses == MISSES:
                self._hot, self._try_at = False, self._clock() + TRIAL_SECONDS
        elif self._busy and self._clock() >= self._try_at:
            self._hot, self._misses = True, 0

    def note_writing(self, seconds: float) -> None:
        """Writing a delivery to its sockets took so long, whoever had sent it."""
        self._spent += seconds
        passed = self._clock() - self._since
        if passed >= SHARE_SECONDS:
            self._busy = self._spent >= BUSY_SHARE * passed
            self._spent, self._since = 0.0, self._since + passed
