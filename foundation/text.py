"""Checks of text and free JSON from clients: all of Unicode is allowed, except control characters.

Each check returns the problem as a sentence, or None. REST fields and services add the name of the field.
"""

import re
import unicodedata
from typing import Any

import msgspec

# C0 except tab, newline and carriage return; DEL; C1. Not every database stores NUL, and the others can forge what
# a terminal shows.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
SURROGATE = re.compile("[\ud800-\udfff]")
LINE_BREAK = re.compile("[\t\n\r\u2028\u2029]")
# Embeddings, overrides and isolates: in a name they would turn around the text that the name is shown in. The marks
# U+061C, U+200E and U+200F, which names in Arabic and Hebrew need, do not reach beyond their own place.
BIDI_CONTROL = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Letters and symbols by their category, but blank: the fillers of Hangul and Braille, and a musical notehead.
FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0\U0001d159")
# Controls, formats, surrogates, separators, and marks, which need another character to stand on.
BLANK_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Mc", "Me"))
# Unassigned, and ignored where they are shown (Unicode's Default_Ignorable_Code_Point, and noncharacters). Other
# unassigned characters may be the emoji of a later Unicode.
IGNORED = re.compile(
    "[\u2065\ufdd0-\ufdef\ufff0-\ufff8\U000e0000-\U000e0fff]"
    + "".join(f"|[{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}]" for plane in range(0, 0x110000, 0x10000))
)
# JavaScript rounds larger integers, and BSON refuses those of more than 64 bits.
MAX_SAFE_INTEGER = 2**53 - 1
MAX_META_DEPTH = 20


def text_problem(text: str) -> str | None:
    if CONTROL.search(text):
        return "Control characters are not allowed."
    if SURROGATE.search(text):
        return "Lone surrogates are not allowed."
    return None


def shows_nothing(text: str) -> bool:
    """Whether nothing of the text is seen: blanks, fillers, direction controls, marks without a letter."""
    if "!" <= text[:1] <= "~":
        return False
    return not any(_is_visible(character) for character in text)


def _is_visible(character: str) -> bool:
    if unicodedata.category(character) in BLANK_CATEGORIES or character in FILLERS:
        return False
    return not IGNORED.match(character)


def visible_problem(text: str) -> str | None:
    """The problem of a text of several lines that others read, such as a reason."""
    return text_problem(text) or ("Must not be empty or invisible." if shows_nothing(text) else None)


def name_problem(text: str) -> str | None:
    """The problem of a name, which is shown in one line and inside other texts."""
    if LINE_BREAK.search(text):
        return "Write it in one line."
    if BIDI_CONTROL.search(text):
        return "Characters that change the direction of the text around them are not allowed."
    return visible_problem(text)


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON. Python calls 1, 1.0 and true equal."""
    return msgspec.json.encode(one, order="deterministic") == msgspec.json.encode(
        other, order="deterministic"
    )


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
