"""Translates the joins of a query to $lookup stages."""

from dataclasses import dataclass

from django.db.models.sql.constants import LOUTER
from django.db.models.sql.query import Query

from .errors import unsupported
from .scope import JOINED_PREFIX


@dataclass
class Join:
    alias: str
    parent: str
    outer: bool
    # A many-to-one join neither adds nor removes rows, so it can run after sort and limit.
    keeps_rows: bool
    stages: list[dict]


def joins(query: Query, base: str) -> list[Join]:
    """The joins of the query's active aliases, each after its parent. `base` is the alias they start from."""
    found: list[Join] = []
    outer: set[str] = set()
    for alias in query.alias_map:
        if alias == base or not query.alias_refcount[alias]:
            continue
        table = query.alias_map[alias]
        if table.parent_alias is None or table.filtered_relation or len(table.join_cols) != 1:
            raise unsupported("a join with an extra condition")
        field = table.join_field
        if field.get_extra_restriction(alias, table.parent_alias):
            raise unsupported("a join over a generic relation")
        (local, foreign), is_outer = table.join_fields[0], table.join_type == LOUTER
        if foreign.null and (local.null or table.parent_alias in outer):
            # $lookup matches null with null, SQL does not.
            raise unsupported("a join between two nullable columns")
        if is_outer:
            outer.add(alias)
        name = f"{JOINED_PREFIX}{alias}"
        prefix = "" if table.parent_alias == base else f"{JOINED_PREFIX}{table.parent_alias}."
        forward = getattr(field, "concrete", False) and not field.many_to_many
        found.append(
            Join(
                alias,
                table.parent_alias,
                is_outer,
                forward and (is_outer or not local.null),
                [
                    {
                        "$lookup": {
                            "from": table.table_name,
                            "localField": prefix + local.column,
                            "foreignField": foreign.column,
                            "as": name,
                        }
                    },
                    {"$unwind": {"path": f"${name}", "preserveNullAndEmptyArrays": is_outer}},
                ],
            )
        )
    return found
