"""The INSERT compiler: turns model instances into documents.

It prepares values column by column, because most of the CPU time of an insert goes into asking fields about values.
"""

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import attrgetter
from types import NoneType
from typing import Any

from bson.binary import UUID_SUBTYPE, Binary
from django.conf import settings
from django.db import models
from django.db.models import AutoField, JSONField, Value
from django.db.models.constants import OnConflict
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql import compiler as sql

from .errors import not_null_error, unsupported
from .field_types import target
from .operations import is_json_value
from .parts import Document
from .statement import MongoCompiler
from .write_commands import Insert


class SQLInsertCompiler(MongoCompiler, sql.SQLInsertCompiler):
    def execute_sql(self, returning_fields: Any = None) -> list[Any]:  # type: ignore[override]  # as in Django
        query, options = self.query, self.query.get_meta().concrete_model._meta
        if query.on_conflict not in (None, OnConflict.IGNORE):
            raise unsupported("bulk_create(update_conflicts=True)")
        auto_field = next((f for f in options.local_concrete_fields if isinstance(f, AutoField)), None)
        documents = self.documents(options, auto_field)
        if not documents:
            return []
        insert = Insert(
            options.db_table,
            documents,
            None if auto_field is None else auto_field.column,
            query.on_conflict is OnConflict.IGNORE,
        )
        with self.connection.cursor() as cursor:
            cursor.execute(insert)
        if not returning_fields:
            return []
        rows = [tuple([document[field.column] for field in returning_fields]) for document in documents]
        columns = [field.get_col(options.db_table) for field in returning_fields]
        return list(self.apply_converters(rows, self.get_converters(columns)))

    def documents(self, options: Any, auto_field: Any) -> list[Document]:
        """The documents, prepared column by column, so that the properties of a field are read once per insert."""
        columns = {
            field.column: self.values(field, as_is_type, pre_save, nullable or field is auto_field)
            for field, as_is_type, pre_save, nullable in self.field_plan(options)
        }
        for field in options.local_concrete_fields:
            columns.setdefault(field.column, [None] * len(self.query.objs))
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def field_plan(self, options: Any) -> list[tuple[Any, ...]]:
        """One tuple for each inserted field, cached on the model.

        It has the field, the type whose values are stored unchanged, whether saving can change the value, and
        whether the field is nullable.
        """
        fields, plan = options.__dict__.get("djongo_lts_plan", ([], []))
        if fields != self.query.fields:
            fields = list(self.query.fields)
            plan = [(field, type_stored_as_is(field), changes_on_save(field), field.null) for field in fields]
            options.djongo_lts_plan = fields, plan
        return plan

    def values(self, field: Any, as_is_type: type | None, pre_save: bool, nullable: bool) -> list[Any]:
        if pre_save and not self.query.raw:
            values = [field.pre_save(obj, add=True) for obj in self.query.objs]
        else:
            values = list(map(attrgetter(field.attname), self.query.objs))
        kinds = set(map(type, values))
        if not kinds <= {as_is_type, NoneType} and not all(map(self.accepts_as_is(field), values)):
            values = [self.prepared(field, value) for value in values]
            kinds = set(map(type, values))
        if NoneType in kinds and not nullable:
            raise not_null_error(field)
        if uuid.UUID in kinds and kinds <= UUIDS and not field.db_returning:
            return list(uuid_binaries(values))
        return values

    def accepts_as_is(self, field: Any) -> Callable[[Any], bool]:
        """Returns a function that tells whether the field would store a given value unchanged."""
        if type(field) is models.DateTimeField and settings.USE_TZ:
            return lambda value: value is None or (type(value) is datetime and value.tzinfo is not None)
        if type(field) is JSONField and field.encoder is None:
            return is_json_value
        return lambda value: False

    def prepared(self, field: Any, value: Any) -> Any:
        if value is None:
            return None
        if hasattr(value, "resolve_expression"):
            value = self.constant(field, value)
        return field.get_db_prep_save(value, self.connection)

    def constant(self, field: Any, value: Any) -> Any:
        if isinstance(value, DatabaseDefault):
            (value,) = value.get_source_expressions()
        if not isinstance(value, Value):
            raise unsupported("an expression in an insert")
        if isinstance(field, JSONField):
            # The field itself recognises Value(None) as a JSON null, which is then not supported.
            return value
        return value.value


UUIDS = {uuid.UUID, NoneType}


def uuid_binaries(values: list[Any]) -> Iterator[Binary | None]:
    """UUIDs as bson Binary, which the driver encodes ten times as fast. Equal neighbours share one object."""
    last = made = None
    for value in values:
        if value is not last:
            last, made = value, value if value is None else Binary(value.bytes, UUID_SUBTYPE)
        yield made


# For each field class, the type whose values are stored unchanged, so the field need not prepare each of them.
STORED_AS_IS: dict[type, type] = {
    models.BooleanField: bool,
    models.CharField: str,
    models.EmailField: str,
    models.FloatField: float,
    models.SlugField: str,
    models.TextField: str,
    models.URLField: str,
    models.UUIDField: uuid.UUID,
    **dict.fromkeys(
        (
            models.AutoField,
            models.BigAutoField,
            models.BigIntegerField,
            models.IntegerField,
            models.PositiveBigIntegerField,
            models.PositiveIntegerField,
            models.PositiveSmallIntegerField,
            models.SmallIntegerField,
        ),
        int,
    ),
}


def changes_on_save(field: Any) -> bool:
    """Whether pre_save() can change the value: auto_now fields, file fields, and custom fields that override it."""
    if type(field) in (models.DateField, models.DateTimeField, models.TimeField):
        return field.auto_now or field.auto_now_add
    return type(field).pre_save is not models.Field.pre_save


def type_stored_as_is(field: Any) -> type | None:
    own = type(field) in (models.ForeignKey, models.OneToOneField)
    return STORED_AS_IS.get(type(target(field) if own else field))
