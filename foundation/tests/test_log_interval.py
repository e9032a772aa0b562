"""LogInterval: one record in a time."""

import pytest

from foundation.log_interval import LogInterval
from tests.kit.clock import Clock

pytestmark = pytest.mark.once  # no database


def test_records_when_there_are_many_then_one_counts_the_others() -> None:
    clock = Clock()
    clock.now = 100.0
    interval = LogInterval(5, clock=clock)
    assert [interval.count() for _ in range(4)] == [1, 0, 0, 0]
    clock.now += 4.9
    assert interval.count() == 0
    clock.now += 0.1
    assert [interval.count(), interval.count()] == [5, 0]
