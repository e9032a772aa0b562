"""INSERT: model instances as documents.
Knows fields and their values; must not know queries.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import AutoField, JSONField, Value
from django.db.models.constants import OnConflict
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql import compiler as sql
from django.utils.functional import cached_property

from .commands import Insert
from .errors import refused
from .scope import target
from .statement import MongoCompiler, null_in


class SQLInsertCompiler(MongoCompiler, sql.SQLInsertCompiler):
    def execute_sql(self, returning_fields=None):
        query, options = self.query, self.query.get_meta().concrete_model._meta
        if query.on_conflict not in (None, OnConflict.IGNORE):
            raise refused("bulk_create(update_conflicts=True)")
        number = next((f for f in options.local_concrete_fields if isinstance(f, AutoField)), None)
        documents = [self.document(obj, options, number) for obj in query.objs]
        if not documents:
            return []
        insert = Insert(
            options.db_table, documents, number and number.column, query.on_conflict is OnConflict.IGNORE
        )
        with self.connection.cursor() as cursor:
            cursor.execute(insert)
        if not returning_fields:
            return []
        rows = [tuple([document[field.column] for field in returning_fields]) for document in documents]
        columns = [field.get_col(options.db_table) for field in returning_fields]
        return list(self.apply_converters(rows, self.get_converters(columns)))

    def document(self, obj, options, number) -> dict:
        document, raw = {}, self.query.raw
        for field, column, attname, nullable, plain in self.plan:
            value = getattr(obj, attname) if raw or plain else field.pre_save(obj, add=True)
            if value is not None and type(value) is not plain:
                value = self.stored(field, value)
            if value is None and not nullable and field is not number:
                raise null_in(field)
            document[column] = value
        if len(document) < len(options.local_concrete_fields):
            for field in options.local_concrete_fields:
                document.setdefault(field.column, None)
        return document

    @cached_property
    def plan(self) -> list[tuple]:
        return [(f, f.column, f.attname, f.null, plain_type(f)) for f in self.query.fields]

    def stored(self, field, value):
        if type(field) is models.DateTimeField and getattr(value, "tzinfo", None) and settings.USE_TZ:
            return value
        if hasattr(value, "resolve_expression"):
            value = self.constant(field, value)
        return field.get_db_prep_save(value, self.connection)

    def constant(self, field, value):
        if isinstance(value, DatabaseDefault):
            value = value.expression
        if not isinstance(value, Value):
            raise refused("an expression in an insert")
        if isinstance(field, JSONField):
            return value  # which takes Value(None) for a JSON null, and refuses it
        return value.value


# Values of just this type are stored as they are: no need to ask the field about each.
PLAIN = {
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


def plain_type(field) -> type | None:
    own = type(field) in (models.ForeignKey, models.OneToOneField)
    return PLAIN.get(type(target(field) if own else field))
