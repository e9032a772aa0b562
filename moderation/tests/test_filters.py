"""Reading the values that moderators type into filters."""

from datetime import UTC, datetime

import pytest

from foundation.ids import uuid7
from moderation.admin.filters import RoomFilter, SinceFilter, UntilFilter, moment_of, uuid_of

pytestmark = pytest.mark.once  # no database


def test_uuid_of_when_typed_then_only_a_whole_id_is_one() -> None:
    value = uuid7()
    assert uuid_of(f" {value} ") == uuid_of(str(value).upper()) == value
    assert uuid_of(str(value)[:-1]) is uuid_of(value.hex) is uuid_of("") is uuid_of("needle") is None


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("2026-01-02T03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5", datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        ("2026-01-02T03:04:00+02:00", datetime(2026, 1, 2, 1, 4, tzinfo=UTC)),
    ],
)
def test_moment_of_when_typed_then_utc_unless_it_names_an_offset(typed: str, moment: datetime) -> None:
    assert moment_of(typed) == moment


@pytest.mark.parametrize(
    "typed", ["yesterday", "2026-01-02", "20260102T0304", "0001-01-01T00:00", "2026-01-02T24:00"]
)
def test_moment_of_when_it_is_no_time_then_says_what_is_right(typed: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        moment_of(typed)


@pytest.mark.parametrize("typed", ["1970-01-01T00:00", "9999-12-31T23:59:59"])
def test_time_filters_when_at_an_end_of_time_then_narrow(typed: str) -> None:
    assert SinceFilter.condition(None, typed)  # type: ignore[arg-type]
    assert UntilFilter.condition(None, typed)  # type: ignore[arg-type]


def test_room_filter_when_the_text_shows_nothing_then_says_so() -> None:
    with pytest.raises(ValueError, match="shows something"):
        RoomFilter.condition(None, "\u200b")  # type: ignore[arg-type]
