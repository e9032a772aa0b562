"""Text search: which indexes and lookups of a project ask for it, and the $text filter for such a lookup.

A project declares its own index and lookup, and marks them by an attribute; neither side imports the other.
"""

import logging
import re

logger = logging.getLogger(__name__)

text_index_cache: dict[tuple[str, str, str], bool] = {}


def is_text_index(index) -> bool:
    """Whether it is to be made as a text index."""
    return getattr(index, "djongo_type", None) == "text"


def is_text_search(lookup) -> bool:
    """Whether a text index may serve it."""
    return getattr(lookup, "djongo_operator", None) == "$text"


def text_filter(connection, lookup, column: str) -> dict | None:
    """The $text filter for a lookup; None where the server has no text index over the column alone."""
    words = re.findall(r"\w+", str(lookup.rhs))
    if not words or not has_text_index(connection, lookup.lhs.target.model._meta.db_table, column):
        return None
    # each word quoted: all are wanted, and none is read as an operator of the search language
    return {"$text": {"$search": " ".join(f'"{word}"' for word in words), "$language": "none"}}


def has_text_index(connection, table: str, column: str) -> bool:
    """Asked once per process; the answer no is logged, because it costs."""
    key = (connection.settings_dict["NAME"], table, column)
    if key not in text_index_cache:
        text_index_cache[key] = any(
            list(index.get("weights", ())) == [column] for index in connection.indexes(table).values()
        )
        if not text_index_cache[key]:
            logger.warning(
                "no text index on %s.%s: searches scan what their other filters leave", table, column
            )
    return text_index_cache[key]
