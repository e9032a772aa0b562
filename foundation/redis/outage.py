"""Whether Redis failed a moment ago, so that not each caller waits in turn for an answer that does not come.

Knows a clock and what Redis' clients raise; must not know what is asked of Redis.
"""

import logging
import time
from collections.abc import Callable
from functools import cache

from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# What a call raises when Redis is away: refused, cut off, or silent for too long.
REDIS_AWAY = (RedisError, OSError, TimeoutError)
PAUSE_SECONDS = 1.0


class Outage:
    """After `began` the outage `lasts` for a while; then one caller may find out whether it is over.

    Used from any thread: the worst a race does is that two callers find out.
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
    """The one of this process."""
    return Outage()
