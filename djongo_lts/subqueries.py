"""IN, EXISTS and = over subqueries: run first, their values put into the filter.
Knows subqueries; must not know the other lookups.
"""

from django.db.models import lookups
from django.db.models.expressions import Col
from django.db.models.sql.query import Query
from django.db.models.sql.where import AND, OR, WhereNode

from .errors import unsupported
from .logic import Filter, any_of
from .scope import Scope, outer_columns


class Subqueries:
    """The part of Where that asks the database while it translates."""

    scope: Scope

    def in_list(self, node, path: str, negated: bool, scalar: bool = False) -> Filter:
        rhs = node.rhs
        if isinstance(rhs, Query):
            values = self.subquery_values(rhs)
            known = sorted_unique(value for value in values if value is not None)
            if negated and (None in values or (scalar and not values)):
                return {}  # NOT IN with a NULL among the values is true of nothing
        else:
            if any(hasattr(value, "resolve_expression") for value in rhs):
                raise unsupported("expressions in a list")
            values = [value for value in rhs if value is not None]
            known = sorted_unique(node.get_db_prep_lookup(values, self.connection)[1])
        if len(known) == 1:
            return {path: known[0]}
        return {path: {"$in": known}} if known else None

    def subquery_values(self, query: Query) -> list:
        """What a subquery of one column finds, as the database has it."""
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
            raise unsupported("a subquery of several columns")
        return [row[0] for row in rows]

    def exists(self, query: Query) -> Filter:
        """[NOT] EXISTS tied to this query by an equality: the inner column's values, as an IN list."""
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
            # any of several correlations: one EXISTS for each
            return any_of(
                [
                    self.exists(self.with_conditions(query, [*rest, *others, each]))
                    for each in correlation.children
                ]
            )
        if others:
            raise unsupported("an Exists() tied by more than one equality")
        if (
            not isinstance(correlation, lookups.Exact)
            or not isinstance(correlation.lhs, Col)
            or not isinstance(correlation.rhs, Col)
        ):
            raise unsupported("an Exists() tied by other than an equality of columns")
        inner, outer = (
            (correlation.lhs, correlation.rhs)
            if correlation.rhs.alias not in own
            else (correlation.rhs, correlation.lhs)
        )
        if inner.alias not in own:
            raise unsupported("an Exists() tied by other than an equality of columns")
        query = self.with_conditions(query, rest)
        query.clear_select_clause()
        query.select = (inner,)
        query.distinct = True
        found = [value for value in self.subquery_values(query) if value is not None]
        return {self.scope.stored_path(outer): {"$in": found}} if found else None

    def with_conditions(self, query: Query, conditions: list) -> Query:
        query = query.clone()
        query.where = WhereNode(conditions)
        return query


def sorted_unique(values) -> list:
    """Each once, in order: secantusdb, sorting by an index, would give the documents as the list has them."""
    values = list(values)
    try:
        return sorted(set(values))
    except TypeError:  # Decimal128
        return values


def conjuncts(where: WhereNode) -> list:
    """The conditions that all have to hold, however deep their ANDs are nested."""
    if where.negated or where.connector != AND:
        return [where]
    nested = (conjuncts(child) if isinstance(child, WhereNode) else [child] for child in where.children)
    return [condition for conditions in nested for condition in conditions]
