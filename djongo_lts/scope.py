"""Scopes: where the columns of a query are stored in its documents, and whether they can be null.

In: an expression of Django, such as a column. Out: its path: `seq`, or `__T3.name` in a joined document.
"""

import re
from collections.abc import Iterable
from typing import Any

from django.db.models import Value
from django.db.models.aggregates import Count
from django.db.models.expressions import Col, RawSQL, Ref, Subquery
from django.db.models.sql.query import Query

from .errors import unsupported

# A joined document is stored under this prefix and its alias, for example "__T3". No column may begin with it.
JOINED_PREFIX = "__"


class Scope:
    """The document layout at one point of a pipeline.

    A column of alias `base` is a top-level field: `seq`. A column of an alias in `joined` is one level below:
    `__T3.name`; its value can also be null if the alias is in `outer`. After a $group stage only `named` applies, a
    list of (expression, path) pairs with the outputs of that stage.
    """

    def __init__(
        self,
        compiler: Any,
        base: str | None,
        joined: Iterable[str] = (),
        outer: Iterable[str] = (),
        named: list[tuple[Any, str]] | None = None,
    ):
        self.compiler, self.connection = compiler, compiler.connection
        self.base, self.joined, self.outer, self.named = base, set(joined), set(outer), named
        # Columns of which a condition beside says that they are not null.
        self.guarded: list[Any] = []

    def beside(self, guards: list[Any]) -> "Scope":
        """The scope of comparisons that an AND joins with the conditions that each of `guards` IS NOT NULL."""
        scope = Scope.__new__(Scope)
        # Faster than copy().
        scope.__dict__.update(self.__dict__)
        scope.guarded = [*self.guarded, *guards]
        return scope

    def path(self, node: Any) -> str | None:
        """The node's path in the document, or None if its value is not stored there and has to be computed."""
        if self.named is not None:
            return next((path for expression, path in self.named if expression == node), None)
        if isinstance(node, Col):
            return self.column_path(node.alias, node.target.column)
        if type(node) is RawSQL:
            # prefetch_related() over a many-to-many field selects "through"."column" with extra().
            match = re.fullmatch(r'\(?"(\w+)"\."(\w+)"\)?', node.sql)
            return self.column_path(match[1], match[2]) if match and not node.params else None
        return None

    def column_path(self, alias: str | None, column: Any) -> str:
        if alias == self.base:
            return column
        if alias in self.joined:
            return f"{JOINED_PREFIX}{alias}.{column}"
        raise unsupported("a column of an outer query")

    def stored_path(self, node: Any) -> str:
        path = self.path(node)
        if path is None:
            raise unsupported(node)
        return path

    def nullable(self, node: Any) -> bool:
        if isinstance(node, Col):
            return node.target.null or node.alias in self.outer
        if isinstance(node, Value):
            return node.value is None
        if isinstance(node, Count):
            return False
        sources = node.get_source_expressions() if hasattr(node, "get_source_expressions") else ()
        return not sources or any(self.nullable(source) for source in sources if source is not None)


def unwrapped(node: Any) -> Any:
    """The expression that a reference in ORDER BY or GROUP BY points to."""
    while isinstance(node, Ref):
        node = node.get_source_expressions()[0]
    return node


def references(node: Any) -> list[Any]:
    if isinstance(node, Ref):
        return [node]
    return [ref for child in children(node) for ref in references(child)]


def aliases(node: Any) -> set[str]:
    """The aliases of this query that a node reads columns of."""
    if isinstance(node, Col):
        return {node.alias}
    if type(node) is RawSQL:
        return set(re.findall(r'"(\w+)"\.', node.sql))
    # Of a subquery, only its references to this query count.
    if isinstance(node, Query):
        return set().union(*(aliases(column) for column in outer_columns(node.where, set(node.alias_map))))
    if isinstance(node, Subquery):
        return aliases(node.query)
    found = set()
    for child in children(node):
        found |= aliases(child)
    return found


def children(node: Any) -> list[Any]:
    if hasattr(node, "children"):
        nodes = node.children
    elif hasattr(node, "get_source_expressions"):
        nodes = node.get_source_expressions()
    else:
        nodes = ()
    return [child for child in nodes if child is not None]


def outer_columns(node: Any, own: set[str]) -> list[Any]:
    """The columns below a node whose alias is not in `own`, so the references of a subquery to outer queries."""
    if isinstance(node, Col):
        return [] if node.alias in own else [node]
    if isinstance(node, Query):
        return outer_columns(node.where, own | set(node.alias_map))
    if isinstance(node, Subquery):
        return outer_columns(node.query, own)
    return [column for child in children(node) for column in outer_columns(child, own)]
