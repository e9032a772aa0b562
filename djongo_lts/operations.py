"""Django's database operations: converts field values to BSON, which keeps times to the millisecond.

In: a value of a field, such as a date. Out: the value to store, here a datetime at midnight.
`rows.py` converts it back.
"""

import datetime
import json
from types import NoneType
from typing import Any

from bson.decimal128 import Decimal128, create_decimal128_context
from django.conf import settings
from django.db.backends.base.operations import BaseDatabaseOperations
from django.utils import timezone

from .batches import is_bulk_update, rows_per_command
from .errors import unsupported
from .field_types import internal_type
from .rows import CONVERTERS

DECIMAL128 = create_decimal128_context()


class DatabaseOperations(BaseDatabaseOperations):
    connection: Any
    compiler_module = "djongo_lts.compiler"

    def quote_name(self, name: str) -> str:
        return name if name.startswith('"') and name.endswith('"') else f'"{name}"'

    def conditional_expression_supported_in_where_clause(self, expression: Any) -> bool:
        return False

    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> str:
        return str(sql)

    def integer_field_range(self, internal_type: str) -> tuple[int, int]:
        # Every integer field holds 64 bits, as in SQLite.
        return (0 if internal_type.startswith("Positive") else -(2**63), 2**63 - 1)

    def bulk_batch_size(self, fields: Any, objs: Any) -> int:
        # The driver divides inserts, and `parts.py` the lists of deletes.
        if not is_bulk_update(fields):
            return len(objs)
        return rows_per_command(fields, objs, self.connection.max_list_bytes)

    def sql_flush(
        self, style: Any, tables: Any, *, reset_sequences: bool = False, allow_cascade: bool = False
    ) -> list[Any]:
        if not tables:
            return []

        def flush(collections: Any) -> None:
            for table in tables:
                collections[table].delete_many({})
            if reset_sequences:
                numbered = {"name": {"$in": list(tables)}, "auto": {"$exists": True}}
                collections["__schema__"].update_many(numbered, {"$set": {"auto.seq": 0}})

        return [flush]

    # --- to BSON

    def adapt_datefield_value(self, value: Any) -> Any:
        return value and datetime.datetime(value.year, value.month, value.day)

    def adapt_datetimefield_value(self, value: Any) -> Any:
        if value is not None and not settings.USE_TZ and timezone.is_aware(value):
            raise ValueError("djongo_lts does not accept aware datetimes while USE_TZ is False")
        return value

    def adapt_timefield_value(self, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.time.fromisoformat(value)
        if timezone.is_aware(value):
            raise ValueError("djongo_lts does not accept aware times of day")
        return datetime.datetime.combine(datetime.date(1900, 1, 1), value)

    def adapt_decimalfield_value(
        self, value: Any, max_digits: int | None = None, decimal_places: int | None = None
    ) -> Any:
        return None if value is None else Decimal128(DECIMAL128.create_decimal(value))

    def adapt_json_value(self, value: Any, encoder: Any) -> Any:
        if value is None:
            raise unsupported("a JSON null (None in a JSONField is stored as SQL's NULL)")
        if encoder is None and is_json_value(value):
            return value
        # Through JSON text, so that keys become strings, tuples become lists, and other types raise TypeError.
        return json.loads(json.dumps(value, cls=encoder))

    # --- from BSON

    def get_db_converters(self, expression: Any) -> list[Any]:
        converter = CONVERTERS.get(internal_type(expression))
        return [] if converter is None else [converter]


SCALARS = {str, int, float, bool, NoneType}


def is_json_value(value: Any) -> bool:
    """Whether the value is stored unchanged: str, int, float, bool, None, or lists and str-keyed dicts of these."""
    kind = type(value)
    if kind in SCALARS:
        return True
    if kind is dict:
        return set(map(type, value)) <= {str} and all(map(is_json_value, value.values()))
    return kind is list and all(map(is_json_value, value))
