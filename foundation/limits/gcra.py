"""The arithmetic of GCRA: evenly spaced events pass, a burst of `rate.events` passes, more have to wait.

gcra.lua has the same for Redis. The whole state of a limit is one time: when its bucket is empty again.
https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from .rates import Rate

# For rounding errors of floats, which would sometimes refuse the last event of a burst.
ROUNDING_SECONDS = 1e-6


def take(empty_at: float, rate: Rate, *, now: float, events: int = 1) -> tuple[float, float]:
    """Count events. Returns when the bucket is empty after them, and the seconds that they have to wait.

    Events that have to wait are refused: the caller must drop the new time.
    """
    empty_at = max(empty_at, now) + events * rate.seconds / rate.events
    wait_seconds = empty_at - now - rate.seconds
    return empty_at, wait_seconds if wait_seconds > ROUNDING_SECONDS else 0.0
