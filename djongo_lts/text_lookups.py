"""Text lookups: translates contains, iexact, regex and the like to $regex conditions.

In: a lookup such as `content__contains="words"` and its column's path. Out: `{"content": {"$regex": "words"}}`.
"""

import re
import uuid
from typing import Any

from django.db.models.sql.query import Query

from .errors import unsupported
from .field_types import INTEGERS, TEXTS, internal_type
from .logic import Filter

# The end of the text. A $ would also match before a final newline.
END = r"(?![\s\S])"
# lookup -> what to put before and after the escaped text, and the regex options
PATTERNS = {
    "contains": ("", "", ""),
    "icontains": ("", "", "i"),
    "startswith": ("^", "", ""),
    "istartswith": ("^", "", "i"),
    "endswith": ("", END, ""),
    "iendswith": ("", END, "i"),
    "iexact": ("^", END, "i"),
}
REGEX_OPTIONS = {"regex": "", "iregex": "i"}


def text_filter(node: Any, path: str) -> Filter:
    """The filter of any lookup that compares texts, or a text with the digits of a number."""
    name, kind = node.lookup_name, internal_type(node.lhs)
    if isinstance(node.rhs, Query):
        raise unsupported(f"lookup {name} with a subquery")
    text = str(node.rhs)
    # The admin searches so for "=id" in search_fields.
    if name == "iexact" and (kind in INTEGERS or kind == "UUIDField"):
        return id_filter(kind, path, text)
    # The admin searches so for "id" in search_fields.
    if kind in INTEGERS and name in PATTERNS:
        return digits_filter(name, path, text)
    if kind not in TEXTS:
        raise unsupported(f"{name} on {kind}")
    if name in PATTERNS:
        return {path: text_pattern(name, text)}
    if name in REGEX_OPTIONS:
        return {path: regex(text, REGEX_OPTIONS[name])}
    raise unsupported(f"lookup {name}")


def text_pattern(name: str, text: str) -> dict[str, str]:
    """The $regex for a text lookup, with every character of the text escaped."""
    start, end, options = PATTERNS[name]
    return regex(start + re.escape(text) + end, options)


def regex(pattern: str, options: str) -> dict[str, str]:
    # A BSON pattern cannot contain a NUL.
    pattern = pattern.replace("\0", r"\x00")
    return {"$regex": pattern, "$options": options} if options else {"$regex": pattern}


def digits_filter(name: str, path: str, text: str) -> Filter:
    """A pattern on the digits of an integer."""
    digits = {"input": {"$toString": f"${path}"}, "regex": text_pattern(name, text)["$regex"]}
    return {"$expr": {"$regexMatch": digits}}


def id_filter(kind: str, path: str, text: str) -> Filter:
    """iexact on a UUID or an integer: an equality if the text is how it is written, else no match."""
    try:
        value = uuid.UUID(text) if kind == "UUIDField" else int(text)
    except ValueError:
        return None
    if isinstance(value, uuid.UUID):
        # uuid.UUID() also accepts braces and a URN, which are not part of a stored UUID's text.
        return {path: value} if text.replace("-", "").lower() == value.hex else None
    return {path: value} if str(value) == text and -(2**63) <= value < 2**63 else None
