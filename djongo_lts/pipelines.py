"""Pipelines: the stages that filter, join, sort and slice documents, and the read that needs no more than these.

In: a Read. Out: stages such as `[{"$match": {"seq": {"$gt": 1}}}, {"$lookup": ..}, {"$limit": 5}]`.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models.sql.where import AND, WhereNode

from .commands import Aggregate
from .expressions import expression
from .joins import Join
from .parts import Document
from .reads import Read
from .scope import JOINED_PREFIX, aliases


def pipeline(read: Read) -> Aggregate:
    """The command for a read without groups. Joins that do not change the set of rows run after sort and limit."""
    sort, computed = sort_keys(read)
    ordering = set().union(*(aliases(node) for node, _ in read.order_by))
    early, late = parted_conditions(read)
    needed = needed_joins(read, ordering.union(*map(aliases, late)))
    stages = matched_and_joined(read, early, needed, late)
    if computed:
        stages.append({"$set": computed})
    stages += sorted_and_sliced(read, sort)
    stages += join_stages(join for join in read.joins if join.alias not in needed)
    project, paths = projection(read)
    return Aggregate(read.collection, [*stages, {"$project": project}], paths)


def all_matching(read: Read) -> list[Document]:
    """The stages for the documents that match, with all joins done."""
    early, late = parted_conditions(read)
    return matched_and_joined(read, early, {join.alias for join in read.joins}, late)


def parted_conditions(read: Read) -> tuple[list[Any], list[Any]]:
    """The conditions on the collection itself, which come first, so that an index serves them, and the others."""
    early: list[Any] = []
    late: list[Any] = []
    if read.where is not None:
        splittable = read.where.connector == AND and not read.where.negated
        for child in read.where.children if splittable else [read.where]:
            (early if aliases(child) <= {read.scope.base} else late).append(child)
    return early, late


def needed_joins(read: Read, used: set[str]) -> set[str]:
    """The aliases whose joins cannot wait: `used` ones, those that add or remove rows, and the parents of these."""
    needed = set(used)
    for join in reversed(read.joins):
        if join.alias in needed or not join.keeps_rows:
            needed |= {join.alias, join.parent}
    return needed


def matched_and_joined(read: Read, early: list[Any], joined: set[str], late: list[Any]) -> list[Document]:
    stages = matched(read, early)
    stages += join_stages(join for join in read.joins if join.alias in joined)
    return stages + matched(read, late)


def join_stages(found: Iterable[Join]) -> list[Document]:
    return [stage for join in found for stage in join.stages]


def matched(read: Read, conditions: list[Any]) -> list[Document]:
    where = read.compiler.filter(read.scope, WhereNode(conditions))
    return [{"$match": where}] if where else []


def sort_keys(read: Read) -> tuple[dict[str, int], Document]:
    """The order by paths, and the expressions of those paths that have to be computed first."""
    sort: dict[str, int] = {}
    computed = {}
    for position, (node, direction) in enumerate(read.order_by):
        path = read.scope.path(node)
        if path is None:
            path = f"{JOINED_PREFIX}order{position}"
            computed[path] = expression(read.scope, node)
        sort.setdefault(path, direction)
    return sort, computed


def sorted_and_sliced(read: Read, sort: dict[str, int]) -> list[Document]:
    stages: list[tuple[str, Any]] = [("$sort", sort), ("$skip", read.skip), ("$limit", read.limit)]
    return [{name: value} for name, value in stages if value]


def projection(read: Read) -> tuple[Document, list[str]]:
    """The $project for the select list, and the path of each column in its documents."""
    project: Document = {}
    paths = []
    for position, node in enumerate(read.select):
        path = read.scope.path(node)
        if path is None:
            path = f"{JOINED_PREFIX}{position}"
            project[path] = expression(read.scope, node)
        else:
            project[path] = 1
        paths.append(path)
    project.setdefault("_id", 0)
    return project, paths
