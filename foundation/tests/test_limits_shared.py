"""Limits counted in a real Redis, and by the process while Redis is away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from foundation import context
from foundation.errors import RateLimited
from foundation.limits.declaration import Count
from foundation.limits.local import LocalLimiter
from foundation.limits.rates import Rate
from foundation.limits.shared import ANSWER_SECONDS, CHECK_SECONDS, RateLimiter
from foundation.redis.address import RedisAddress
from foundation.redis.outage import Outage
from tests.kit.clock import Clock
from tests.kit.processes import free_port
from tests.kit.redis_servers import RedisServer
from tests.kit.waiting import until

pytestmark = pytest.mark.once  # limits are counted in Redis

THREE_AN_HOUR = Rate(3, 3600)


def count(key: str, rate: Rate) -> Count:
    return Count("tests", key, rate)


@pytest.fixture
async def limiter(redis_server: RedisServer) -> AsyncIterator[RateLimiter]:
    redis = RedisAddress.parse(redis_server.url).client()
    await redis.flushall()
    yield RateLimiter(redis, LocalLimiter(), Outage())
    await redis.aclose()


async def passes(limiter: RateLimiter, *limits: Count, tries: int) -> int:
    """How many of `tries` pass when all come at once."""
    outcomes = await asyncio.gather(*(limiter.check(*limits) for _ in range(tries)), return_exceptions=True)
    assert all(outcome is None or isinstance(outcome, RateLimited) for outcome in outcomes), outcomes
    return outcomes.count(None)


async def test_check_when_many_ask_at_once_then_exactly_the_burst_passes(limiter: RateLimiter) -> None:
    assert await passes(limiter, count("a", THREE_AN_HOUR), tries=50) == 3
    assert await passes(limiter, count("b", THREE_AN_HOUR), tries=2) == 2
    assert await passes(limiter, count("c", Rate(6, 3599)), tries=50) == 6, "a step that is no whole number"


async def test_check_when_two_processes_ask_then_they_share_the_count(
    limiter: RateLimiter, redis_server: RedisServer
) -> None:
    other = RateLimiter(RedisAddress.parse(redis_server.url).client(), LocalLimiter(), Outage())
    try:
        counts = await asyncio.gather(
            *(passes(one, count("a", THREE_AN_HOUR), tries=20) for one in (limiter, other))
        )
    finally:
        await other.redis.aclose()
    assert sum(counts) == 3


async def test_check_when_one_limit_is_full_then_takes_nothing_of_the_other(
    limiter: RateLimiter,
) -> None:
    full, free = count("full", Rate(1, 3600)), count("free", THREE_AN_HOUR)
    assert await passes(limiter, full, free, tries=5) == 1
    assert await passes(limiter, free, tries=5) == 2


async def test_check_when_several_events_then_takes_all_or_none(limiter: RateLimiter) -> None:
    four = Rate(4, 3600)
    await limiter.check(Count("tests", "a", four, 3))
    with pytest.raises(RateLimited):
        await limiter.check(Count("tests", "a", four, 2))
    assert await passes(limiter, count("a", four), tries=5) == 1


async def test_check_when_refused_before_then_redis_is_not_asked_again(limiter: RateLimiter) -> None:
    """Nothing that comes meanwhile ends a refusal earlier, so the flood of one client costs no round trips."""
    assert await passes(limiter, count("a", THREE_AN_HOUR), tries=4) == 3
    await limiter.redis.flushall()
    with pytest.raises(RateLimited) as refused:
        await limiter.check(count("a", THREE_AN_HOUR))
    assert 1100 < (refused.value.retry_after or 0) <= 1200
    assert await limiter.redis.dbsize() == 0
    await limiter.check(count("b", THREE_AN_HOUR))


async def test_check_when_refused_then_passes_after_the_wait_it_named(limiter: RateLimiter) -> None:
    rate = Rate(4, 1)
    assert await passes(limiter, count("a", rate), tries=10) == 4
    with pytest.raises(RateLimited) as refused:
        await limiter.check(count("a", rate))
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 0.25
    # That the answer's time is long enough is what is tested.
    await asyncio.sleep(refused.value.retry_after + 0.002)
    await limiter.check(count("a", rate))


async def test_check_when_the_period_is_over_then_redis_keeps_nothing(limiter: RateLimiter) -> None:
    await limiter.check(count("a", Rate(100, 1)))

    async def empty() -> bool:
        return not await limiter.redis.dbsize()

    await until(empty, "the key expired", seconds=5)


async def test_check_when_redis_restarted_then_it_counts_on() -> None:
    server = RedisServer()
    server.start()
    limiter = RateLimiter(RedisAddress.parse(server.url).client(), LocalLimiter(), Outage(pause_seconds=0))
    try:
        await limiter.check(count("a", THREE_AN_HOUR))
        server.restart()
        assert await passes(limiter, count("a", THREE_AN_HOUR), tries=20) == 3
    finally:
        await limiter.redis.aclose()
        server.stop()


async def test_check_when_redis_is_away_then_the_process_counts() -> None:
    nobody = RedisAddress.parse(f"redis://127.0.0.1:{free_port()}/0").client()
    limiter = RateLimiter(nobody, LocalLimiter(), Outage())
    assert await passes(limiter, count("a", THREE_AN_HOUR), tries=20) == 3
    await nobody.aclose()


async def test_check_when_redis_is_silent_then_only_the_first_waits_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = RedisServer()
    server.start()
    clock = Clock()
    limiter = RateLimiter(RedisAddress.parse(server.url).client(), LocalLimiter(), Outage(clock=clock))
    try:
        await limiter.check(count("a", THREE_AN_HOUR))
        server.pause()
        await limiter.check(count("a", THREE_AN_HOUR))  # waits for Redis, then counts in this process
        # An outage is one warning, and no error with a traceback for each batch.
        assert [(record.name, record.levelname) for record in caplog.records] == [
            ("foundation.redis.outage", "WARNING")
        ]
        async with asyncio.timeout(ANSWER_SECONDS / 2):  # a wait for Redis would take longer
            assert await passes(limiter, count("b", THREE_AN_HOUR), tries=100) == 3
        server.resume()
        clock.now += 60
        await limiter.check(count("a", THREE_AN_HOUR))  # this one asks Redis again
        assert await passes(limiter, count("c", THREE_AN_HOUR), tries=20) == 3
        assert await limiter.redis.exists("limit:c")
    finally:
        server.resume()
        await limiter.redis.aclose()
        server.stop()


class Answering:
    """The part of Redis that the limiter uses. Each pipeline gets the next of `outcomes`, or no answer at all."""

    def __init__(self, *outcomes: Any) -> None:
        self._outcomes = list(outcomes)

    def pipeline(self, **_: Any) -> "Answering":
        return self

    def eval(self, *_: Any) -> None:
        pass

    async def execute(self, **_: Any) -> Any:
        if not self._outcomes:
            await asyncio.Event().wait()
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.mark.parametrize(
    "outcome",
    [[0], [0] * 5, [b"OK"] * 4, [None] * 4, None, RuntimeError("a bug"), asyncio.CancelledError()],
    ids=["too few", "too many", "text", "nothing", "no list", "raises", "a stray cancellation"],
)
async def test_check_when_the_answer_is_unusable_then_the_process_counts(outcome: Any) -> None:
    limiter = RateLimiter(Answering(outcome), LocalLimiter(), Outage())  # type: ignore[arg-type]
    async with asyncio.timeout(CHECK_SECONDS):
        assert await passes(limiter, count("a", THREE_AN_HOUR), tries=4) == 3


async def test_check_when_one_answer_is_unusable_then_the_others_get_theirs() -> None:
    limiter = RateLimiter(Answering([0, "x", 500]), LocalLimiter(), Outage())  # type: ignore[arg-type]
    limits = [count(name, THREE_AN_HOUR) for name in "abc"]
    outcomes = await asyncio.gather(*(limiter.check(limit) for limit in limits), return_exceptions=True)
    assert outcomes[:2] == [None, None]
    assert isinstance(outcomes[2], RateLimited)
    assert outcomes[2].retry_after == 0.5


async def test_check_when_the_timeout_is_ignored_then_ends_in_time() -> None:
    class Stubborn(Answering):
        async def execute(self, **_: Any) -> Any:
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    pass  # as redis-py's use of asyncio.wait_for does at times

    over = asyncio.Event()
    limiter = RateLimiter(Stubborn(), LocalLimiter(), Outage(), answer_seconds=0.01, check_seconds=0.05)  # type: ignore[arg-type]
    assert await passes(limiter, count("a", THREE_AN_HOUR), tries=4) == 3
    over.set()


async def test_check_when_a_request_asks_then_the_round_trip_has_no_context() -> None:
    seen: list[dict[str, str]] = []

    class Noting(Answering):
        async def execute(self, **_: Any) -> Any:
            seen.append(context.log_fields())
            return [0]

    context.request_id.set("of-a-request")
    await RateLimiter(Noting(), LocalLimiter(), Outage()).check(count("a", THREE_AN_HOUR))  # type: ignore[arg-type]
    assert seen == [{}]
