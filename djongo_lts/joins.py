"""SQL joins as $lookup stages.
Knows a query's alias map; must not know what is selected.
"""

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
    # a many-to-one join neither adds nor removes rows, so it can wait until after sort and limit
    keeps_rows: bool
    stages: list[dict]


def joins(query: Query, base: str) -> list[Join]:
    """The joins of the query's active aliases, each after the one it hangs on."""
    found: list[Join] = []
    outer: set[str] = set()
    for alias in query.alias_map:
        if alias == base or not query.alias_refcount[alias]:
            continue
        table = query.alias_map[alias]
        if table.parent_alias is None or table.filtered_relation or len(table.join_cols) != 1:
            raise unsupported("a join with a condition of its own")
        field = table.join_field
        if field.get_extra_restriction(alias, table.parent_alias):
            raise unsupported("a generic relation")
        (local, foreign), is_outer = table.join_fields[0], table.join_type == LOUTER
        if foreign.null and (local.null or table.parent_alias in outer):
            raise unsupported(
                "a join between columns that may both be null"
            )  # $lookup would match null with null
        if is_outer:
            outer.add(alias)
        name = f"{JOINED_PREFIX}{alias}"
        place = (
            local.column
            if table.parent_alias == base
            else f"{JOINED_PREFIX}{table.parent_alias}.{local.column}"
        )
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
                            "localField": place,
                            "foreignField": foreign.column,
                            "as": name,
                        }
                    },
                    {"$unwind": {"path": f"${name}", "preserveNullAndEmptyArrays": is_outer}},
                ],
            )
        )
    return found
