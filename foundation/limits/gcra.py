"""GCRA's arithmetic: events that arrive evenly pass, a burst of `rate.events` passes, more have to wait.

The same as in gcra.lua, which counts in Redis. A limit's whole state is one time: when its bucket is empty again.
https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from .rates import Rate

# Sums of floats: without it the last of a burst is refused now and then.
ROUNDING_SECONDS = 1e-6


def take(empty_at: float, rate: Rate, *, now: float) -> tuple[float, float]:
    """Returns (when the bucket is empty again after one more event, seconds which that event has to wait).

    An event that has to wait is refused: its new time must not be kept.
    """
    empty_at = max(empty_at, now) + rate.seconds / rate.events
    wait_seconds = empty_at - now - rate.seconds
    return empty_at, wait_seconds if wait_seconds > ROUNDING_SECONDS else 0.0
