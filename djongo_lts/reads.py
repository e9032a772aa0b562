"""Reads: what one SELECT asks for, in terms of the documents that it reads.

In: a SELECT compiler and its Query. Out: a `Read`, from which `plan.py` makes a command. For example
`filter(room__name="a").order_by("-seq")[:5]` gives `Read(collection="message", joins=[Join("T2", ..)],
order_by=[(Col(seq), -1)], skip=0, limit=5, ..)`.
"""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models.sql.where import WhereNode

from .errors import unsupported
from .joins import Join, joins
from .scope import Scope, unwrapped


@dataclass
class Read:
    compiler: Any
    collection: str
    scope: Scope
    joins: list[Join]
    select: list[Any]
    where: WhereNode | None
    # The expressions of GROUP BY. DISTINCT groups by the select list, which needs none.
    group_by: list[Any]
    # Whether the rows are groups of documents.
    grouped: bool
    distinct: bool
    having: WhereNode | None
    # Expressions with 1 for ascending and -1 for descending.
    order_by: list[tuple[Any, int]]
    skip: int
    # 0 means no limit.
    limit: int


def read_of(compiler: Any) -> Read:
    """Raises EmptyResultSet for a slice without rows."""
    _, order_by, group_by = compiler.pre_sql_setup()
    query = compiler.query
    if compiler.qualify is not None:
        raise unsupported("filters on window functions")
    if group_by and compiler._meta_ordering:
        # Meta.ordering must neither sort groups nor add columns to group by.
        order_by = []
    base = compiler.base_alias()
    found = joins(query, base)
    outer = {join.alias for join in found if join.outer}
    skip, high = query.low_mark, query.high_mark
    if high == skip:
        raise EmptyResultSet
    return Read(
        compiler=compiler,
        collection=query.alias_map[base].table_name,
        scope=Scope(compiler, base, {join.alias for join in found}, outer),
        joins=found,
        select=[node for node, _, _ in compiler.select],
        where=compiler.where,
        group_by=columns_grouped_by(query),
        grouped=bool(group_by) or query.distinct or compiler.having is not None,
        distinct=query.distinct,
        having=compiler.having,
        order_by=[direction(node) for node, _ in order_by],
        skip=skip,
        limit=0 if high is None else high - skip,
    )


def columns_grouped_by(query: Any) -> list[Any]:
    """The expressions that the query itself groups by. True stands for the select list."""
    if not query.group_by or query.group_by is True:
        return []
    return [
        unwrapped(node if hasattr(node, "as_sql") else query.resolve_ref(node)) for node in query.group_by
    ]


def direction(node: Any) -> tuple[Any, int]:
    if (node.nulls_first and node.descending) or (node.nulls_last and not node.descending):
        raise unsupported("nulls_first or nulls_last against MongoDB's order")
    return unwrapped(node.expression), -1 if node.descending else 1
