"""Translates text lookups such as contains, iexact and regex to $regex conditions."""

import re
import uuid

from .errors import unsupported
from .logic import Filter, any_of
from .operations import INTEGERS
from .scope import Scope, internal_type

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
TEXT_FIELDS = {
    "CharField",
    "TextField",
    "SlugField",
    "URLField",
    "FileField",
    "FilePathField",
    "GenericIPAddressField",
}


def text_pattern(name: str, text: str) -> dict:
    """The $regex for a text lookup, with every character of the text escaped."""
    start, end, options = PATTERNS[name]
    return regex(start + re.escape(text) + end, options)


def regex(pattern: str, options: str) -> dict:
    # A BSON pattern cannot contain a NUL.
    pattern = pattern.replace("\0", r"\x00")
    return {"$regex": pattern, "$options": options} if options else {"$regex": pattern}


class TextLookups:
    """The part of Where for text lookups."""

    scope: Scope

    def text_lookup(self, node, path: str, name: str, top: bool, negated: bool) -> Filter:
        kind = internal_type(node.lhs)
        # The admin searches so for "=id" in search_fields.
        if name == "iexact" and (kind in INTEGERS or kind == "UUIDField"):
            found = id_filter(kind, path, str(node.rhs))
            return any_of([found, {path: None}]) if negated and self.scope.nullable(node.lhs) else found
        # The admin searches so for "id" in search_fields: the pattern applies to the digits.
        if kind in INTEGERS and name in PATTERNS:
            digits = {
                "input": {"$toString": f"${path}"},
                "regex": text_pattern(name, str(node.rhs))["$regex"],
            }
            found = {"$expr": {"$regexMatch": digits}}
            return any_of([found, {path: None}]) if negated and self.scope.nullable(node.lhs) else found
        if kind not in TEXT_FIELDS:
            raise unsupported(f"{name} on {kind}")
        if name in PATTERNS:
            return {path: text_pattern(name, str(node.rhs))}
        if name in ("regex", "iregex"):
            return {path: regex(str(node.rhs), "i" if name == "iregex" else "")}
        raise unsupported(f"lookup {name}")


def id_filter(kind: str, path: str, text: str) -> Filter:
    """iexact on a UUID or an integer: an equality if the text is how it is written, else no match."""
    try:
        value = uuid.UUID(text) if kind == "UUIDField" else int(text)
    except ValueError:
        return None
    if kind == "UUIDField":
        # uuid.UUID() also accepts braces and a URN, which are not part of a stored UUID's text.
        return {path: value} if text.replace("-", "").lower() == value.hex else None
    return {path: value} if str(value) == text and -(2**63) <= value < 2**63 else None
