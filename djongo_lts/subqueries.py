"""Translates IN, EXISTS and = with a subquery. The subquery runs first; its values become part of the filter."""

from django.db.models import lookups
from django.db.models.expressions import Col
from django.db.models.sql.query import Query
from django.db.models.sql.where import AND, OR, WhereNode

from .errors import unsupported
from .logic import Filter, any_of
from .parts import list_bytes
from .scope import Scope, outer_columns

NOT_AN_EQUALITY = "an Exists() whose correlation is not an equality of columns"


class Subqueries:
    """The part of Where that queries the database during translation."""

    scope: Scope

    def in_list(self, node, path: str, negated: bool, scalar: bool = False) -> Filter:
        """`path IN (list or subquery)`; with `scalar`, `path = (subquery)`."""
        rhs = node.rhs
        if isinstance(rhs, Query):
            values = self.subquery_values(rhs)
            known = sorted_unique(value for value in values if value is not None)
            if negated and (None in values or (scalar and not values)):
                # NOT IN is never true if a value is NULL; the NOT around this filter turns {} into no match.
                return {}
        else:
            if any(hasattr(value, "resolve_expression") for value in rhs):
                raise unsupported("expressions in an IN list")
            values = [value for value in rhs if value is not None]
            known = sorted_unique(node.get_db_prep_lookup(values, self.connection)[1])
        return self.one_of(path, known)

    def one_of(self, path: str, values: list) -> Filter:
        if len(values) == 1:
            return {path: values[0]}
        self.scope.compiler.list_bytes += list_bytes(values)
        return {path: {"$in": values}} if values else None

    def subquery_values(self, query: Query) -> list:
        """Runs a subquery with one column and returns its values."""
        if getattr(query, "_db", None) not in (None, self.connection.alias):
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
        compiler = query.get_compiler(connection=self.connection)
        rows = [row for chunk in compiler.execute_sql("multi") for row in chunk]
        if compiler.col_count != 1 and rows:
            raise unsupported("a subquery with several columns")
        return [row[0] for row in rows]

    def exists(self, query: Query) -> Filter:
        """EXISTS, which is correlated with this query by an equality of columns or by any of several (OR).

        The filter is an IN list with the values of the inner column. Without a correlation it is {} or None.
        """
        query = query.clone()
        query.subquery = False
        own, correlations, rest = set(query.alias_map), [], []
        if query.combinator or query.low_mark or query.high_mark == 0 or query.group_by:
            raise unsupported("an Exists() over a sliced, grouped or combined query")
        query.clear_limits()
        query.clear_ordering(force=True)
        for child in conjuncts(query.where):
            (correlations if outer_columns(child, own) else rest).append(child)
        if not correlations:
            return {} if query.exists().get_compiler(connection=self.connection).has_results() else None
        correlation, *others = correlations
        if isinstance(correlation, WhereNode) and correlation.connector == OR and not correlation.negated:
            # An OR of correlations: one EXISTS for each.
            queries = [self.with_conditions(query, [*rest, *others, each]) for each in correlation.children]
            return any_of([self.exists(each) for each in queries])
        if others:
            raise unsupported("an Exists() with more than one correlation")
        inner, outer = getattr(correlation, "lhs", None), getattr(correlation, "rhs", None)
        if (
            not isinstance(correlation, lookups.Exact)
            or not isinstance(inner, Col)
            or not isinstance(outer, Col)
        ):
            raise unsupported(NOT_AN_EQUALITY)
        if outer.alias in own:
            inner, outer = outer, inner
        if inner.alias not in own:
            raise unsupported(NOT_AN_EQUALITY)
        query = self.with_conditions(query, rest)
        query.clear_select_clause()
        query.select = (inner,)
        query.distinct = True
        found = [value for value in self.subquery_values(query) if value is not None]
        return self.one_of(self.scope.stored_path(outer), found)

    def with_conditions(self, query: Query, conditions: list) -> Query:
        query = query.clone()
        query.where = WhereNode(conditions)
        return query


def sorted_unique(values) -> list:
    """The distinct values in ascending order, or the values as they are if their type has no order.

    Sorted, because secantusdb returns documents in the order of the list when it sorts by an index.
    """
    values = list(values)
    try:
        return sorted(set(values))
    # Decimal128 values have no order.
    except TypeError:
        return values


def conjuncts(where: WhereNode) -> list:
    """The conditions of a conjunction, with nested ANDs flattened."""
    if where.negated or where.connector != AND:
        return [where]
    nested = (conjuncts(child) if isinstance(child, WhereNode) else [child] for child in where.children)
    return [condition for conditions in nested for condition in conditions]
