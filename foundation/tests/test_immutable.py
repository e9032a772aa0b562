"""Rows that are written once: what the model and its queries refuse, before anything reaches a database."""

from collections.abc import Callable
from typing import Any

import pytest

from foundation.immutable import Immutable, ImmutableModel, ImmutableQuerySet

pytestmark = pytest.mark.once  # no query is made


class Record(ImmutableModel):
    class Meta:
        app_label = "tests_of_foundation"
        managed = False


def stored() -> Record:
    record = Record(pk=1)
    record._state.adding = False
    return record


@pytest.mark.parametrize("change", [lambda record: record.save(), lambda record: record.delete()])
def test_row_when_it_is_stored_then_neither_changes_nor_goes(change: Callable[[Record], Any]) -> None:
    with pytest.raises(Immutable):
        change(stored())


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.update(pk=2),
        lambda rows: rows.delete(),
        lambda rows: rows.bulk_update([stored()], ["pk"]),
        lambda rows: rows.bulk_create([Record(pk=1)], update_conflicts=True),
    ],
)
def test_query_when_it_would_change_rows_then_is_refused(
    change: Callable[[ImmutableQuerySet[Record]], Any],
) -> None:
    with pytest.raises(Immutable):
        change(ImmutableQuerySet(Record))
