"""Reading the values that moderators type into filters."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db.models import Q

from foundation.ids import uuid7
from moderation.admin.filters import SinceFilter, moment_of, uuid_of

pytestmark = pytest.mark.once  # no database


def test_uuid_of_when_typed_then_only_a_whole_id_is_one() -> None:
    value = uuid7()
    assert uuid_of(f" {value} ") == uuid_of(value.hex) == value
    assert uuid_of(str(value)[:-1]) is uuid_of("") is uuid_of("needle") is None


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("2026-01-02T03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-01-02T03:04+02:00", datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2)))),
        ("yesterday", None),
    ],
)
def test_moment_of_when_typed_then_utc_unless_it_names_an_offset(typed: str, moment: datetime | None) -> None:
    assert moment_of(typed) == moment


def test_since_filter_when_no_time_is_typed_then_it_does_not_narrow() -> None:
    assert SinceFilter.condition(None, "yesterday") == Q()  # type: ignore[arg-type]
