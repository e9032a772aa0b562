"""Joins the counts and the groups that the parts of a read give.

In: pipelines, and the $group or $count that follows them. Out: the documents of that stage over all parts, for
example `{"_id": {"k0": "a"}, "a0": 5}` from `{"_id": {"k0": "a"}, "a0": 2}` and `{"_id": {"k0": "a"}, "a0": 3}`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bson.decimal128 import Decimal128, create_decimal128_context
from pymongo.collection import Collection

from .parts import Document, Key, order_key

DECIMAL128 = create_decimal128_context()


def counted(collection: Collection, parts: list[list[Document]], name: str) -> list[Document]:
    total = sum(found[name] for part in parts for found in collection.aggregate([*part, {"$count": name}]))
    return [{name: total}] if total else []


def grouped(collection: Collection, parts: list[list[Document]], group: Document) -> list[Document]:
    """The groups of all parts, those with the same key joined. An average is asked for as a sum and a number."""
    averages = {f"{name}#": rule["$avg"] for name, rule in group.items() if name != "_id" and "$avg" in rule}
    asked = dict(group)
    for name, value in averages.items():
        asked[name[:-1]] = {"$sum": value}
        asked[name] = {"$sum": {"$cond": [{"$gt": [value, None]}, 1, 0]}}
    joined: dict[Key, Document] = {}
    for part in parts:
        for found in collection.aggregate([*part, {"$group": asked}]):
            known = joined.setdefault(tuple(map(order_key, (found["_id"] or {}).values())), found)
            if known is not found:
                add_to_group(known, found, asked)
    for found in joined.values():
        for name in averages:
            number = found.pop(name)
            found[name[:-1]] = divided(found[name[:-1]], number) if number else None
    return list(joined.values())


def add_to_group(known: Document, found: Document, group: Document) -> None:
    for name, rule in group.items():
        if name != "_id":
            (operator,) = rule
            known[name] = JOINS[operator](known[name], found[name])


def added(one: Any, other: Any) -> Any:
    if isinstance(one, Decimal128) or isinstance(other, Decimal128):
        return Decimal128(DECIMAL128.add(as_decimal(one), as_decimal(other)))
    return one + other


def divided(total: Any, number: int) -> Any:
    if isinstance(total, Decimal128):
        return Decimal128(DECIMAL128.divide(as_decimal(total), Decimal(number)))
    return total / number


def as_decimal(value: Any) -> Decimal:
    return value.to_decimal() if isinstance(value, Decimal128) else Decimal(value)


def unless_null(choose: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """min or max of two values in MongoDB's order. Like the server, it gives a null only if both are null."""

    def chosen(one: Any, other: Any) -> Any:
        if one is None or other is None:
            return other if one is None else one
        return choose(one, other, key=order_key)

    return chosen


# The operators of `accumulators.py`, with the function that joins the values of two parts.
JOINS: dict[str, Callable[[Any, Any], Any]] = {
    "$sum": added,
    "$max": unless_null(max),
    "$min": unless_null(min),
    "$addToSet": lambda one, other: list({order_key(value): value for value in [*one, *other]}.values()),
}
