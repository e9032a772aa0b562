"""Subqueries: translates IN, EXISTS and = with a subquery. It runs first; its values become part of the filter.

In: a Scope and Django's inner Query. Out: its values, or a filter such as `{"_id": {"$in": [3, 7]}}`.
"""

from typing import Any

from django.db.models import lookups
from django.db.models.expressions import Col
from django.db.models.sql.query import Query
from django.db.models.sql.where import AND, OR, WhereNode

from .errors import unsupported
from .logic import Filter, any_of
from .parts import list_bytes
from .scope import Scope, outer_columns

NOT_AN_EQUALITY = "an Exists() whose correlation is not an equality of columns"


def subquery_values(scope: Scope, query: Query) -> list[Any]:
    """Runs a subquery with one column and returns its values."""
    if getattr(query, "_db", None) not in (None, scope.connection.alias):
        raise ValueError(
            "Subqueries aren't allowed across different databases. Force the "
            "inner query to be evaluated using `list(inner_query)`."
        )
    if outer_columns(query, set()):
        raise unsupported("a correlated subquery")
    query = query.clone()
    query.subquery = False
    if query.default_cols:
        query.clear_select_clause()
        query.add_fields(["pk"])
    compiler = query.get_compiler(connection=scope.connection)
    rows = [row for chunk in compiler.execute_sql("multi") for row in chunk]
    if compiler.col_count != 1 and rows:
        raise unsupported("a subquery with several columns")
    return [row[0] for row in rows]


def one_of(scope: Scope, path: str, values: list[Any]) -> Filter:
    """The filter for `path IN (values)`. The compiler adds up the lists' bytes, to know if they fit one command."""
    if len(values) == 1:
        return {path: values[0]}
    scope.compiler.list_bytes += list_bytes(values)
    return {path: {"$in": values}} if values else None


def exists(scope: Scope, query: Query) -> Filter:
    """EXISTS, which is correlated with this query by an equality of columns or by any of several (OR).

    The filter is an IN list with the values of the inner column. Without a correlation it is {} or None.
    """
    if query.combinator or query.low_mark or query.high_mark == 0 or query.group_by:
        raise unsupported("an Exists() over a sliced, grouped or combined query")
    query = query.clone()
    query.subquery = False
    query.clear_limits()
    query.clear_ordering(force=True)
    own = set(query.alias_map)
    correlations: list[Any] = []
    rest: list[Any] = []
    for child in conjuncts(query.where):
        (correlations if outer_columns(child, own) else rest).append(child)
    if not correlations:
        return {} if query.exists().get_compiler(connection=scope.connection).has_results() else None
    correlation, *others = correlations
    if isinstance(correlation, WhereNode) and correlation.connector == OR and not correlation.negated:
        # An OR of correlations: one EXISTS for each.
        queries = [with_conditions(query, [*rest, *others, each]) for each in correlation.children]
        return any_of([exists(scope, each) for each in queries])
    if others:
        raise unsupported("an Exists() with more than one correlation")
    inner, outer = correlated_columns(correlation, own)
    return one_of(scope, scope.stored_path(outer), column_values(scope, with_conditions(query, rest), inner))


def column_values(scope: Scope, query: Query, column: Col) -> list[Any]:
    """The distinct values of a subquery's column, without null. The query is changed."""
    query.clear_select_clause()
    query.select = (column,)
    query.distinct = True
    return [value for value in subquery_values(scope, query) if value is not None]


def correlated_columns(correlation: Any, own: set[str]) -> tuple[Col, Col]:
    """The columns of `inner = outer`, written in either order. `own` has the aliases of the inner query."""
    one, other = getattr(correlation, "lhs", None), getattr(correlation, "rhs", None)
    if not (isinstance(correlation, lookups.Exact) and isinstance(one, Col) and isinstance(other, Col)):
        raise unsupported(NOT_AN_EQUALITY)
    inner, outer = (other, one) if other.alias in own else (one, other)
    if inner.alias not in own:
        raise unsupported(NOT_AN_EQUALITY)
    return inner, outer


def with_conditions(query: Query, conditions: list[Any]) -> Query:
    query = query.clone()
    query.where = WhereNode(conditions)
    return query


def sorted_unique(values: list[Any]) -> list[Any]:
    """The distinct values in ascending order, or the values as they are if their type has no order.

    Sorted, because secantusdb returns documents in the order of the list when it sorts by an index.
    """
    try:
        return sorted(set(values))
    # Decimal128 values have no order.
    except TypeError:
        return values


def conjuncts(where: WhereNode) -> list[Any]:
    """The conditions of a conjunction, with nested ANDs flattened."""
    if where.negated or where.connector != AND:
        return [where]
    nested = (conjuncts(child) if isinstance(child, WhereNode) else [child] for child in where.children)
    return [condition for conditions in nested for condition in conditions]
