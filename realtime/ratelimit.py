"""Limits over time by GCRA: what arrives evenly passes, a burst of `count` passes, more has to wait.

`RateLimiter` shares its counts over Redis; `FrameLimiter` is one connection's and lives in the process. Knows
rates and Redis; must not know what is limited. The algorithm: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

import logging
import time
from functools import cache
from pathlib import Path

from redis.commands.core import AsyncScript

from .close_codes import CloseCode, CloseSocket
from .errors import ChatError, RateLimited
from .rates import Rate
from .redis import RedisError, load_script

logger = logging.getLogger(__name__)

REFUSALS_BEFORE_CLOSE = 100


class RateLimiter:
    """Counts in Redis, on Redis time, so all processes share them. One round trip checks several limits.

    When Redis is away the limits are open: a chat that goes on unlimited for some seconds harms less than one
    that stops. docs/operations.md lists this decision for each scope.
    """

    def __init__(self, script: AsyncScript) -> None:
        self._script = script

    async def check(self, *limits: tuple[str, Rate]) -> None:
        """Take one from each `(key, rate)`, or none from any: raises RateLimited with the longest wait."""
        arguments = [value for _, rate in limits for value in rate]
        try:
            wait_ms = int(await self._script(keys=[f"limit:{key}" for key, _ in limits], args=arguments))
        except (RedisError, OSError, TimeoutError):
            logger.warning("limits are not counted: Redis is away")
            return
        if wait_ms > 0:
            raise RateLimited(retry_after=wait_ms / 1000)


class FrameLimiter:
    """Frames of one connection. A peer that goes on while it is refused is closed with 4429."""

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._full_at = 0.0
        self._refusals = 0

    def check(self) -> None:
        if self._rate is None:
            return
        now, step = time.monotonic(), self._rate.seconds / self._rate.events
        full_at = max(self._full_at, now) + step
        if full_at - now > self._rate.seconds:
            raise RateLimited(retry_after=full_at - now - self._rate.seconds)
        self._full_at = full_at

    def note(self, error: ChatError) -> None:
        """Count refusals in a row, of any limit; an error of another kind is none."""
        if not isinstance(error, RateLimited):
            return
        self._refusals += 1
        if self._refusals >= REFUSALS_BEFORE_CLOSE:
            raise CloseSocket(CloseCode.LIMITED, "kept sending while limited")

    def accepted(self) -> None:
        self._refusals = 0


@cache
def _script_path() -> Path:
    return Path(__file__).with_name("gcra.lua")


def get_rate_limiter() -> RateLimiter:
    return RateLimiter(load_script(_script_path()))
