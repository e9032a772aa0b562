"""Text search in messages: `content__text_search="two words"`, and the index that serves it on MongoDB.

Models and migrations import this, so it imports no database driver. djongo_lts recognises the two classes by the
attributes that begin with `djongo_` (its README has the protocol); other databases ignore them.
"""

from typing import Any

from django.db.models import CharField, Index, TextField
from django.db.models.lookups import IContains

# Django executes the statement that create_sql and remove_sql return.
NO_STATEMENT = "SELECT 1"


class TextIndex(Index):
    """A text index on MongoDB, and no index on other databases."""

    suffix = "text"
    djongo_type = "text"

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> str:  # type: ignore[override]
        return NO_STATEMENT

    def remove_sql(self, model: Any, schema_editor: Any, **kwargs: Any) -> str:
        return NO_STATEMENT


@CharField.register_lookup
@TextField.register_lookup
class TextSearch(IContains):
    """Contains the given text, in upper or lower case. With a text index: contains each of its words whole."""

    lookup_name = "text_search"
    djongo_operator = "$text"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        # Databases look their operator up by the lookup's name, and have none for this one.
        return IContains(self.lhs, self.rhs).as_sql(compiler, connection)
