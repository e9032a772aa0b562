"""Times as the contract shows them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from foundation import times

pytestmark = pytest.mark.once  # times

MOMENT = datetime(2026, 11, 24, 3, 40, 0, 123_987, UTC)


def test_to_wire_when_given_a_time_then_is_utc_with_milliseconds() -> None:
    assert times.to_wire(MOMENT) == "2026-11-24T03:40:00.123Z"
    assert times.to_wire(MOMENT.replace(microsecond=0)) == "2026-11-24T03:40:00.000Z"
    assert times.to_wire(MOMENT.astimezone(timezone(timedelta(hours=2)))) == "2026-11-24T03:40:00.123Z"
    assert times.to_wire(None) is None


def test_truncate_when_there_are_microseconds_then_cuts_them() -> None:
    assert times.truncate(MOMENT).microsecond == 123_000


def test_now_when_called_then_is_utc_in_milliseconds() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    now = times.now()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)
    assert now.microsecond % 1000 == 0


def test_from_timestamp_when_given_seconds_then_is_that_time() -> None:
    assert times.from_timestamp(MOMENT.timestamp()) == times.truncate(MOMENT)
