"""Logic: combines MongoDB filters with AND, OR and NOT, and gives them SQL's third truth value.

A filter is a dict; {} matches everything, None nothing.

In SQL a comparison with NULL is neither true nor false but unknown, and so is its NOT: neither `note = 'x'` nor
`NOT note = 'x'` finds a row without a note. MongoDB knows true and false only, so its NOT would find that row.

A comparison is therefore translated to two filters (`Truth`): for the rows where it is true, and for those where it
is not false. Below an even number of NOTs the first is used. Below an odd number the second is used, so that
the NOT leaves the rows where it is false. AND and OR of such filters need no further care.

Example: `Truth({"note": "x"}, {"$or": [{"note": "x"}, {"note": None}]})`, for note = "x" on a nullable column.
"""

from typing import Any, NamedTuple

Filter = dict[str, Any] | None
# A filter for the server that matches no document.
NEVER: dict[str, Any] = {"_id": {"$in": []}}


class Truth(NamedTuple):
    """A comparison as two filters."""

    true: Filter
    not_false: Filter


def known(found: Filter) -> Truth:
    """A comparison that is true or false for every row."""
    return Truth(found, found)


def unknown_for_null(found: Filter, path: str) -> Truth:
    """A comparison with the nullable column at `path`."""
    return Truth(found, any_of([found, {path: None}]))


def all_of(parts: list[Filter]) -> Filter:
    """The AND of the parts. They are merged into one flat filter unless two conditions on a field conflict.

    For example `[{"seq": {"$gt": 1}}, {"seq": {"$lt": 9}}]` becomes `{"seq": {"$gt": 1, "$lt": 9}}`.
    """
    if any(part is None for part in parts):
        return None
    conditions = [part for part in parts if part]
    merged: dict[str, Any] = {}
    for part in conditions:
        for key, value in part.items():
            if key not in merged:
                merged[key] = value
            elif not key.startswith("$") and disjoint(merged[key], value):
                merged[key] = {**merged[key], **value}
            else:
                return {"$and": conditions}
    return merged


def disjoint(one: Any, other: Any) -> bool:
    """Whether two conditions on a field can share one operator document."""
    if not (isinstance(one, dict) and isinstance(other, dict)) or "$regex" in one or "$regex" in other:
        return False
    return not one.keys() & other.keys()


def any_of(parts: list[Filter]) -> Filter:
    """The OR of the parts."""
    if any(part == {} for part in parts):
        return {}
    parts = [part for part in parts if part is not None]
    return {"$or": parts} if len(parts) > 1 else parts[0] if parts else None


def none_of(part: Filter) -> Filter:
    """The NOT of the part."""
    return {} if part is None else {"$nor": [part]} if part else None
