"""Outage: after one failed call the other callers do not wait for Redis."""

import pytest

from foundation.redis.outage import Outage
from tests.kit.clock import Clock

pytestmark = pytest.mark.once  # counts in memory


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
