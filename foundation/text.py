"""Checks of text and free JSON from clients: all of Unicode is allowed, except control characters.

Each check returns the problem as a sentence, or None. REST fields and services add the name of the field.
"""

import re
from typing import Any

import msgspec

# C0 except tab, newline and carriage return; DEL; C1. Not every database stores NUL, and the others can forge what
# a terminal shows.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
SURROGATE = re.compile("[\ud800-\udfff]")
# JavaScript rounds larger integers, and BSON refuses those of more than 64 bits.
MAX_SAFE_INTEGER = 2**53 - 1
MAX_META_DEPTH = 20


def text_problem(text: str) -> str | None:
    if CONTROL.search(text):
        return "Control characters are not allowed."
    if SURROGATE.search(text):
        return "Lone surrogates are not allowed."
    return None


def meta_problem(meta: dict[str, Any], *, max_bytes: int) -> str | None:
    """The problem of a free JSON object: its size, its depth, its numbers, or the text in it."""
    if problem := _value_problem(meta, MAX_META_DEPTH):
        return problem
    if len(msgspec.json.encode(meta)) > max_bytes:
        return f"Larger than {max_bytes} bytes as JSON."
    return None


def _value_problem(value: Any, depth: int) -> str | None:
    if depth == 0:
        return f"Nested deeper than {MAX_META_DEPTH} levels."
    if isinstance(value, str):
        return text_problem(value)
    if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        return "Integers beyond 2^53 lose digits in JavaScript; send them as text."
    children: list[Any] = []
    if isinstance(value, dict):
        children = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        children = value
    return next((problem for child in children if (problem := _value_problem(child, depth - 1))), None)
