"""Rules of foreign keys. MongoDB has none, and a crash may leave a row without the other."""

import time
from collections.abc import Iterator
from typing import Any

from django.db import models

from accounts.models import Session
from rooms.models import Membership

from .rules import Options, Violation, rule

REFERENCE = rule("reference", "Every foreign key names a row that exists.")
LOOSE_ROW = rule(
    "loose_row",
    "Memberships, sessions and links between two tables belong to rows that exist.",
    repair="Removes the row, which nobody sees.",
)
LOOSE_COLUMN = rule(
    "loose_column",
    "A foreign key that may outlive its target, such as who created a room, names a row that exists or nothing.",
    repair="Clears the column, as the removal of its target does.",
)

Row = tuple[Any, ...]


def foreign_keys(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]


def missing(target: type[models.Model], ids: set[Any]) -> set[Any]:
    """Those of the ids that no row has. One query."""
    if not ids:
        return ids
    return ids - set(target._base_manager.filter(pk__in=ids).order_by().values_list("pk", flat=True))


def check_references(
    model: type[models.Model], page: list[Row], places: dict[str, int], options: Options
) -> Iterator[Violation]:
    """Check the foreign keys of rows that begin with the primary key. `places` has the place of each column."""
    for key in foreign_keys(model):
        broken = _broken(key, [(row[0], row[places[key.attname]]) for row in page])
        if broken:
            # The rows may be on their way out, or be deleted by now.
            time.sleep(options.lag_seconds)
            rows = model._base_manager.filter(pk__in=[pk for pk, _ in broken]).order_by("pk")
            broken = _broken(key, list(rows.values_list("pk", key.attname)))
        for pk, value in broken:
            yield _report(model, key, pk, value, repair=options.repair)


def _broken(key: Any, pairs: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    absent = missing(key.remote_field.model, {value for _, value in pairs if value is not None})
    return [(pk, value) for pk, value in pairs if value in absent]


def _report(model: type[models.Model], key: Any, pk: Any, value: Any, *, repair: bool) -> Violation:
    target = key.remote_field.model._meta.model_name
    description = f"{model._meta.model_name} {pk}: {key.attname} names no {target}: {value}"
    row = model._base_manager.filter(pk=pk, **{key.attname: value})
    if model in (Membership, Session) or model._meta.auto_created:
        if repair:
            row.delete()
        return LOOSE_ROW.broken(description, repaired=repair)
    if key.remote_field.on_delete is models.SET_NULL:
        if repair:
            row.update(**{key.attname: None})
        return LOOSE_COLUMN.broken(description, repaired=repair)
    return REFERENCE.broken(description)
