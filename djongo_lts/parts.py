"""Cuts a filter whose IN lists do not fit into one command.

In: a filter, and the size that its IN lists may have. Out: filters that together match the same documents, each
document once. `parted_reads.py` joins what they find.

A part is a range of the column that has the longest list. `{"seq": {"$in": [1, 2, 3, 4]}}` becomes
`{"seq": {"$in": [1, 2]}}` for the rows from 1 to 3, `{"seq": {"$in": [3, 4]}}` for those from 3 on, and for those
below 1 a filter with an empty list. Every row is in one range only, so this holds below AND, OR and NOT.
"""

import datetime
from bisect import bisect_left
from collections import defaultdict
from decimal import Decimal
from itertools import chain, pairwise
from typing import Any

from bson.decimal128 import Decimal128

from .errors import unsupported

Document = dict[str, Any]
Key = tuple[Any, ...]
LOGICAL = ("$and", "$or", "$nor")
# An upper bound for an element of a BSON array: a key of up to nine characters and a UUID, a number or a date.
ELEMENT_BYTES = 32


def list_bytes(values: list[Any]) -> int:
    """The most bytes that the values take in a command, as an IN list."""
    size = ELEMENT_BYTES * len(values)
    if values and isinstance(values[0], (str, bytes)):
        size += 4 * sum(map(len, values))
    return size


def cut_filter(where: Document, max_bytes: int) -> list[Document]:
    """Filters that together match what `where` matches, each with IN lists of at most `max_bytes`."""
    lists: dict[str, list[list[Any]]] = defaultdict(list)
    collect_lists(where, lists)
    sizes = {path: sum(map(list_bytes, found)) for path, found in lists.items()}
    if sum(sizes.values()) <= max_bytes:
        return [where]
    path = max(sizes, key=sizes.__getitem__)
    by_key = {order_key(value): value for value in chain.from_iterable(lists[path])}
    keys = sorted(by_key)
    if len(keys) == 1:
        return [where]
    # Half of the bound, so that the lists of another column fit beside it.
    step = max(1, len(keys) * max_bytes // (2 * sizes[path]))
    sorted_lists = {id(values): sorted_by_key(values) for values in lists[path]}
    first: Document = {"$nor": [{path: {"$gte": by_key[keys[0]]}}]}
    parts: list[tuple[Document, dict[int, list[Any]]]] = [(first, {id(values): [] for values in lists[path]})]
    for start, end in pairwise([*range(0, len(keys), step), None]):
        bounds = {"$gte": by_key[keys[start]]} | ({} if end is None else {"$lt": by_key[keys[end]]})
        high = None if end is None else keys[end]
        parts.append(
            ({path: bounds}, {i: between(found, keys[start], high) for i, found in sorted_lists.items()})
        )
    cut = [{"$and": [condition, with_lists(where, kept)]} for condition, kept in parts]
    return [smaller for part in cut if not never_matches(part) for smaller in cut_filter(part, max_bytes)]


def collect_lists(where: Document, lists: dict[str, list[list[Any]]]) -> None:
    for key, condition in where.items():
        if key in LOGICAL:
            for part in condition:
                collect_lists(part, lists)
        elif type(condition) is dict and "$in" in condition:
            lists[key].append(condition["$in"])


def with_lists(where: Document, lists: dict[int, list[Any]]) -> Document:
    """The filter with other IN lists: `lists` has the new one for the id() of the old."""
    replaced: Document = {}
    for key, condition in where.items():
        if key in LOGICAL:
            replaced[key] = [with_lists(part, lists) for part in condition]
        elif type(condition) is dict and id(condition.get("$in")) in lists:
            replaced[key] = {**condition, "$in": lists[id(condition["$in"])]}
        else:
            replaced[key] = condition
    return replaced


def never_matches(where: Document) -> bool:
    """Whether an empty list among the conjuncts shows that no document matches. False says nothing."""
    return any(
        any(map(never_matches, condition))
        if key == "$and"
        else type(condition) is dict and condition.get("$in") == []
        for key, condition in where.items()
    )


def sorted_by_key(values: list[Any]) -> tuple[list[Key], list[Any]]:
    pairs = sorted(((order_key(value), value) for value in values), key=lambda pair: pair[0])
    return [key for key, _ in pairs], [value for _, value in pairs]


def between(found: tuple[list[Key], list[Any]], low: Key, high: Key | None) -> list[Any]:
    keys, values = found
    return values[bisect_left(keys, low) : len(keys) if high is None else bisect_left(keys, high)]


def order_key(value: Any) -> Key:
    """A key that puts the values of one column into MongoDB's order: null, NaN, then all others."""
    if value is None:
        return (0,)
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, (float, Decimal)) and value != value:
        return (1,)
    if isinstance(value, datetime.datetime):
        # BSON keeps milliseconds: two values that differ by less are one for the server.
        value = value.replace(microsecond=value.microsecond // 1000 * 1000)
    elif isinstance(value, bytes):
        value = (len(value), value)
    elif isinstance(value, (dict, list)):
        raise unsupported("an order or groups by a JSON field beside an IN list too large for one command")
    return (2, value)
