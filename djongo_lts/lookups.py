"""Lookups: translates one comparison, the leaf of a tree of conditions, to the two filters of a `Truth`.

In: a Scope and a lookup of Django, such as `seq__gte=1`. Out: `Truth({"seq": {"$gte": 1}}, {"seq": {"$gte": 1}})`,
whose second filter also matches the rows without a seq if the column is nullable. `LOOKUPS` has a function for each
name; `text_lookup` takes all other names.
"""

from collections.abc import Callable
from typing import Any

from django.db.models.expressions import Col
from django.db.models.sql.query import Query

from .errors import unsupported
from .expressions import expression
from .field_types import is_json_column
from .logic import Filter, Truth, known, unknown_for_null
from .periods import period_lookup
from .scope import Scope
from .subqueries import one_of, sorted_unique, subquery_values
from .text_lookups import text_filter

OPERATORS = {"exact": "$eq", "gt": "$gt", "gte": "$gte", "lt": "$lt", "lte": "$lte"}


def comparison(scope: Scope, node: Any) -> Truth:
    """exact, gt, gte, lt or lte, with a value, a subquery or another expression."""
    if not node.rhs_is_direct_value():
        return subquery_comparison(scope, node) if isinstance(node.rhs, Query) else computed(scope, node)
    # Most lookups compare a column, so that is checked first.
    if type(node.lhs) is not Col:
        period = period_lookup(scope, node)
        if period is not None:
            return period
        if scope.path(node.lhs) is None:
            return computed(scope, node)
    path = scope.stored_path(node.lhs)
    refuse_json(node)
    value = prepared(scope, node)
    if value is None:
        raise unsupported("a comparison with None")
    name = node.lookup_name
    return of_column(scope, node, path, {path: value if name == "exact" else {OPERATORS[name]: value}})


def subquery_comparison(scope: Scope, node: Any) -> Truth:
    path = column_path(scope, node)
    if node.lookup_name != "exact":
        raise unsupported(f"lookup {node.lookup_name} with a subquery")
    # A subquery without rows is NULL.
    return in_subquery(scope, node, path, subquery_values(scope, node.rhs) or [None])


def in_list(scope: Scope, node: Any) -> Truth:
    path = column_path(scope, node)
    if isinstance(node.rhs, Query):
        return in_subquery(scope, node, path, subquery_values(scope, node.rhs))
    if any(hasattr(value, "resolve_expression") for value in node.rhs):
        raise unsupported("expressions in an IN list")
    given = [value for value in node.rhs if value is not None]
    return in_values(scope, node, path, node.get_db_prep_lookup(given, scope.connection)[1])


def in_subquery(scope: Scope, node: Any, path: str, values: list[Any]) -> Truth:
    found = in_values(scope, node, path, [value for value in values if value is not None])
    # With a NULL among its values, IN is never false.
    return Truth(found.true, {}) if None in values else found


def in_values(scope: Scope, node: Any, path: str, values: list[Any]) -> Truth:
    found = one_of(scope, path, sorted_unique(values))
    # `IN ()` is false for a null as well.
    return known(None) if found is None else of_column(scope, node, path, found)


def between(scope: Scope, node: Any) -> Truth:
    path = column_path(scope, node)
    low, high = node.get_db_prep_lookup(node.rhs, scope.connection)[1]
    if any(bound is None or hasattr(bound, "resolve_expression") for bound in (low, high)):
        raise unsupported("a range with None or an expression")
    return of_column(scope, node, path, {path: {"$gte": low, "$lte": high}})


def text_lookup(scope: Scope, node: Any) -> Truth:
    path = column_path(scope, node)
    return of_column(scope, node, path, text_filter(node, path))


def is_null(scope: Scope, node: Any) -> Truth:
    path, wanted = scope.path(node.lhs), node.rhs
    if not isinstance(wanted, bool):
        raise ValueError("The QuerySet value for an isnull lookup must be True or False.")
    if path is None:
        return known({"$expr": {"$lte" if wanted else "$gt": [expression(scope, node.lhs), None]}})
    return known({path: None} if wanted else {path: {"$ne": None}})


def computed(scope: Scope, node: Any) -> Truth:
    """A comparison with a computed side, as an $expr. No index serves it."""
    left, right = node.lhs, node.rhs
    if node.lookup_name not in OPERATORS or is_json_column(left):
        raise not_stored(node)
    sides = [expression(scope, left)]
    may_be_null = [sides[0]] if scope.nullable(left) else []
    if node.rhs_is_direct_value():
        sides.append({"$literal": prepared(scope, node)})
    else:
        sides.append(expression(scope, right))
        if scope.nullable(right):
            may_be_null.append(sides[1])
    test = {OPERATORS[node.lookup_name]: sides}
    if not may_be_null:
        return known({"$expr": test})
    both = [{"$gt": [side, None]} for side in may_be_null]
    either = [{"$lte": [side, None]} for side in may_be_null]
    return Truth({"$expr": {"$and": [*both, test]}}, {"$expr": {"$or": [*either, test]}})


def of_column(scope: Scope, node: Any, path: str, found: Filter) -> Truth:
    """A comparison of the column at `path` with values that are not null."""
    unknown = scope.nullable(node.lhs) and node.lhs not in scope.guarded
    return unknown_for_null(found, path) if unknown else known(found)


def column_path(scope: Scope, node: Any) -> str:
    """The path of the stored column that is compared with values. Raises NotSupportedError for other sides."""
    path = scope.path(node.lhs)
    if path is None or not (node.rhs_is_direct_value() or isinstance(node.rhs, Query)):
        raise not_stored(node)
    refuse_json(node)
    return path


def refuse_json(node: Any) -> None:
    if is_json_column(node.lhs):
        raise unsupported("a lookup on a JSON field")


def prepared(scope: Scope, node: Any) -> Any:
    """The value that is compared with, as it is stored."""
    return node.process_rhs(scope.compiler, scope.connection)[1][0]


def not_stored(node: Any) -> Exception:
    sides = f"{type(node.lhs).__name__} and {type(node.rhs).__name__}"
    return unsupported(f"lookup {node.lookup_name} on {sides}")


# Django's types allow None as a name.
LOOKUPS: dict[str | None, Callable[[Scope, Any], Truth]] = {
    **dict.fromkeys(OPERATORS, comparison),
    "in": in_list,
    "isnull": is_null,
    "range": between,
}
