"""Outage: whether Redis failed a moment ago. While it is away, callers do not wait for its timeout one by one."""

import logging
import time
from collections.abc import Callable
from functools import cache

from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# The exceptions of a call while Redis is away: refused, cut off, or without an answer in time.
REDIS_AWAY = (RedisError, OSError, TimeoutError)
PAUSE_SECONDS = 1.0


class Outage:
    """After `began`, `lasts` is true for `pause_seconds`. Then it is false for one caller, who tries Redis again.

    Safe from any thread: in a race, two callers try Redis.
    """

    def __init__(
        self, *, pause_seconds: float = PAUSE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._until = 0.0
        self._away = False

    def lasts(self) -> bool:
        if not self._away:
            return False
        if self._clock() < self._until:
            return True
        self._until = self._clock() + self._pause_seconds
        return False

    def began(self, error: BaseException) -> None:
        if not self._away:
            logger.warning(
                "Redis is away: each process counts its limits by itself", extra={"error": repr(error)}
            )
        self._away, self._until = True, self._clock() + self._pause_seconds

    def ended(self) -> None:
        if self._away:
            logger.info("Redis is back: limits are counted for all processes again")
        self._away = False


@cache
def get_outage() -> Outage:
    """The outage that all users of Redis in this process share."""
    return Outage()
