"""Times as the contract shows them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from foundation import times

BAD_TIMES = [
    "",
    "now",
    "2026-11-24",
    "2026-11-24T03:40:00",
    "2026-11-24 03:40:00Z",
    "2026-11-24_03:40:00Z",
    "20261124T034000Z",
    "2026-11-24T0340Z",
    "2026-11-24T03:40Z",
    "2026-11-24T03Z",
    "2026-W48-2T03:40:00Z",
    "2026-328T03:40:00Z",
    "2026-11-24T03:40:00,5Z",
    "2026-11-24T03:40:00.Z",
    "2026-11-24T03:40:00+0530",
    "2026-11-24T03:40:00+05",
    "2026-11-24T03:40:00+05:30:15",
    "2026-11-24T03:40:00+24:00",
    "2026-11-24T03:40:00 01:00",
    "2026-11-24T24:00:00Z",
    "2026-12-31T23:59:60Z",
    "2026-11-24T03:60:00Z",
    "2026-02-29T03:40:00Z",
    "2026-13-01T03:40:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-01:00",
    "10000-01-01T00:00:00Z",
    "9" * 400,
    "2026-11-24T03:40:00Z\n",
    " 2026-11-24T03:40:00Z",
    "\u0662026-11-24T03:40:00Z",
    5,
    1.5,
    True,
    None,
    [],
]

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


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2026-11-24T03:40:00Z", "2026-11-24T03:40:00.000Z"),
        ("2026-11-24t03:40:00z", "2026-11-24T03:40:00.000Z"),
        ("2026-11-24T03:40:00.1Z", "2026-11-24T03:40:00.100Z"),
        ("2026-11-24T03:40:00.123456789Z", "2026-11-24T03:40:00.123Z"),
        ("2026-11-24T03:40:00+05:30", "2026-11-23T22:10:00.000Z"),
        ("2026-11-24T03:40:00-00:00", "2026-11-24T03:40:00.000Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ("1969-12-31T23:30:00-01:00", "1970-01-01T00:30:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ("9999-12-31T23:59:59+23:59", "9999-12-31T00:00:59.000Z"),
    ],
)
def test_parse_when_it_is_rfc_3339_then_is_that_time_in_utc(text: str, right: str) -> None:
    assert times.to_wire(times.parse(text)) == right
    assert times.parse(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", BAD_TIMES, ids=lambda text: str(text)[:40])
def test_parse_when_it_is_anything_else_then_says_what_is_right(text: object) -> None:
    with pytest.raises(ValueError, match="RFC 3339 time with an offset"):
        times.parse(text)


def test_from_timestamp_when_given_seconds_then_is_that_time() -> None:
    assert times.from_timestamp(MOMENT.timestamp()) == times.truncate(MOMENT)
