"""The arithmetic of GCRA, with times that the test chooses."""

import pytest

from foundation.limits import gcra
from foundation.limits.rates import Rate

START = 1000.0


def passed(rate: Rate, *moments: float) -> list[bool]:
    """Whether an event at each of the moments, in seconds after the start, passes."""
    empty_at, outcomes = 0.0, []
    for moment in moments:
        taken, wait_seconds = gcra.take(empty_at, rate, now=START + moment)
        outcomes.append(not wait_seconds)
        if not wait_seconds:
            empty_at = taken
    return outcomes


@pytest.mark.parametrize("rate", [Rate(1, 1), Rate(3, 1), Rate(7, 3600), Rate(1000, 3)])
def test_take_when_many_come_at_once_then_exactly_the_burst_passes(rate: Rate) -> None:
    assert passed(rate, *[0.0] * (2 * rate.events)) == [True] * rate.events + [False] * rate.events


def test_take_when_the_burst_is_over_then_one_passes_for_each_step() -> None:
    assert passed(Rate(2, 10), 0, 0, 4.9, 5, 5, 9.9, 10, 10) == [
        True, True, False, True, False, False, True, False,
    ]  # fmt: skip


def test_take_when_events_are_evenly_spaced_then_all_pass() -> None:
    step = 1 / 3
    assert all(passed(Rate(3, 1), *(number * step for number in range(10_000))))


def test_take_when_a_pause_is_over_then_one_burst_passes() -> None:
    assert passed(Rate(2, 10), 0, 1000, 1000, 1000) == [True, True, True, False]


def test_take_when_refused_then_returns_the_wait() -> None:
    rate = Rate(2, 10)
    empty_at = START + 10
    _, wait_seconds = gcra.take(empty_at, rate, now=START)
    assert wait_seconds == pytest.approx(5)
    assert gcra.take(empty_at, rate, now=START + wait_seconds)[1] == 0.0


def test_take_when_several_at_once_then_counts_as_so_many() -> None:
    rate = Rate(4, 8)
    empty_at, wait_seconds = gcra.take(START, rate, now=START, events=3)
    assert (empty_at, wait_seconds) == (START + 6, 0.0)
    assert gcra.take(empty_at, rate, now=START)[1] == 0.0
    assert gcra.take(empty_at, rate, now=START, events=2)[1] == pytest.approx(2)
    assert gcra.take(START, rate, now=START, events=5)[1] > 0
