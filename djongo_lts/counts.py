"""count() and exists() of one collection asked of the engine first: what Django builds for them, resolves and
converts costs as much as the driver. Knows the two methods of Query it goes before; other databases keep Django's.
"""

from django.db import connections
from django.db.models.sql.query import Query

COMPILER = "djongo_lts.compiler"


def install() -> None:
    for name, question in (("get_count", "count"), ("has_results", "exists")):
        setattr(Query, name, before(getattr(Query, name), question))


def before(django, question: str):
    def ask(self, using):
        connection = connections[using]
        if connection.ops.compiler_module == COMPILER:
            answer = getattr(self.get_compiler(connection=connection), question)()
            if answer is not None:
                return answer
        return django(self, using)

    return ask
