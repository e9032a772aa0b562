"""ResumeBudget: what one resume still sends, counted in messages and in bytes."""

import pytest

from messaging.resume_budget import ResumeBudget

pytestmark = pytest.mark.once  # counts in memory


def frames(count: int, size_bytes: int) -> list[bytes]:
    return [b"x" * size_bytes] * count


@pytest.mark.parametrize(
    ("sent", "fits"),
    [(frames(10, 10), True), (frames(11, 1), False), (frames(1, 100), True), (frames(1, 101), False)],
)
def test_frames_when_they_reach_a_bound_then_fit_and_beyond_do_not(sent: list[bytes], fits: bool) -> None:
    assert ResumeBudget(max_messages=10, max_bytes=100).fits(sent) == fits


@pytest.mark.parametrize(("messages", "sent"), [(5, frames(5, 1)), (5, []), (1, frames(1, 50))])
def test_budget_when_half_is_taken_by_either_count_then_is_half_spent(
    messages: int, sent: list[bytes]
) -> None:
    """Messages that were read count also without a frame, because reading them is work."""
    budget = ResumeBudget(max_messages=10, max_bytes=100)
    budget.take(4, frames(4, 12))
    assert not budget.half_spent()
    budget = ResumeBudget(max_messages=10, max_bytes=100)
    budget.take(messages, sent)
    assert budget.half_spent()
    assert budget.messages_left == 10 - messages


def test_frames_when_others_were_taken_then_fit_what_is_left() -> None:
    budget = ResumeBudget(max_messages=10, max_bytes=100)
    budget.take(8, frames(8, 5))
    assert budget.fits(frames(2, 30))
    assert not budget.fits(frames(3, 1))
    assert not budget.fits(frames(2, 31))


def test_budget_when_configured_then_has_the_settings(settings: object) -> None:
    settings.RESUME_MAX_MESSAGES, settings.RESUME_MAX_BYTES = 3, 1000  # type: ignore[attr-defined]
    budget = ResumeBudget.configured()
    assert budget.fits(frames(3, 333))
    assert not budget.fits(frames(3, 334))
    assert not budget.fits(frames(4, 1))
