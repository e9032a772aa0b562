"""Outage: after one failed call the other callers do not wait for Redis."""

import pytest

from foundation.redis.outage import Outage

pytestmark = pytest.mark.once  # counts in memory


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_outage_when_one_call_failed_then_others_wait_for_the_pause() -> None:
    clock = Clock()
    outage = Outage(pause_seconds=1, clock=clock)
    assert not outage.lasts()
    outage.began(OSError())
    assert outage.lasts()
    clock.now += 1
    assert not outage.lasts(), "one caller may try Redis"
    assert outage.lasts(), "the others do not wait"
    outage.ended()
    assert not outage.lasts()
