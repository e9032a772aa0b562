"""LocalLimiter: limits that are counted in this process alone."""

import pytest

from foundation.errors import RateLimited
from foundation.limits.declaration import Count
from foundation.limits.local import LocalLimiter
from foundation.limits.rates import Rate
from tests.kit.clock import Clock

pytestmark = pytest.mark.once  # counts in memory


def count(key: str, rate: Rate) -> Count:
    return Count("tests", key, rate)


def test_check_when_time_passes_then_one_passes_for_each_step() -> None:
    clock = Clock()
    limiter = LocalLimiter(clock=clock)
    rate = Rate(2, 10)
    limiter.check(count("a", rate))
    limiter.check(count("a", rate))
    with pytest.raises(RateLimited) as refused:
        limiter.check(count("a", rate))
    assert refused.value.retry_after == pytest.approx(5)
    clock.now += 5
    limiter.check(count("a", rate))
    with pytest.raises(RateLimited):
        limiter.check(count("a", rate))


def test_check_when_there_are_too_many_keys_then_forgets_the_oldest() -> None:
    limiter = LocalLimiter(max_keys=2)
    once = Rate(1, 3600)
    for key in ("a", "b", "c"):
        limiter.check(count(key, once))
    limiter.check(count("a", once))
    with pytest.raises(RateLimited):
        limiter.check(count("c", once))
