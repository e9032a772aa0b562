"""Rules of single values: what the models declare, and times. Not every database enforces what a model says."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Field

from accounts.keys import CLOCK_SKEW
from foundation import times

from .rules import Violation, rule

COLUMN_VALUE = rule(
    "column_value",
    "Every value is one that its model allows: not null, of the choices, not too long, accepted by the validators; "
    "`meta` is a JSON object.",
)
FUTURE_TIME = rule(
    "future_time", "Nothing has happened in the future, by more than the clocks of two machines may differ."
)
TIMES_REVERSED = rule("times_reversed", "Nothing happens to a row before it was created.")

HAPPENED = {"at", "last_used", "last_seen", "last_login", "action_time"}


class Values:
    """Checks the values of some columns of a model. The rows are tuples in the order of the fields."""

    def __init__(self, model: type[models.Model], fields: Iterable[Field]) -> None:
        self._name = model._meta.model_name
        self._fields = list(fields)
        names = [field.attname for field in self._fields]
        self._pk = next(place for place, field in enumerate(self._fields) if field.primary_key)
        self._created = names.index("created_at") if "created_at" in names else None
        self._times = [
            (place, names[place], _has_happened(names[place]))
            for place, field in enumerate(self._fields)
            if isinstance(field, models.DateTimeField)
        ]

    def check(self, row: tuple[Any, ...], now: datetime) -> Iterator[Violation]:
        """`now` is the time at which the row was read, or later."""
        for field, value in zip(self._fields, row, strict=True):
            if problem := column_problem(field, value):
                yield COLUMN_VALUE.broken(f"{self._name} {row[self._pk]}: {field.attname} {problem}")
        created = None if self._created is None else row[self._created]
        for place, name, has_happened in self._times:
            if (at := row[place]) is None:
                continue
            if has_happened and at > now + CLOCK_SKEW:
                yield FUTURE_TIME.broken(f"{self._name} {row[self._pk]}: {name} is {times.to_wire(at)}")
            follows = has_happened or name.startswith("expire")
            if created is not None and follows and at < created - CLOCK_SKEW:
                yield TIMES_REVERSED.broken(
                    f"{self._name} {row[self._pk]}: {name} is {times.to_wire(at)}, before {times.to_wire(created)}"
                )


def _has_happened(name: str) -> bool:
    return name in HAPPENED or (name.endswith("_at") and not name.startswith("expire"))


def column_problem(field: Field, value: Any) -> str | None:
    """For example "is 'boss', which is none of the choices". Names no text of users."""
    if value is None:
        return None if field.null else "is null"
    if isinstance(field, models.JSONField) and field.default is dict and not isinstance(value, dict):
        return "is no JSON object"
    if isinstance(field, models.CharField):
        if field.max_length is not None and len(value) > field.max_length:
            return f"has {len(value)} characters, and not at most {field.max_length}"
        if not value and not field.blank and not field.has_default():
            return "is empty"
    if (
        field.choices
        and value not in {key for key, _ in field.flatchoices}
        and not (field.blank and not value)
    ):
        return f"is {str(value)[:40]!r}, which is none of the choices"
    return _refusal(field, value)


def _refusal(field: Field, value: Any) -> str | None:
    if value in field.empty_values:
        return None
    for validator in field.validators:
        try:
            validator(value)
        except ValidationError as error:
            return f"is refused: {' '.join(error.messages)}"
    return None
