"""Periods: translates comparisons with a year or a day to a range of times, so that an index serves them.

In: a lookup such as `at__year=2024` or `at__date__lt=day`. Out: `{"at": {"$gte": start, "$lte": end}}`, or
`{"at": {"$lt": start}}`.
"""

import datetime
from typing import Any

from django.conf import settings
from django.db.models import lookups
from django.db.models.functions import TruncDate
from django.utils import timezone

from .logic import Truth, known, unknown_for_null
from .scope import Scope

Bound = dict[str, datetime.datetime]


def period_lookup(scope: Scope, node: Any) -> Truth | None:
    """The filter for a comparison of a stored time with a year or a day; None for any other lookup."""
    year = isinstance(node, lookups.YearLookup)
    if not year and not isinstance(node.lhs, TruncDate):
        return None
    column = node.lhs.lhs
    path = scope.path(column)
    if not path:
        return None
    first, last = year_bounds(scope, node) if year else day_bounds(node)
    found = {path: in_period(node.lookup_name, first, last)}
    return unknown_for_null(found, path) if scope.nullable(column) else known(found)


def year_bounds(scope: Scope, node: Any) -> tuple[Bound, Bound]:
    first, last = node.year_lookup_bounds(scope.connection, int(node.rhs))
    return {"$gte": first}, {"$lte": last}


def day_bounds(node: Any) -> tuple[Bound, Bound]:
    day = node.rhs
    start, end = (
        datetime.datetime.combine(date, datetime.time()) for date in (day, day + datetime.timedelta(days=1))
    )
    if node.lhs.lhs.output_field.get_internal_type() == "DateTimeField" and settings.USE_TZ:
        zone = node.lhs.tzinfo or timezone.get_current_timezone()
        start, end = start.replace(tzinfo=zone), end.replace(tzinfo=zone)
    return {"$gte": start}, {"$lt": end}


def in_period(name: str, first: Bound, last: Bound) -> Bound:
    """The condition on a time for the lookup `name` with a period, whose first and last moment are conditions too.

    For example `{"$gte": end}` for "gt", `{"$gte": start}` and `{"$lt": end}`.
    """
    (_, start), ((closing, end),) = *first.items(), last.items()
    after = "$gt" if closing == "$lte" else "$gte"
    return {
        "exact": {**first, **last},
        "gt": {after: end},
        "gte": first,
        "lt": {"$lt": start},
        "lte": last,
    }[name]
