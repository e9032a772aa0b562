"""Introspection: tables and columns from djongo's `__schema__` collection, primary keys from MongoDB's indexes."""

from typing import Any

from django.db import DatabaseError
from django.db.backends.base.introspection import FieldInfo
from djongo.introspection import DatabaseIntrospection as DjongoIntrospection


class DatabaseIntrospection(DjongoIntrospection):
    def get_table_list(self, cursor: Any) -> list[Any]:
        return [t for t in super().get_table_list(cursor) if not t.name.startswith("system.")]

    def get_table_description(self, cursor: Any, table_name: str) -> list[Any]:
        schema = cursor.db_conn["__schema__"].find_one({"name": table_name})
        if schema is None:
            raise DatabaseError(f"no such collection: {table_name}")
        unknown: dict[str, Any] = dict.fromkeys(FieldInfo._fields)
        return [
            FieldInfo(**{**unknown, "name": name, "type_code": properties["type_code"]})
            for name, properties in schema["fields"].items()
        ]

    def get_primary_key_columns(self, cursor: Any, table_name: str) -> list[Any]:
        info = cursor.db_conn[table_name].index_information().get("__primary_key__")
        return [info["key"][0][0] if info else "_id"]
