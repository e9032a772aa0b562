"""Delays between attempts, with jitter, so that not all clients return in the moment a server has restarted."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .errors import ChatError

FIRST_SECONDS, MAX_SECONDS = 0.5, 30.0

Result = TypeVar("Result")


def backoff_seconds(attempt: int) -> float:
    """A random delay: at most 0.5 s for attempt 0, 1 s for attempt 1, 2 s for attempt 2, and so on up to 30 s."""
    # A client may try for days: the power of a large attempt is no float any more.
    doublings = min(attempt, 6)
    return random.uniform(0, min(MAX_SECONDS, FIRST_SECONDS * 2**doublings))


async def patiently(work: Callable[[], Awaitable[Result]], *passing: type[Exception]) -> Result:
    """Repeat `work` while it fails with a temporary ChatError or an error of the classes in `passing`.

    Waits longer after each attempt, and at least the `retry_after` of the error. Other errors are raised.
    """
    attempt = 0
    while True:
        wait_seconds = backoff_seconds(attempt)
        try:
            return await work()
        except ChatError as error:
            if not error.temporary:
                raise
            wait_seconds += error.retry_after or 0.0
        except passing:
            pass
        await asyncio.sleep(wait_seconds)
        attempt += 1
