"""RateLimiter: rate limits that are counted in Redis, so that all processes share them."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from redis.asyncio.client import Redis

from foundation import loop, metrics
from foundation.drainer import Drainer
from foundation.errors import RateLimited
from foundation.redis.client import get_redis
from foundation.redis.outage import REDIS_AWAY, Outage, get_outage

from .declaration import Count
from .local import LocalLimiter, get_local_limiter

MAX_BATCH = 500
MAX_WAITING = 20_000
ANSWER_SECONDS = 2.0
# One check may have to wait for the round trip in flight before its own.
CHECK_SECONDS = 2 * ANSWER_SECONDS + 1
MAX_REFUSALS = 10_000


class RateLimiter:
    """Counts in Redis, on Redis time.

    While one round trip is in flight, the checks that arrive are joined into the next. Without a usable answer
    (Redis is away or silent, or its answer is not a number) each process counts for itself: a sender gets at most
    the limit from each process, and nobody waits for Redis. Belongs to the process's loop.

    A refusal holds until its wait is over, whatever comes meanwhile. So it is remembered, and a client that goes on
    costs no round trip.
    """

    def __init__(
        self,
        redis: Redis,
        local: LocalLimiter,
        outage: Outage,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        check_seconds: float = CHECK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.redis = redis
        self._local = local
        self._outage = outage
        self._answer_seconds = answer_seconds
        self._check_seconds = check_seconds
        self._clock = clock
        # The time at which the refusal of the same counts ends.
        self._refused_until: OrderedDict[tuple[Count, ...], float] = OrderedDict()
        self._drainer: Drainer[list[Any], int] = Drainer(
            self._ask, name="rate-limiter", max_items=MAX_WAITING, max_batch=MAX_BATCH
        )

    async def check(self, *counts: Count | None) -> None:
        """Take from each limit, or from none: raises RateLimited with the longest wait.

        None stands for a limit that is off. Returns or raises within `check_seconds`.
        """
        taken = tuple(count for count in counts if count is not None)
        if not taken:
            return None
        if (left_seconds := self._refused_until.get(taken, 0.0) - self._clock()) > 0:
            self._refuse(taken, left_seconds)
        if self._outage.lasts() or not self._drainer.accepts():
            return self._local.check(*taken)
        keys = [f"limit:{count.key}" for count in taken]
        call = [len(keys), *keys, *(value for count in taken for value in (*count.rate, count.events))]
        try:
            wait_ms = await self._drainer.ask(call, timeout_seconds=self._check_seconds)
        except Exception as error:
            self._outage.began(error)
            return self._local.check(*taken)
        self._outage.ended()
        self._refused_until.pop(taken, None)
        if wait_ms > 0:
            self._refused_until[taken] = self._clock() + wait_ms / 1000
            if len(self._refused_until) > MAX_REFUSALS:
                self._refused_until.popitem(last=False)
            self._refuse(taken, wait_ms / 1000)
        return None

    async def stop(self) -> None:
        await self._drainer.stop()

    def _refuse(self, taken: tuple[Count, ...], wait_seconds: float) -> NoReturn:
        metrics.LIMITED.labels(taken[0].scope).inc()
        raise RateLimited(retry_after=wait_seconds)

    async def _ask(self, calls: list[list[Any]]) -> list[int | Exception]:
        """The answer to each call, or its exception. Uses EVAL, because Redis forgets scripts when it restarts."""
        pipeline = self.redis.pipeline(transaction=False)
        for call in calls:
            pipeline.eval(_script(), *call)
        try:
            # Not the drainer's timeout, which logs an error for each batch.
            async with asyncio.timeout(self._answer_seconds):
                answers = await pipeline.execute(raise_on_error=False)
        except REDIS_AWAY as error:
            # `Outage` logs the first of these.
            return [error] * len(calls)
        return [_usable(answer) for answer in answers]


def _usable(answer: Any) -> int | Exception:
    """The wait in ms, or an exception if the answer is not a number."""
    return answer if isinstance(answer, int | Exception) else ValueError(f"not a number of ms: {answer!r}")


@cache
def _script() -> str:
    return Path(__file__).with_name("gcra.lua").read_text()


@loop.one_per_loop
def get_rate_limiter() -> RateLimiter:
    """The limiter of the process's Redis."""
    limiter = RateLimiter(get_redis(), get_local_limiter(), get_outage())
    loop.on_stop("rate limiter", limiter.stop)
    return limiter
