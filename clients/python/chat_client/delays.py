"""Delays between attempts, with jitter, so that not all clients return in the moment a server has restarted."""

import random

FIRST_SECONDS, MAX_SECONDS = 0.5, 30.0


def backoff_seconds(attempt: int) -> float:
    """A random delay: at most 0.5 s for attempt 0, 1 s for attempt 1, 2 s for attempt 2, and so on up to 30 s."""
    # A client may try for days: the power of a large attempt is no float any more.
    doublings = min(attempt, 6)
    return random.uniform(0, min(MAX_SECONDS, FIRST_SECONDS * 2**doublings))
