"""Converts field values to BSON and back. BSON keeps times to the millisecond and cuts off the rest."""

import datetime
import json
from decimal import Decimal
from types import NoneType

from bson import Int64
from bson.decimal128 import Decimal128, create_decimal128_context
from django.conf import settings
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.expressions import Col
from django.utils import timezone

from .errors import unsupported
from .scope import internal_type

DECIMAL128 = create_decimal128_context()
NUMBERS = {
    "AutoField", "BigAutoField", "BigIntegerField", "DecimalField", "FloatField", "IntegerField",
    "PositiveBigIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField", "SmallAutoField",
    "SmallIntegerField",
}  # fmt: skip
INTEGERS = NUMBERS - {"FloatField", "DecimalField"}


class DatabaseOperations(BaseDatabaseOperations):
    compiler_module = "djongo_lts.compiler"

    def quote_name(self, name):
        return name if name.startswith('"') and name.endswith('"') else f'"{name}"'

    def conditional_expression_supported_in_where_clause(self, expression):
        return False

    def last_executed_query(self, cursor, sql, params):
        return str(sql)

    def integer_field_range(self, internal_type):
        # Every integer field holds 64 bits, as in SQLite.
        return (0 if internal_type.startswith("Positive") else -(2**63), 2**63 - 1)

    def sql_flush(self, style, tables, *, reset_sequences=False, allow_cascade=False):
        if not tables:
            return []

        def flush(collections):
            for table in tables:
                collections[table].delete_many({})
            if reset_sequences:
                numbered = {"name": {"$in": list(tables)}, "auto": {"$exists": True}}
                collections["__schema__"].update_many(numbered, {"$set": {"auto.seq": 0}})

        return [flush]

    # --- to BSON

    def adapt_datefield_value(self, value):
        return value and datetime.datetime(value.year, value.month, value.day)

    def adapt_datetimefield_value(self, value):
        if value is not None and not settings.USE_TZ and timezone.is_aware(value):
            raise ValueError("djongo_lts does not accept aware datetimes while USE_TZ is False")
        return value

    def adapt_timefield_value(self, value):
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.time.fromisoformat(value)
        if timezone.is_aware(value):
            raise ValueError("djongo_lts does not accept aware times of day")
        return datetime.datetime.combine(datetime.date(1900, 1, 1), value)

    def adapt_decimalfield_value(self, value, max_digits=None, decimal_places=None):
        return None if value is None else Decimal128(DECIMAL128.create_decimal(value))

    def adapt_json_value(self, value, encoder):
        if value is None:
            raise unsupported("a JSON null (None in a JSONField is stored as SQL's NULL)")
        if encoder is None and is_json_value(value):
            return value
        # Through JSON text, so that keys become strings, tuples become lists, and other types raise TypeError.
        return json.loads(json.dumps(value, cls=encoder))

    # --- from BSON

    def get_db_converters(self, expression):
        converter = CONVERTERS.get(internal_type(expression))
        return [] if converter is None else [converter]


def to_date(value, expression, connection):
    return value.date() if isinstance(value, datetime.datetime) else value


def to_time(value, expression, connection):
    return value.time() if isinstance(value, datetime.datetime) else value


def to_decimal(value, expression, connection):
    if value is None:
        return None
    value = value.to_decimal() if isinstance(value, Decimal128) else Decimal(str(value))
    if isinstance(expression, Col):
        value = value.quantize(Decimal(1).scaleb(-expression.output_field.decimal_places))
    return value


def to_integer(value, expression, connection):
    return int(value) if type(value) is Int64 else value


def to_json(value, expression, connection):
    return without_int64(value)


# A type decoder in the codec could replace `without_int64`, but costs each command a sixth of its client CPU.
CONVERTERS = {
    "DateField": to_date,
    "TimeField": to_time,
    "DecimalField": to_decimal,
    "JSONField": to_json,
    **dict.fromkeys(INTEGERS, to_integer),
}
# The types a converter changes. It returns values of all other types unchanged.
CONVERTED_TYPES = {
    to_date: {datetime.datetime},
    to_time: {datetime.datetime},
    to_decimal: {Decimal128, Int64, float, int},
    to_integer: {Int64},
    to_json: {Int64, dict, list},
}


def without_int64(value):
    """The value with each bson Int64 replaced by an int, because strict encoders such as msgspec reject Int64."""
    kind = type(value)
    if kind is Int64:
        return int(value)
    if kind is dict:
        return {name: without_int64(item) for name, item in value.items()}
    return list(map(without_int64, value)) if kind is list else value


SCALARS = {str, int, float, bool, NoneType}


def is_json_value(value) -> bool:
    """Whether the value is stored unchanged: str, int, float, bool, None, or lists and str-keyed dicts of these."""
    kind = type(value)
    if kind in SCALARS:
        return True
    if kind is dict:
        return set(map(type, value)) <= {str} and all(map(is_json_value, value.values()))
    return kind is list and all(map(is_json_value, value))
