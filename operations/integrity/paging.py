"""Reads a table page by page, by its primary key: no cursor stays open, and each page is as new as its query."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

PAGE = 500


def pages(rows: QuerySet[Any], *columns: str, size: int = PAGE) -> Iterator[list[tuple[Any, ...]]]:
    """Yield lists of tuples of these columns, of which the first is "pk". The order is that of the keys."""
    assert columns[0] == "pk"
    ordered = rows.order_by("pk").values_list(*columns)
    page = list(ordered[:size])
    while page:
        yield page
        page = list(ordered.filter(pk__gt=page[-1][0])[:size])
