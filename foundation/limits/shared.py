"""RateLimiter: rate limits counted in Redis, so that all processes share them."""

from functools import cache
from pathlib import Path
from typing import Any

from redis.asyncio.client import Redis

from foundation import loop, metrics
from foundation.drainer import Drainer
from foundation.errors import RateLimited
from foundation.redis.client import get_redis
from foundation.redis.outage import REDIS_AWAY, Outage, get_outage

from .local import Limit, LocalLimiter, get_local_limiter

MAX_BATCH = 500
MAX_WAITING = 20_000
ANSWER_SECONDS = 2.0
# For one check: it may wait for the round trip in flight before its own.
CHECK_SECONDS = 2 * ANSWER_SECONDS + 1


class RateLimiter:
    """Counts in Redis, on Redis time, so all processes share them.

    While one round trip is in flight, the checks that arrive are joined into the next. Without a usable answer
    (Redis is away, silent, or answers nonsense) each process counts for itself: a sender gets at most its limit
    from each process, and nobody waits for Redis. Lives on the process's loop.
    """

    def __init__(
        self,
        redis: Redis,
        local: LocalLimiter,
        outage: Outage,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self.redis = redis
        self._local = local
        self._outage = outage
        self._check_seconds = check_seconds
        self._drainer: Drainer[list[Any], int] = Drainer(
            self._ask,
            name="rate-limiter",
            max_items=MAX_WAITING,
            max_batch=MAX_BATCH,
            timeout_seconds=answer_seconds,
        )

    async def check(self, *limits: Limit) -> None:
        """As LocalLimiter's, for all processes; returns or raises within `check_seconds`."""
        if self._outage.lasts() or not self._drainer.accepts():
            return self._local.check(*limits)
        keys = [f"limit:{key}" for key, _ in limits]
        call = [len(keys), *keys, *(value for _, rate in limits for value in rate)]
        try:
            wait_ms = await self._drainer.ask(call, timeout_seconds=self._check_seconds)
        except Exception as error:
            self._outage.began(error)
            return self._local.check(*limits)
        self._outage.ended()
        if wait_ms > 0:
            metrics.LIMITED.labels(limits[0][0].partition(":")[0]).inc()
            raise RateLimited(retry_after=wait_ms / 1000)
        return None

    async def stop(self) -> None:
        await self._drainer.stop()

    async def _ask(self, calls: list[list[Any]]) -> list[int | Exception]:
        """The answer to each call, or the exception it met. By EVAL: a Redis that restarted needs no second try."""
        pipeline = self.redis.pipeline(transaction=False)
        for call in calls:
            pipeline.eval(_script(), *call)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except REDIS_AWAY as error:
            return [error] * len(calls)  # the outage says so, once
        return [_usable(answer) for answer in answers]


def _usable(answer: Any) -> int | Exception:
    """The wait in ms, or the exception that stands for it."""
    return answer if isinstance(answer, int | Exception) else ValueError(f"not a number of ms: {answer!r}")


@cache
def _script() -> str:
    return Path(__file__).with_name("gcra.lua").read_text()


@loop.one_per_loop
def get_rate_limiter() -> RateLimiter:
    """The limiter over the process's Redis."""
    limiter = RateLimiter(get_redis(), get_local_limiter(), get_outage())
    loop.on_stop("rate limiter", limiter.stop)
    return limiter
