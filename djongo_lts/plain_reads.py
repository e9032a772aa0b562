"""Plain reads, the fast path: a query for all fields of one collection, in the order of stored columns.

It is the most frequent one: get(), a page of messages, and count() and exists() with a filter only. Most of the CPU
time of such a query goes into Django's set-up, which a plain read leaves out.

In: a SELECT compiler. Out: `Find("message", {"room_id": ..}, columns, {"seq": 1}, 0, 50)`, or None if its query is
not plain. `plan.py` then takes the longer way, which gives the same rows.
"""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet, FieldDoesNotExist

from .command import projection_of
from .commands import Find
from .scope import Scope


@dataclass
class FullSelect:
    """The select list "every field of the model". It never changes, so it is kept in the model's `_meta`."""

    # The model's concrete_fields at that time. Django replaces the list when the model changes.
    fields: list[Any]
    alias: str
    select: list[Any]
    klass_info: dict[str, Any]
    columns: list[str]
    projection: dict[str, Any]
    converters: dict[int, Any]


def full_select(compiler: Any, django: Any) -> FullSelect:
    """The cached list of the compiler's model. `django` has the methods that compute it: the compiler's super()."""
    options, alias = compiler.query.model._meta, compiler.query.get_initial_alias()
    cached: FullSelect | None = options.__dict__.get("djongo_lts_full_select")
    if cached is None or cached.fields is not options.concrete_fields or cached.alias != alias:
        select, klass_info, _ = django.get_select()
        nodes = [node for node, _, _ in select]
        columns = [node.target.column for node in nodes]
        cached = FullSelect(
            options.concrete_fields,
            alias,
            select,
            klass_info,
            columns,
            projection_of(columns),
            django.get_converters(nodes),
        )
        options.djongo_lts_full_select = cached
    return cached


def plain_find(compiler: Any) -> Find | None:
    """The find() of a plain read, or None."""
    query = compiler.query
    if not (reads_one_collection(query) and selects_all_fields(query)):
        return None
    sort = plain_order(query)
    if sort is None:
        return None
    compiler.setup_query()
    compiler.has_extra_select = False
    low, high = query.low_mark, query.high_mark
    if high == low:
        raise EmptyResultSet
    alias = compiler.base_alias()
    where = compiler.filter(Scope(compiler, alias), query.where)
    limit = 0 if high is None else high - low
    table, full = query.alias_map[alias].table_name, compiler.full_select
    return Find(table, where, full.columns, sort, low, limit, full.projection)


def selects_all_fields(query: Any) -> bool:
    return not (
        not query.default_cols
        or query.selected is not None
        or query.select_related
        or query.annotations
        or query.extra
        or query.deferred_loading[0]
        or query.model._meta.concrete_model._meta.parents
    )


def reads_one_collection(query: Any) -> bool:
    """Whether the query reads stored documents of one collection: no join, annotation, group or combinator."""
    return not (
        query.combinator
        or query.annotations
        or query.distinct
        or query.extra
        or query.extra_tables
        or query.group_by is not None
        or any(used and alias != query.base_table for alias, used in query.alias_refcount.items())
    )


def plain_order(query: Any) -> dict[str, int] | None:
    """The sort keys if the query orders only by columns of its model, for example `{"at": -1, "seq": 1}`.

    None for any other order. This avoids about 100 µs in Django's get_order_by().
    """
    options = query.get_meta()
    order: dict[str, int] = {}
    if query.extra_order_by or (query.default_ordering and options.ordering and not query.order_by):
        return None
    for name in query.order_by:
        try:
            field = options.get_field(name.removeprefix("-"))
        # An expression, a path over a relation, "?" or "pk".
        except (AttributeError, FieldDoesNotExist):
            return None
        if field.is_relation or not field.concrete:
            return None
        order.setdefault(field.column, -1 if name.startswith("-") == query.standard_ordering else 1)
    return order
