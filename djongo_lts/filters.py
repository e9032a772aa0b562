"""Filters: translates Django's where tree to a MongoDB filter, with SQL's three-valued logic.

In: a WhereNode and the Scope that says where its columns are stored. Out: a dict, or None if nothing can match. For
example `filter(seq__gte=1).exclude(note="x")` gives `{"seq": {"$gte": 1}, "$nor": [{"note": "x"}, ..]}`.
"""

import datetime

from django.conf import settings
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import Exists, lookups
from django.db.models.expressions import Col, NegatedExpression
from django.db.models.functions import TruncDate
from django.db.models.sql.query import Query
from django.db.models.sql.where import AND, XOR, NothingNode, WhereNode
from django.utils import timezone

from .errors import unsupported
from .expressions import expression
from .logic import Filter, all_of, any_of, none_of
from .scope import Scope, is_json_column
from .subqueries import Subqueries
from .text_lookups import TextLookups

OPERATORS = {"exact": "$eq", "gt": "$gt", "gte": "$gte", "lt": "$lt", "lte": "$lte"}


class Where(Subqueries, TextLookups):
    """Translates the conditions of one scope.

    MongoDB has no "unknown" as the result of a comparison with null. Below an odd number of NOTs (`negated`) such a
    comparison must be true, so that the NOT makes it false. Elsewhere it must be false, as it is in MongoDB.
    `top` is true while only ANDs are above: only there MongoDB accepts $text.
    """

    def __init__(self, scope: Scope):
        self.scope, self.connection = scope, scope.connection

    def filter(self, node, negated: bool = False, top: bool = True) -> Filter:
        if node is None or not node.children:
            return {}
        if node.connector == XOR:
            raise unsupported("XOR")
        inner, conjunction = negated ^ node.negated, node.connector == AND
        top = top and conjunction and not node.negated
        # Django writes NOT (a = 1 AND a IS NOT NULL). Beside that guard, a comparison with a is never unknown.
        guarded = [c.lhs for c in node.children if type(c) is lookups.IsNull and not c.rhs] if inner else []
        parts, decisive = [], None if conjunction else {}
        for child in node.children:
            parts.append(self.condition(child, inner, top, guarded))
            if parts[-1] == decisive:
                # The result is known, so no further subquery has to run.
                break
        result = all_of(parts) if conjunction else any_of(parts)
        return none_of(result) if node.negated else result

    def condition(self, node, negated: bool, top: bool, guarded: list) -> Filter:
        if isinstance(node, WhereNode):
            return self.filter(node, negated, top)
        if isinstance(node, NothingNode):
            return None
        if isinstance(node, NegatedExpression):
            return none_of(self.condition(node.expression, not negated, False, []))
        if isinstance(node, Exists):
            return self.exists(node.query)
        if not isinstance(node, lookups.Lookup) or getattr(node, "bilateral_transforms", None):
            raise unsupported(node)
        if isinstance(node, lookups.Exact) and isinstance(
            node.lhs, (Exists, NegatedExpression, lookups.Lookup)
        ):
            if node.rhs is True:
                return self.condition(node.lhs, negated, top, [])
            raise unsupported("a condition compared with a value other than True")
        if isinstance(node.lhs, lookups.Lookup):
            raise unsupported("a lookup on a condition")
        try:
            result = self.lookup(node, negated, top)
        except EmptyResultSet:
            return None
        except FullResultSet:
            return {}
        if negated and result is not None and node.lookup_name != "isnull" and node.lhs not in guarded:
            path = self.scope.path(node.lhs)
            if path is not None and "$expr" not in result and self.scope.nullable(node.lhs):
                return any_of([result, {path: None}])
        return result

    # --- one lookup

    def lookup(self, node, negated: bool, top: bool) -> Filter:
        name, rhs = node.lookup_name, node.rhs
        direct = node.rhs_is_direct_value()
        if direct and name in OPERATORS and type(node.lhs) is Col and not is_json_column(node.lhs):
            # Most lookups are of this kind, so it is checked first.
            return self.native_comparison(node, self.scope.stored_path(node.lhs))
        if isinstance(node, lookups.YearLookup) and direct and (path := self.scope.path(node.lhs.lhs)):
            first, last = node.year_lookup_bounds(self.connection, int(rhs))
            return self.time_range(path, name, {"$gte": first}, {"$lte": last}, node.lhs.lhs, negated)
        if (
            isinstance(node.lhs, TruncDate)
            and direct
            and name in OPERATORS
            and (path := self.scope.path(node.lhs.lhs))
        ):
            return self.time_range(path, name, *self.day_bounds(node), node.lhs.lhs, negated)
        path = self.scope.path(node.lhs)
        if name == "isnull":
            if not isinstance(rhs, bool):
                raise ValueError("The QuerySet value for an isnull lookup must be True or False.")
            if path is None:
                op = "$lte" if rhs else "$gt"
                return {"$expr": {op: [expression(self.scope, node.lhs), None]}}
            return {path: None} if rhs else {path: {"$ne": None}}
        if path is None or (not direct and not isinstance(rhs, Query)):
            return self.computed_comparison(node, negated)
        if is_json_column(node.lhs):
            raise unsupported("a lookup on a JSON field")
        if name == "in":
            return self.in_list(node, path, negated)
        if isinstance(rhs, Query):
            if name != "exact":
                raise unsupported(f"lookup {name} with a subquery")
            return self.in_list(node, path, negated, scalar=True)
        if name in OPERATORS:
            return self.native_comparison(node, path)
        if name == "range":
            low, high = node.get_db_prep_lookup(rhs, self.connection)[1]
            if any(bound is None or hasattr(bound, "resolve_expression") for bound in (low, high)):
                raise unsupported("a range with None or an expression")
            return {path: {"$gte": low, "$lte": high}}
        return self.text_lookup(node, path, name, top, negated)

    def native_comparison(self, node, path: str) -> Filter:
        value = node.process_rhs(self.scope.compiler, self.connection)[1][0]
        if value is None:
            raise unsupported("a comparison with None")
        return {path: value} if node.lookup_name == "exact" else {path: {OPERATORS[node.lookup_name]: value}}

    def time_range(self, path, name, first: dict, last: dict, column, negated) -> Filter:
        """A comparison with a time range, such as the year 2024.

        `first` and `last` are its bounds as conditions, for example `{"$gte": start}` and `{"$lt": end}`.
        """
        (_, start), ((closing, end),) = *first.items(), last.items()
        after = "$gt" if closing == "$lte" else "$gte"
        result = {
            "exact": {**first, **last},
            "gt": {after: end},
            "gte": first,
            "lt": {"$lt": start},
            "lte": last,
        }[name]
        if negated and self.scope.nullable(column):
            return any_of([{path: result}, {path: None}])
        return {path: result}

    def day_bounds(self, node) -> tuple[dict, dict]:
        """The bounds of a day as conditions on the datetime, so that its index serves a lookup such as at__date."""
        day = node.rhs
        start, end = (
            datetime.datetime.combine(date, datetime.time())
            for date in (day, day + datetime.timedelta(days=1))
        )
        if node.lhs.lhs.output_field.get_internal_type() == "DateTimeField" and settings.USE_TZ:
            zone = node.lhs.tzinfo or timezone.get_current_timezone()
            start, end = start.replace(tzinfo=zone), end.replace(tzinfo=zone)
        return {"$gte": start}, {"$lt": end}

    def computed_comparison(self, node, negated: bool) -> Filter:
        """A comparison with a computed side, as an $expr. No index serves it."""
        name = node.lookup_name
        if name not in OPERATORS or is_json_column(node.lhs):
            raise unsupported(f"lookup {name} on {type(node.lhs).__name__} and {type(node.rhs).__name__}")
        left, right = expression(self.scope, node.lhs), node.rhs
        maybe_null = [left] if self.scope.nullable(node.lhs) else []
        if node.rhs_is_direct_value():
            value = node.process_rhs(self.scope.compiler, self.connection)[1][0]
            right = {"$literal": value}
        elif isinstance(right, Query):
            raise unsupported("a subquery compared with an expression")
        else:
            if self.scope.nullable(right):
                maybe_null.append(expression(self.scope, right))
            right = expression(self.scope, right)
        test = {OPERATORS[name]: [left, right]}
        if maybe_null and negated:
            test = {"$or": [*({"$lte": [side, None]} for side in maybe_null), test]}
        elif maybe_null:
            test = {"$and": [*({"$gt": [side, None]} for side in maybe_null), test]}
        return {"$expr": test}
