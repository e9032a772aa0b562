"""Rules of unique columns. A database refuses duplicates only as long as it has the index."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.db.models import Count, Q, UniqueConstraint

from .rules import Violation, rule

UNIQUE_INDEX = rule("unique_index", "The database has an index for everything that is unique.")
DUPLICATE = rule("duplicate", "No two rows have the same values where these are unique.")

SHOWN = 10


def check_unique() -> Iterator[Violation]:
    """Where an index is missing, count the rows with the same values; one query for each such index."""
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.managed or model._meta.proxy:
            continue
        indexed = _unique_columns(model._meta.db_table)
        for names, condition in _declared(model):
            columns = frozenset(model._meta.get_field(name).column for name in names)  # type: ignore[union-attr]
            if columns not in indexed:
                text = f"{model._meta.db_table} ({', '.join(names)})"
                yield UNIQUE_INDEX.broken(f"{text}: has no unique index")
                yield from _duplicates(model, names, condition, text)


def _declared(model: type[models.Model]) -> Iterator[tuple[list[str], Q]]:
    for field in model._meta.concrete_fields:
        if field.unique and not field.primary_key:
            yield [field.name], Q()
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.fields:
            yield list(constraint.fields), constraint.condition or Q()
    for together in model._meta.unique_together:
        yield list(together), Q()


def _unique_columns(table: str) -> set[frozenset[str]]:
    with connection.cursor() as cursor:
        found: Mapping[str, Any] = connection.introspection.get_constraints(cursor, table)
    return {frozenset(index["columns"]) for index in found.values() if index["unique"]}


def _duplicates(model: type[models.Model], names: list[str], condition: Q, text: str) -> Iterator[Violation]:
    rows = model._base_manager.filter(condition).order_by().values(*names)
    for name in names:
        # Null is equal to nothing.
        rows = rows.filter(**{f"{name}__isnull": False})
    for same in rows.annotate(number=Count("pk")).filter(number__gt=1)[:SHOWN]:
        yield DUPLICATE.broken(f"{text}: {same.pop('number')} rows have {same}")
