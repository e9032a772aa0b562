"""Pace: when the hub delays frames so that later ones can join them."""

import pytest

from realtime.hub.pace import HOLD_SECONDS, MISSES, SHARE_SECONDS, TRIAL_SECONDS, Pace
from tests.kit.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock=clock)


def make_busy(pace: Pace, clock: Clock) -> None:
    clock.now += SHARE_SECONDS
    pace.note_writing(SHARE_SECONDS)


def test_pace_when_deliveries_have_one_frame_each_then_does_not_delay(pace: Pace, clock: Clock) -> None:
    for _ in range(100):
        pace.note_writing(0.001)
        pace.note(frames=200, connections=200)
        assert pace.hold_seconds() == 0
        clock.now += 0.05


def test_pace_when_a_delivery_joined_then_delays_until_two_did_not(pace: Pace) -> None:
    pace.note(frames=400, connections=200)
    assert pace.hold_seconds() == HOLD_SECONDS
    # A single delivery that did not join may be chance.
    for _ in range(5):
        pace.note(frames=200, connections=200)
        assert pace.hold_seconds() == HOLD_SECONDS
        pace.note(frames=500, connections=200)
    for _ in range(MISSES):
        pace.note(frames=200, connections=200)
    assert pace.hold_seconds() == 0


def test_pace_when_busy_with_writing_then_tries_a_delay_each_second(pace: Pace, clock: Clock) -> None:
    make_busy(pace, clock)
    pace.note(frames=200, connections=200)
    assert pace.hold_seconds() == HOLD_SECONDS
    for _ in range(MISSES):
        pace.note(frames=200, connections=200)
    tried_at = clock.now
    while clock.now + SHARE_SECONDS < tried_at + TRIAL_SECONDS:
        make_busy(pace, clock)
        pace.note(frames=200, connections=200)
        assert pace.hold_seconds() == 0
    clock.now = tried_at + TRIAL_SECONDS
    pace.note(frames=200, connections=200)
    assert pace.hold_seconds() == HOLD_SECONDS


def test_pace_when_no_connection_was_reached_then_does_not_delay(pace: Pace) -> None:
    pace.note(frames=0, connections=0)
    assert pace.hold_seconds() == 0
