"""The plan of a SELECT: decides which kind of command reads its rows.

In: a SELECT compiler. Out: the first of these that suits its query.

| kind | query | command |
|---|---|---|
| plain find (`plain_reads`) | all fields of one collection, filtered, ordered, sliced | `Find` |
| groups (`groups`) | GROUP BY, DISTINCT | `Aggregate` with a `$group` |
| one row (`one_row`) | aggregates without GROUP BY | `SingleRow` |
| find | stored columns of one collection | `Find` |
| pipeline (`pipelines`) | joins, computed columns or a computed order | `Aggregate` |
"""

from typing import Any

from django.db.models.expressions import Col, RawSQL

from .accumulators import is_aggregate
from .command import Command
from .commands import Find
from .errors import unsupported
from .groups import grouped
from .one_row import one_row
from .pipelines import pipeline
from .plain_reads import plain_find
from .reads import Read, read_of


def plan(compiler: Any) -> Command:
    refuse_unsupported(compiler.query)
    plain = plain_find(compiler)
    if plain is not None:
        return plain
    read = read_of(compiler)
    aggregates = [node for node in read.select if is_aggregate(node)]
    if read.grouped:
        return grouped(read)
    if aggregates:
        if len(aggregates) < len(read.select) or compiler.query.is_sliced:
            raise unsupported("an aggregate beside columns without GROUP BY")
        return one_row(read)
    return stored_find(read) or pipeline(read)


def refuse_unsupported(query: Any) -> None:
    if query.combinator:
        raise unsupported(f"{query.combinator} of querysets")
    if query.distinct_fields:
        raise unsupported("distinct() on fields")
    if query.select_for_update:
        raise unsupported("select_for_update()")
    if query.extra_tables or query.extra_order_by:
        raise unsupported("extra()")


def stored_find(read: Read) -> Find | None:
    """The find() for stored columns in the order of stored columns. None if a value is computed or joined."""
    if read.joins or not all(isinstance(node, (Col, RawSQL)) for node in read.select):
        return None
    sort: dict[str, int] = {}
    for node, direction in read.order_by:
        path = read.scope.path(node)
        if path is None:
            return None
        sort.setdefault(path, direction)
    where = read.compiler.filter(read.scope, read.where)
    columns = [read.scope.stored_path(node) for node in read.select]
    return Find(read.collection, where, columns, sort, read.skip, read.limit)
