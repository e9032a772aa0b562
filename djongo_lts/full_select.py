"""The select list "every field of the model". It never changes, so it is computed once and kept in `_meta`."""

from dataclasses import dataclass
from typing import Any

from .command import projection_of


@dataclass
class FullSelect:
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
