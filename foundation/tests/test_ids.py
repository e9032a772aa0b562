"""Identifiers that sort by the time they were created."""

from datetime import UTC, datetime, timedelta

import pytest

from foundation import times
from foundation.errors import NotFound
from foundation.ids import first_id_at, parse_uuid, read_id, uuid7

ID = "01a20bd1-bed6-707d-bd3a-71bea614e6cb"
BAD_IDS = [
    "",
    "x",
    ID.replace("-", ""),
    "{" + ID + "}",
    "urn:uuid:" + ID,
    ID + " ",
    ID + "\n",
    ID[:-1],
    ID[:-1] + "g",
    ID[:-1] + "\uff15",
    "01a2-0bd1-bed6707d-bd3a-71bea614e6cb",
    "01a20bd1bed6-707d-bd3a-71bea614e6cb-",
    ID.replace("-", "_"),
    5,
    True,
    None,
    [ID],
]

pytestmark = pytest.mark.once  # numbers


def test_uuid7_when_made_one_after_the_other_then_they_sort() -> None:
    ids = [uuid7() for _ in range(1000)]
    assert ids == sorted(ids)
    assert {made.version for made in ids} == {7}


def test_read_id_when_it_has_its_hyphens_then_is_read_in_any_case() -> None:
    made = uuid7()
    assert read_id(str(made)) == read_id(str(made).upper()) == parse_uuid(str(made)) == made


@pytest.mark.parametrize("value", BAD_IDS)
def test_read_id_when_it_is_written_otherwise_then_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="Must be a valid UUID"):
        read_id(value)
    with pytest.raises(NotFound):
        parse_uuid(str(value))


def test_first_id_at_when_compared_then_divides_earlier_from_later_ids() -> None:
    before, made, after = datetime.now(UTC), uuid7(), datetime.now(UTC)
    assert first_id_at(before) <= made < first_id_at(after + timedelta(milliseconds=1))


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_first_id_at_when_at_an_end_of_time_then_slack_may_pass_it(moment: str) -> None:
    at = times.parse(moment)
    first = first_id_at(at)
    assert first_id_at(at, slack=timedelta(days=-1)) <= first <= first_id_at(at, slack=timedelta(days=1))
