"""Where in a document the columns of one query are found, and whether they may be null.
Knows aliases and joins; must not know lookups.
"""

import re

from django.db.models import Value
from django.db.models.aggregates import Count
from django.db.models.expressions import Col, RawSQL, Ref, Subquery
from django.db.models.fields.json import JSONField
from django.db.models.sql.query import Query

from .errors import unsupported

# Joined documents are put beside the columns under their alias; no field of a model begins like this.
JOINED_PREFIX = "__"


class Scope:
    """Columns of `base` are top-level fields; those of a joined alias are below it; `named` maps the
    expressions a $group stage has computed to its outputs, which are then all that is left."""

    def __init__(self, compiler, base, joined=(), outer=(), named=None):
        self.compiler, self.connection = compiler, compiler.connection
        self.base, self.joined, self.outer, self.named = base, set(joined), set(outer), named

    def path(self, node) -> str | None:
        """The node's place in the document; None for what is not simply stored there."""
        if self.named is not None:
            return next((path for expression, path in self.named if expression == node), None)
        if isinstance(node, Col):
            return self.column_path(node.alias, node.target.column)
        if type(node) is RawSQL:
            # prefetch_related() over a many-to-many selects "through"."column" with extra()
            match = re.fullmatch(r'\(?"(\w+)"\."(\w+)"\)?', node.sql)
            return self.column_path(*match.groups()) if match and not node.params else None
        return None

    def column_path(self, alias: str, column: str) -> str:
        if alias == self.base:
            return column
        if alias in self.joined:
            return f"{JOINED_PREFIX}{alias}.{column}"
        raise unsupported("a column of an outer query")

    def stored_path(self, node) -> str:
        path = self.path(node)
        if path is None:
            raise unsupported(node)
        return path

    def nullable(self, node) -> bool:
        if isinstance(node, Col):
            return node.target.null or node.alias in self.outer
        if isinstance(node, Value):
            return node.value is None
        if isinstance(node, Count):
            return False
        sources = node.get_source_expressions() if hasattr(node, "get_source_expressions") else ()
        return not sources or any(self.nullable(source) for source in sources if source is not None)


def unwrapped(node):
    """The expression an ORDER BY or GROUP BY reference stands for."""
    while isinstance(node, Ref):
        node = node.source
    return node


def references(node) -> list[Ref]:
    if isinstance(node, Ref):
        return [node]
    return [ref for child in children(node) for ref in references(child)]


def aliases(node) -> set[str]:
    """The aliases a node reads from."""
    if isinstance(node, Col):
        return {node.alias}
    if type(node) is RawSQL:
        return set(re.findall(r'"(\w+)"\.', node.sql))
    if isinstance(node, Query):  # a subquery: what it reads of this query
        return set().union(*(aliases(column) for column in outer_columns(node.where, set(node.alias_map))))
    if isinstance(node, Subquery):
        return aliases(node.query)
    found = set()
    for child in children(node):
        found |= aliases(child)
    return found


def children(node) -> list:
    if hasattr(node, "children"):
        nodes = node.children
    elif hasattr(node, "get_source_expressions"):
        nodes = node.get_source_expressions()
    else:
        nodes = ()
    return [child for child in nodes if child is not None]


def outer_columns(node, own: set[str]) -> list:
    """The columns below node that belong to none of the aliases `own`."""
    if isinstance(node, Col):
        return [] if node.alias in own else [node]
    if isinstance(node, Query):
        return outer_columns(node.where, own | set(node.alias_map))
    if isinstance(node, Subquery):
        return outer_columns(node.query, own)
    return [column for child in children(node) for column in outer_columns(child, own)]


def target(field):
    """The field whose type a column has: a foreign key's is the one it points at."""
    while getattr(field, "target_field", None) is not None:
        field = field.target_field
    return field


def internal_type(node) -> str:
    """The internal type of an expression's values."""
    return target(node.output_field).get_internal_type()


def is_json_column(node) -> bool:
    return isinstance(target(node.output_field), JSONField)
