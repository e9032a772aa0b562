"""Joins: translates the joins of a query to $lookup stages.

In: Django's Query. Out: for each join the stages `[{"$lookup": {.., "as": "__T3"}}, {"$unwind": ..}]`. They put
the joined document under its alias.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models.sql.constants import LOUTER
from django.db.models.sql.query import Query

from .errors import unsupported
from .parts import Document
from .scope import JOINED_PREFIX


@dataclass
class Join:
    alias: str
    parent: str
    outer: bool
    # A many-to-one join neither adds nor removes rows, so it can run after sort and limit.
    keeps_rows: bool
    stages: list[Document]


def joins(query: Query, base: str) -> list[Join]:
    """The joins of the query's active aliases, each after its parent. `base` is the alias they start from."""
    found: list[Join] = []
    outer: set[str] = set()
    for alias in query.alias_map:
        if alias == base or not query.alias_refcount[alias]:
            continue
        table: Any = query.alias_map[alias]
        refuse_unsupported(alias, table)
        (local, foreign), is_outer = table.join_fields[0], table.join_type == LOUTER
        if foreign.null and (local.null or table.parent_alias in outer):
            # $lookup matches null with null, SQL does not.
            raise unsupported("a join between two nullable columns")
        if is_outer:
            outer.add(alias)
        prefix = "" if table.parent_alias == base else f"{JOINED_PREFIX}{table.parent_alias}."
        field = table.join_field
        forward = getattr(field, "concrete", False) and not field.many_to_many
        stages = join_stages(alias, table.table_name, prefix + local.column, foreign.column, is_outer)
        keeps_rows = forward and (is_outer or not local.null)
        found.append(Join(alias, table.parent_alias, is_outer, keeps_rows, stages))
    return found


def refuse_unsupported(alias: str, table: Any) -> None:
    if table.parent_alias is None or table.filtered_relation or len(table.join_cols) != 1:
        raise unsupported("a join with an extra condition")
    if table.join_field.get_extra_restriction(alias, table.parent_alias):
        raise unsupported("a join over a generic relation")


def join_stages(alias: str, table: str, local: str, foreign: str, outer: bool) -> list[Document]:
    name = f"{JOINED_PREFIX}{alias}"
    lookup = {"from": table, "localField": local, "foreignField": foreign, "as": name}
    unwind = {"path": f"${name}", "preserveNullAndEmptyArrays": outer}
    return [{"$lookup": lookup}, {"$unwind": unwind}]
