"""Text search: a MongoDB text index and a lookup that uses it; elsewhere no index, and icontains.
Knows Django's indexes and lookups; must not import the driver, because models and migrations import this.
"""

import logging
import re

from django.db.models import CharField, Index, TextField
from django.db.models.lookups import IContains

logger = logging.getLogger(__name__)

VENDOR = "djongo"
NOTHING = "SELECT 1"
known: dict[tuple[str, str, str], bool] = {}


class TextIndex(Index):
    """A text index over the given fields on MongoDB; on any other database no index at all."""

    suffix = "text"

    def create_sql(self, model, schema_editor, using="", **kwargs):
        return NOTHING

    def remove_sql(self, model, schema_editor, **kwargs):
        return NOTHING


@CharField.register_lookup
@TextField.register_lookup
class TextSearch(IContains):
    """`content__text_search="two words"`: icontains; where there is a text index, of what that finds for the words,
    so each of them has to stand there as a whole word."""

    lookup_name = "text_search"

    def as_sql(self, compiler, connection):
        return IContains(self.lhs, self.rhs).as_sql(compiler, connection)


def text_filter(connection, lookup: TextSearch, column: str) -> dict | None:
    """The $text filter for a lookup; None where the server has no text index over the column alone."""
    words = re.findall(r"\w+", str(lookup.rhs))
    if not words or not has_text_index(connection, lookup.lhs.target.model._meta.db_table, column):
        return None
    # each word quoted: all are wanted, and none is read as an operator of the search language
    return {"$text": {"$search": " ".join(f'"{word}"' for word in words), "$language": "none"}}


def has_text_index(connection, table: str, column: str) -> bool:
    """Asked once per process; the answer no is logged, because it costs."""
    key = (connection.settings_dict["NAME"], table, column)
    if key not in known:
        known[key] = any(
            list(index.get("weights", ())) == [column] for index in connection.indexes(table).values()
        )
        if not known[key]:
            logger.warning(
                "no text index on %s.%s: searches scan what their other filters leave", table, column
            )
    return known[key]
