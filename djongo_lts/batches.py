"""Batches: how many rows one command of bulk_update() may change, so that it stays below the server's 16 MiB.

In: the fields and the instances, as Django passes them to `bulk_batch_size()`. Out: a number of rows, such as 12.
The update of a batch has a list of keys to find its rows, and for each field a list of keys and one of values.
"""

from collections.abc import Sequence
from itertools import accumulate
from operator import sub
from typing import Any

from django.db.models import Value

from .parts import ELEMENT_BYTES


def is_bulk_update(fields: Sequence[Any]) -> bool:
    """Whether Django asks for bulk_update(), which alone names the primary key twice."""
    return len(fields) > 2 and fields[0] is fields[1]


def rows_per_command(fields: Sequence[Any], objects: Sequence[Any], max_bytes: int) -> int:
    """The size of batches that have at most `max_bytes` each, wherever they begin; 1 if single rows have more."""
    pk, _, *changed = fields
    sizes = [
        (1 + len(changed)) * value_bytes(getattr(each, pk.attname))
        + sum(value_bytes(getattr(each, field.attname)) for field in changed)
        for each in objects
    ]
    ends = [0, *accumulate(sizes)]
    rows = len(objects)
    while rows > 1 and max(map(sub, ends[rows:], ends)) > max_bytes:
        rows //= 2
    return rows


def value_bytes(value: Any) -> int:
    """The most bytes that a value takes in a command."""
    if isinstance(value, Value):
        value = value.value
    size = ELEMENT_BYTES
    if isinstance(value, str):
        size += len(value) if value.isascii() else 4 * len(value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        size += len(value)
    elif isinstance(value, dict):
        size += sum(value_bytes(str(name)) + value_bytes(item) for name, item in value.items())
    elif isinstance(value, (list, tuple)):
        size += sum(map(value_bytes, value))
    return size
