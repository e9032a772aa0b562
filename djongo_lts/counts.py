"""Lets count() and exists() on the engine's databases ask the engine's compiler first.

Django builds, resolves and converts an aggregate for them, which costs as much CPU as the driver's call. Its Query
offers no place that only one database reaches, so the two methods are replaced once a connection of the engine is
open. For the aliases of other databases the replacements do nothing but call Django's own.
"""

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.models.sql.query import Query

COMPILER = "djongo_lts.compiler"

_aliases: set[str] = set()


def install(alias: str) -> None:
    """Does this for the database `alias`. Each connection calls it when it opens; later calls change nothing."""
    if not _aliases:
        setattr(Query, "get_count", engine_first(Query.get_count, "count"))  # noqa: B010
        setattr(Query, "has_results", engine_first(Query.has_results, "exists"))  # noqa: B010
    _aliases.add(alias)


def engine_first(original: Callable[[Query, str], Any], method: str) -> Callable[[Query, str], Any]:
    """The replacement of `original`: calls the compiler's `method`, then `original` if that gives None."""

    def count_or_exists(self: Query, using: str) -> Any:
        # A connection made by hand may have the alias of another database.
        if using in _aliases and connections[using].ops.compiler_module == COMPILER:
            answer = getattr(self.get_compiler(connection=connections[using]), method)()
            if answer is not None:
                return answer
        return original(self, using)

    return count_or_exists
