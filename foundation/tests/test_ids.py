"""Identifiers that sort by the time they were created."""

from datetime import UTC, datetime, timedelta

import pytest

from foundation.errors import NotFound
from foundation.ids import first_id_at, parse_uuid, uuid7

pytestmark = pytest.mark.once  # numbers


def test_uuid7_when_made_one_after_the_other_then_they_sort() -> None:
    ids = [uuid7() for _ in range(1000)]
    assert ids == sorted(ids)
    assert {made.version for made in ids} == {7}


def test_parse_uuid_when_it_is_one_then_is_read_in_any_spelling() -> None:
    made = uuid7()
    assert parse_uuid(str(made)) == parse_uuid(made.hex.upper()) == made


@pytest.mark.parametrize("text", ["", "x", "0" * 31, "0" * 33])
def test_parse_uuid_when_it_is_none_then_nothing_has_this_id(text: str) -> None:
    with pytest.raises(NotFound):
        parse_uuid(text)


def test_first_id_at_when_compared_then_divides_earlier_from_later_ids() -> None:
    before, made, after = datetime.now(UTC), uuid7(), datetime.now(UTC)
    assert first_id_at(before) <= made < first_id_at(after + timedelta(milliseconds=1))
