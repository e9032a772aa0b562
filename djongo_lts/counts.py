"""count() and exists() of one collection asked of the engine first: what Django builds for them, resolves and
converts costs as much as the driver. Knows the two methods of Query it goes before; other databases keep Django's.
"""

from django.db import connections
from django.db.models.sql.query import Query

COMPILER = "djongo_lts.compiler"


def install() -> None:
    for name, method in (("get_count", "count"), ("has_results", "exists")):
        setattr(Query, name, engine_first(getattr(Query, name), method))


def engine_first(original, method: str):
    def count_or_exists(self, using):
        connection = connections[using]
        if connection.ops.compiler_module == COMPILER:
            answer = getattr(self.get_compiler(connection=connection), method)()
            if answer is not None:
                return answer
        return original(self, using)

    return count_or_exists
