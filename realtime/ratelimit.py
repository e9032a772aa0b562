"""Limits over time by GCRA (gcra.py). Must not know what is limited.

`RateLimiter` shares its counts over Redis, `LocalLimiter` keeps them in the process, `FrameLimiter` is one
connection's.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from redis.asyncio.client import Redis

from . import gcra, loop, metrics
from .close_codes import CloseCode, CloseSocket
from .drainer import Drainer
from .errors import ChatError, RateLimited
from .outage import REDIS_AWAY, Outage, get_outage
from .rates import Rate
from .redis import get_redis

REFUSALS_BEFORE_CLOSE = 100
MAX_LOCAL_KEYS = 100_000
MAX_BATCH = 500
MAX_WAITING = 20_000
ANSWER_SECONDS = 2.0
# For one check: it may wait for the round trip in flight before its own.
CHECK_SECONDS = 2 * ANSWER_SECONDS + 1

Limit = tuple[str, Rate]


class LocalLimiter:
    """Counts of this process alone, from any thread. Of too many keys the longest unused are forgotten."""

    def __init__(
        self, *, max_keys: int = MAX_LOCAL_KEYS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._empty_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, *limits: Limit) -> None:
        """Take one from each `(key, rate)`, or none from any: raises RateLimited with the longest wait."""
        with self._lock:
            now, longest_wait_seconds, empty_at = self._clock(), 0.0, {}
            for key, rate in limits:
                empty_at[key], wait_seconds = gcra.take(self._empty_at.get(key, now), rate, now=now)
                longest_wait_seconds = max(longest_wait_seconds, wait_seconds)
            if longest_wait_seconds:
                metrics.LIMITED.labels(limits[0][0].partition(":")[0]).inc()
                raise RateLimited(retry_after=longest_wait_seconds)
            for key, at in empty_at.items():
                self._empty_at[key] = at
                self._empty_at.move_to_end(key)
            while len(self._empty_at) > self._max_keys:
                self._empty_at.popitem(last=False)


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


class FrameLimiter:
    """Frames of one connection. A peer that goes on while it is refused is closed with 4429."""

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._empty_at = 0.0
        self._refusals = 0

    def check(self) -> None:
        if self._rate is None:
            return
        empty_at, wait_seconds = gcra.take(self._empty_at, self._rate, now=time.monotonic())
        if wait_seconds:
            metrics.LIMITED.labels("frames").inc()
            raise RateLimited(retry_after=wait_seconds)
        self._empty_at = empty_at

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
def _script() -> str:
    return Path(__file__).with_name("gcra.lua").read_text()


@cache
def get_local_limiter() -> LocalLimiter:
    """The counts of this process alone."""
    return LocalLimiter()


@loop.one_per_loop
def get_rate_limiter() -> RateLimiter:
    """The limiter over the process's Redis."""
    limiter = RateLimiter(get_redis(), get_local_limiter(), get_outage())
    loop.on_stop("rate limiter", limiter.stop)
    return limiter
