"""Text search: recognises a project's text index and text lookup, and builds the $text filter for the lookup.

The project marks its two classes by an attribute (the README has the protocol), so neither side imports the other.
"""

import logging
import re

logger = logging.getLogger(__name__)

# (database name, table, column) -> whether the server has a text index over that column alone.
text_index_cache: dict[tuple[str, str, str], bool] = {}


def is_text_index(index) -> bool:
    """Whether migrations create the index as a text index."""
    return getattr(index, "djongo_type", None) == "text"


def is_text_search(lookup) -> bool:
    """Whether the lookup may use a text index."""
    return getattr(lookup, "djongo_operator", None) == "$text"


def text_filter(connection, lookup, column: str) -> dict | None:
    """The $text filter for a lookup, for example `{"$text": {"$search": '"two" "words"', "$language": "none"}}`.

    None if the text has no word, or if the server has no text index over the column alone.
    """
    words = re.findall(r"\w+", str(lookup.rhs))
    if not words or not has_text_index(connection, lookup.lhs.target.model._meta.db_table, column):
        return None
    # Quotes make every word required, and keep the server from reading a word as a search operator.
    return {"$text": {"$search": " ".join(f'"{word}"' for word in words), "$language": "none"}}


def has_text_index(connection, table: str, column: str) -> bool:
    """Whether the server has a text index over the column alone. The process asks once and caches the answer.

    A missing index is logged as a warning, because every search then scans documents.
    """
    key = (connection.settings_dict["NAME"], table, column)
    if key not in text_index_cache:
        text_index_cache[key] = any(
            list(index.get("weights", ())) == [column] for index in connection.indexes(table).values()
        )
        if not text_index_cache[key]:
            logger.warning(
                "no text index on %s.%s: a search scans all documents that pass its other filters",
                table,
                column,
            )
    return text_index_cache[key]
