"""Patches Query.get_count() and Query.has_results() to try the engine's shorter way first.

Django builds, resolves and converts an aggregate for them, which costs as much CPU as the driver's call.
Queries on other databases keep Django's methods.
"""

from django.db import connections
from django.db.models.sql.query import Query

COMPILER = "djongo_lts.compiler"


def install() -> None:
    """Patches the two methods. `base.py` calls it once on import."""
    for name, method in (("get_count", "count"), ("has_results", "exists")):
        setattr(Query, name, engine_first(getattr(Query, name), method))


def engine_first(original, method: str):
    """The replacement of `original`: calls the compiler's `method`, then `original` if that gives None."""

    def count_or_exists(self, using):
        connection = connections[using]
        if connection.ops.compiler_module == COMPILER:
            answer = getattr(self.get_compiler(connection=connection), method)()
            if answer is not None:
                return answer
        return original(self, using)

    return count_or_exists
