"""Reads and rewrites index documents, in the form in which pymongo's index_information() returns them.

For example `{"key": [("room_id", 1)], "unique": True, "partialFilterExpression": {"pinned": True}}`. In the key of
a text index, MongoDB puts `_fts` and `_ftsx` in place of the text columns, and lists these in `weights`.
"""

from collections.abc import Callable
from typing import Any

from .errors import unsupported

# The parts of an index document that are not options of create_index().
NOT_OPTIONS = {"key", "ns", "v"}


def index_columns(index: dict) -> set[str]:
    """All columns that an index depends on: in its key, as text, and in its partial filter."""
    return {column for column, _ in create_keys(index)} | filter_columns(index)


def filter_columns(index: dict) -> set[str]:
    """The columns that the partial filter of an index names."""
    found: set[str] = set()

    def visit(column: str, value: Any) -> tuple[str, Any]:
        found.add(column)
        return column, value

    map_filter(index.get("partialFilterExpression", {}), visit)
    return found


def renamed_index(index: dict, old: str, new: str) -> tuple[list[tuple], dict]:
    """The keys and options to create an index again after the column `old` was renamed to `new`."""
    keys = [(new if column == old else column, order) for column, order in create_keys(index)]
    options = filtered_options(index, lambda column, value: (new if column == old else column, value))
    if "weights" in options:
        options["weights"] = {new if c == old else c: weight for c, weight in options["weights"].items()}
    return keys, options


def retyped_index(name: str, index: dict, column: str, old: dict, new: dict) -> tuple[list[tuple], dict]:
    """The keys and options to create an index again with the condition `new` in place of `old` on the column.

    For example `{"$gte": ""}` in place of `{"$gte": -inf}`. Raises NotSupportedError for another condition on it.
    """

    def change(filtered: str, condition: Any) -> tuple[str, Any]:
        if filtered == column and condition != old:
            raise unsupported(f"another type for {column}, which is in the condition of the index {name}")
        return filtered, new if filtered == column else condition

    return create_keys(index), filtered_options(index, change)


def create_keys(index: dict) -> list[tuple]:
    """The keys that create_index() takes. For a text index they name its columns: `[("content", "text")]`."""
    keys = []
    for column, order in index["key"]:
        if column == "_fts":
            keys += [(text_column, "text") for text_column in index["weights"]]
        elif column != "_ftsx":
            keys.append((column, order))
    return keys


def filtered_options(index: dict, change: Callable) -> dict:
    """The options that create_index() takes, with `change` applied to the partial filter as in map_filter()."""
    options = {name: value for name, value in index.items() if name not in NOT_OPTIONS}
    if "partialFilterExpression" in options:
        options["partialFilterExpression"] = map_filter(options["partialFilterExpression"], change)
    return options


def map_filter(where: dict, change: Callable) -> dict:
    """The filter with each column and its condition replaced by change(column, condition), also within $and."""
    result = {}
    for name, value in where.items():
        if name.startswith("$"):
            result[name] = [map_filter(part, change) for part in value]
        else:
            column, condition = change(name, value)
            result[column] = condition
    return result
