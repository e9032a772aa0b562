"""When the hub lets what is sent wait for what comes behind it."""

import pytest

from realtime.hub.pace import HOLD_SECONDS, MISSES, SHARE_SECONDS, TRIAL_SECONDS, Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock=clock)


def make_busy(pace: Pace, clock: Clock) -> None:
    clock.now += SHARE_SECONDS
    pace.note_writing(SHARE_SECONDS)


def test_pace_while_deliveries_carry_one_frame_each_holds_nothing(pace: Pace, clock: Clock) -> None:
    for _ in range(100):
        pace.note_writing(0.001)
        pace.note(frames=200, connections=200)
        assert pace.hold_seconds() == 0
        clock.now += 0.05


def test_pace_after_a_delivery_that_joined_holds_until_two_in_a_row_did_not(pace: Pace) -> None:
    pace.note(frames=400, connections=200)
    assert pace.hold_seconds() == HOLD_SECONDS
    for _ in range(5):  # one that did not join is chance
        pace.note(frames=200, connections=200)
        assert pace.hold_seconds() == HOLD_SECONDS
        pace.note(frames=500, connections=200)
    for _ in range(MISSES):
        pace.note(frames=200, connections=200)
    assert pace.hold_seconds() == 0


def test_pace_when_writing_takes_much_of_the_time_tries_once_a_second_whether_holding_helps(
    pace: Pace, clock: Clock
) -> None:
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


def test_pace_when_nobody_was_reached_holds_nothing(pace: Pace) -> None:
    pace.note(frames=0, connections=0)
    assert pace.hold_seconds() == 0
