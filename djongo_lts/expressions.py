"""Expressions: translates F(), values, functions and arithmetic to MongoDB's aggregation expressions.

In: a Scope and an expression of Django, such as `F("seq") + 1`. Out: `{"$add": ["$seq", {"$literal": 1}]}`.
`filters.py` translates conditions.
"""

import re
from collections.abc import Callable
from typing import Any

from django.db.models import Case, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Cast, Greatest, TruncDate
from django.db.models.functions.datetime import Extract, TruncBase, TruncTime
from django.db.models.lookups import Exact

from .errors import unsupported
from .field_types import INTEGERS, NUMBERS, internal_type
from .parts import Document
from .scope import Scope

ARITHMETIC = {"+": "$add", "-": "$subtract", "*": "$multiply"}
PARTS = {
    "year": "$year", "iso_year": "$isoWeekYear", "month": "$month", "day": "$dayOfMonth", "week": "$isoWeek",
    "week_day": "$dayOfWeek", "iso_week_day": "$isoDayOfWeek", "hour": "$hour", "minute": "$minute",
    "second": "$second",
}  # fmt: skip
UNITS = {"year", "quarter", "month", "week", "day", "hour", "minute", "second"}


def expression(scope: Scope, node: Any) -> Any:
    """The aggregation expression for a node, for example `{"$add": ["$seq", {"$literal": 1}]}` for F("seq") + 1.

    Raises NotSupportedError for an expression without a translation.
    """
    path = scope.path(node)
    if path is not None:
        return f"${path}"
    if isinstance(node, Value):
        return literal(scope, node)
    if type(node) in TRANSLATIONS:
        return TRANSLATIONS[type(node)](scope, node)
    if isinstance(node, Extract) and node.lookup_name in PARTS:
        return {
            PARTS[node.lookup_name]: {"date": expression(scope, node.lhs), "timezone": timezone_name(node)}
        }
    if isinstance(node, TruncDate):
        return truncated_date(scope, node, "day")
    if isinstance(node, TruncBase) and not isinstance(node, TruncTime) and node.kind in UNITS:
        return truncated_date(scope, node, node.kind)
    if hasattr(node, "as_djongo"):
        sources = [expression(scope, source) for source in node.get_source_expressions()]
        return node.as_djongo(*sources, scope.connection)
    raise unsupported(node)


def arithmetic(scope: Scope, node: Any) -> Document:
    if node.connector not in ARITHMETIC:
        raise unsupported(node)
    if node.output_field.get_internal_type() not in NUMBERS:
        raise unsupported("arithmetic on values that are not numbers")
    return {ARITHMETIC[node.connector]: [expression(scope, side) for side in (node.lhs, node.rhs)]}


def greatest(scope: Scope, node: Any) -> Document:
    if scope.nullable(node):
        # Databases differ in how they treat a null here; MongoDB ignores it.
        raise unsupported("Greatest() of a nullable expression")
    return {"$max": [expression(scope, source) for source in node.get_source_expressions()]}


def integer_as_text(scope: Scope, node: Any) -> Document:
    """The only supported Cast: the admin's search by "number__exact" needs it."""
    source = node.get_source_expressions()[0]
    if internal_type(node) != "CharField" or internal_type(source) not in INTEGERS:
        raise unsupported(node)
    return {"$toString": expression(scope, source)}


def literal(scope: Scope, node: Any) -> Document:
    """The value as a $literal. Without it, MongoDB would read a string such as "$name" as a field path."""
    value = node.value
    if type(value) in (bool, float, int, str) and "output_field" not in node.__dict__:
        # These types need no preparation. Reading the output field would make Django create one to infer the type.
        return {"$literal": value}
    field = node._output_field_or_none
    if field is not None and value is not None:
        value = field.get_db_prep_value(value, scope.connection)
    return {"$literal": value}


def timezone_name(node: Any) -> str:
    """The time zone of a date function in MongoDB's notation: "Europe/Berlin", "+02:00", or "UTC" for dates."""
    if node.lhs.output_field.get_internal_type() != "DateTimeField":
        return "UTC"
    name = node.get_tzname() or "UTC"
    return re.sub(r"^UTC(?=[+-])", "", name)


def truncated_date(scope: Scope, node: Any, unit: str) -> Document:
    """The start of the unit in local time. Django expects it as wall-clock time without a time zone."""
    if node.lhs.output_field.get_internal_type() not in ("DateField", "DateTimeField"):
        raise unsupported(node)
    date = expression(scope, node.lhs)
    if (name := timezone_name(node)) != "UTC":
        shown = {"$dateToString": {"date": date, "timezone": name, "format": "%Y-%m-%dT%H:%M:%S"}}
        date = {"$dateFromString": {"dateString": shown}}
    return {"$dateTrunc": {"date": date, "unit": unit, "startOfWeek": "monday"}}


def case_by_pk(scope: Scope, node: Any) -> Document:
    """Case(When(pk=.., then=Value(..)), ..) as one search in an array of keys and one read from an array of values.

    The size of the expression tree therefore does not depend on the number of cases.
    """
    keys: list[Any] = []
    values: list[Any] = []
    path = None
    for case in node.cases:
        column, key = pk_condition(scope, case)
        if not isinstance(case.result, Value):
            raise unsupported("When(then=..) with an expression")
        path = scope.stored_path(column)
        keys.append(key)
        values.append(literal(scope, case.result)["$literal"])
    position, default = {"$indexOfArray": [{"$literal": keys}, f"${path}"]}, expression(scope, node.default)
    chosen = {"$arrayElemAt": [{"$literal": values}, "$$i"]}
    return {"$let": {"vars": {"i": position}, "in": {"$cond": [{"$gte": ["$$i", 0]}, chosen, default]}}}


def pk_condition(scope: Scope, case: Any) -> tuple[Any, Any]:
    """The column and the prepared value of When(pk=value), the only supported condition."""
    condition = case.condition
    while getattr(condition, "children", None) and len(condition.children) == 1 and not condition.negated:
        condition = condition.children[0]
    column = getattr(getattr(condition, "lhs", None), "target", None)
    if (
        isinstance(condition, Exact)
        and condition.rhs_is_direct_value()
        and getattr(column, "primary_key", False)
    ):
        return condition.lhs, condition.process_rhs(scope.compiler, scope.connection)[1][0]
    raise unsupported("When() with a condition other than pk=value")


TRANSLATIONS: dict[type, Callable[[Scope, Any], Document]] = {
    Case: case_by_pk,
    Cast: integer_as_text,
    CombinedExpression: arithmetic,
    Greatest: greatest,
}
