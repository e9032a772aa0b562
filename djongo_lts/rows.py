"""Rows: converts the values that the driver gives to those that fields expect.

In: rows of BSON values, such as `(Int64(1), datetime(2026, 1, 2))`, and for some columns the converters that Django
found: this engine's (`CONVERTERS`) and those of the fields. Out: rows of Python values, `(1, date(2026, 1, 2))`.
"""

import datetime
import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from bson import Int64
from bson.decimal128 import Decimal128
from django.db.models import JSONField
from django.db.models.expressions import Col
from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE

from .cursor import Row
from .field_types import INTEGERS

# column -> the functions that convert its values one after another, and the expression of the column
Converters = dict[int, tuple[list[Callable[..., Any]], Any]]


def converted(rows: Iterable[Row], converters: Converters, connection: Any) -> Iterator[Row]:
    """Converts rows column by column. An engine converter runs only if a batch has a value that it changes."""
    rows = iter(rows)
    while batch := list(islice(rows, GET_ITERATOR_CHUNK_SIZE)):
        if len(batch) == 1:
            yield converted_row(batch[0], converters, connection)
            continue
        types = set(map(type, chain.from_iterable(batch)))
        columns: list[Any] = list(zip(*batch, strict=True))
        for position, (functions, node) in converters.items():
            for function in functions:
                if not CONVERTED_TYPES.get(function, types).isdisjoint(types):
                    columns[position] = [function(value, node, connection) for value in columns[position]]
        yield from zip(*columns, strict=True)


def converted_row(row: Row, converters: Converters, connection: Any) -> Row:
    """As for many rows: most queries for one row are a get(), for which sets and columns would cost more."""
    values = list(row)
    for position, (functions, node) in converters.items():
        for function in functions:
            changed = CONVERTED_TYPES.get(function)
            if changed is None or type(values[position]) in changed:
                values[position] = function(values[position], node, connection)
    return tuple(values)


def without_json_parsing(converters: Converters) -> Converters:
    """Leaves out Django's parser of JSON texts: JSON is stored as a document. A field's own decoder gets a text."""
    for position, (functions, node) in list(converters.items()):
        field = node.output_field
        if not isinstance(field, JSONField):
            continue
        if field.decoder is not None:
            converters[position] = [to_json_text, *functions], node
        elif type(field).from_db_value is JSONField.from_db_value:
            others = [f for f in functions if getattr(f, "__func__", f) is not JSONField.from_db_value]
            converters[position] = others, node
    return converters


def to_json_text(value: Any, expression: Any, connection: Any) -> Any:
    return value if value is None else json.dumps(value)


def without_int64(value: Any) -> Any:
    """The value with each bson Int64 replaced by an int, because strict encoders such as msgspec reject Int64."""
    kind = type(value)
    if kind is Int64:
        return int(value)
    if kind is dict:
        return {name: without_int64(item) for name, item in value.items()}
    return list(map(without_int64, value)) if kind is list else value


def to_date(value: Any, expression: Any, connection: Any) -> Any:
    return value.date() if isinstance(value, datetime.datetime) else value


def to_time(value: Any, expression: Any, connection: Any) -> Any:
    return value.time() if isinstance(value, datetime.datetime) else value


def to_decimal(value: Any, expression: Any, connection: Any) -> Any:
    if value is None:
        return None
    value = value.to_decimal() if isinstance(value, Decimal128) else Decimal(str(value))
    if isinstance(expression, Col):
        field: Any = expression.output_field
        value = value.quantize(Decimal(1).scaleb(-field.decimal_places))
    return value


def to_integer(value: Any, expression: Any, connection: Any) -> Any:
    return int(value) if type(value) is Int64 else value


def to_json(value: Any, expression: Any, connection: Any) -> Any:
    return without_int64(value)


# A type decoder in the codec could replace `without_int64`, but costs each command a sixth of its client CPU.
CONVERTERS: dict[str, Callable[..., Any]] = {
    "DateField": to_date,
    "TimeField": to_time,
    "DecimalField": to_decimal,
    "JSONField": to_json,
    **dict.fromkeys(INTEGERS, to_integer),
}
# The types a converter changes. It returns values of all other types unchanged.
CONVERTED_TYPES: dict[Callable[..., Any], set[type]] = {
    to_date: {datetime.datetime},
    to_time: {datetime.datetime},
    to_decimal: {Decimal128, Int64, float, int},
    to_integer: {Int64},
    to_json: {Int64, dict, list},
}
