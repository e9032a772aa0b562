"""Reads: builds the command for a SELECT, a find() if possible, otherwise an aggregation pipeline.

In: a compiler that has split its query into a select list, a where tree, groups and an order. Out: a Find, an
Aggregate or a SingleRow. For example `values("room").annotate(Max("seq"))` gives an Aggregate with
`[{"$group": {"_id": {"k0": ..}, "a0": {"$max": "$seq"}}}]` and the paths `["_id.k0", "a0"]` of its columns.
"""

from itertools import groupby

from django.core.exceptions import EmptyResultSet
from django.db.models.expressions import Col, RawSQL
from django.db.models.sql.where import AND, WhereNode

from .commands import Aggregate, Find, SingleRow
from .errors import unsupported
from .expressions import expression
from .filters import Where
from .grouping import Accumulators, aggregates_in, filter_of, is_aggregate, one_row_pipeline
from .joins import joins
from .logic import NEVER
from .scope import JOINED_PREFIX, Scope, aliases, unwrapped


class SelectBuilder:
    """Builds the command for one SELECT. `order_by` and `grouped` come from Django's pre_sql_setup()."""

    def __init__(self, compiler, order_by, grouped: bool):
        self.compiler, self.query = compiler, compiler.query
        self.select = [node for node, _, _ in compiler.select]
        self.order_by = [self.ordering(node) for node, _ in order_by]
        self.grouped = grouped or self.query.distinct or compiler.having is not None
        self.base = compiler.base_alias()
        self.collection = self.query.alias_map[self.base].table_name
        self.joins = joins(self.query, self.base)
        outer = {join.alias for join in self.joins if join.outer}
        self.scope = Scope(compiler, self.base, {join.alias for join in self.joins}, outer)
        self.skip = self.query.low_mark
        self.limit = 0
        if self.query.high_mark is not None:
            self.limit = self.query.high_mark - self.skip
            if not self.limit:
                raise EmptyResultSet

    @staticmethod
    def ordering(node):
        if (node.nulls_first and node.descending) or (node.nulls_last and not node.descending):
            raise unsupported("nulls_first or nulls_last against MongoDB's order")
        return unwrapped(node.expression), -1 if node.descending else 1

    def command(self):
        aggregates = [node for node in self.select if is_aggregate(node)]
        if aggregates and not self.grouped:
            if len(aggregates) < len(self.select) or self.query.is_sliced:
                raise unsupported("an aggregate beside columns without GROUP BY")
            return self.aggregated()
        if not self.joins and not self.grouped and (found := self.simple_find()) is not None:
            return found
        return self.pipeline()

    def simple_find(self) -> Find | None:
        """The find() for stored columns in the order of stored columns. None if a value has to be computed."""
        if not all(isinstance(node, (Col, RawSQL)) for node in self.select):
            return None
        sort: dict[str, int] = {}
        for node, direction in self.order_by:
            path = self.scope.path(node)
            if path is None:
                return None
            sort.setdefault(path, direction)
        where = self.compiler.filter(self.scope, self.compiler.where)
        columns = [self.scope.stored_path(node) for node in self.select]
        return Find(self.collection, where, columns, sort, self.skip, self.limit)

    def pipeline(self) -> Aggregate:
        if self.grouped:
            return Aggregate(self.collection, *self.group(self.match_and_join()))
        sort, computed = self.sort_keys()
        stages = self.match_and_join(used=set().union(*(aliases(node) for node, _ in self.order_by)))
        if computed:
            stages.append({"$set": computed})
        stages += self.sort_and_slice(sort) + self.late_joins
        project, paths = {}, []
        for position, node in enumerate(self.select):
            path = self.scope.path(node)
            if path is None:
                path = f"{JOINED_PREFIX}{position}"
                project[path] = expression(self.scope, node)
            else:
                project[path] = 1
            paths.append(path)
        if "_id" not in project:
            project["_id"] = 0
        return Aggregate(self.collection, [*stages, {"$project": project}], paths)

    def match_and_join(self, used=frozenset(), postpone=True) -> list[dict]:
        """The $match and $lookup stages.

        Conditions on the base collection come first, so that an index can serve them. A join that neither adds nor
        removes rows goes to `late_joins`, which run after sort and limit, unless `used` (a set of aliases), a
        condition or another join needs it.
        """
        where, early, rest = self.compiler.where, [], []
        if where is not None:
            splittable = where.connector == AND and not where.negated
            for child in where.children if splittable else [where]:
                (early if aliases(child) <= {self.base} else rest).append(child)
        needed = set(used).union(*(aliases(child) for child in rest))
        if self.grouped or not postpone:
            needed |= {join.alias for join in self.joins}
        for join in reversed(self.joins):
            if join.alias in needed or not join.keeps_rows:
                needed |= {join.alias, join.parent}
        stages = self.match_stages(early)
        for join in self.joins:
            if join.alias in needed:
                stages += join.stages
        self.late_joins = [stage for join in self.joins if join.alias not in needed for stage in join.stages]
        return stages + self.match_stages(rest)

    def match_stages(self, children) -> list[dict]:
        where = self.compiler.filter(self.scope, WhereNode(children))
        return [{"$match": where}] if where else []

    def sort_keys(self) -> tuple[dict, dict]:
        sort: dict[str, int] = {}
        computed = {}
        for position, (node, direction) in enumerate(self.order_by):
            path = self.scope.path(node)
            if path is None:
                path = f"{JOINED_PREFIX}order{position}"
                computed[path] = expression(self.scope, node)
            sort.setdefault(path, direction)
        return sort, computed

    def sort_and_slice(self, sort: dict) -> list[dict]:
        stages = [("$sort", sort), ("$skip", self.skip), ("$limit", self.limit)]
        return [{name: value} for name, value in stages if value]

    def group(self, stages: list[dict]):
        """Adds a $group stage by the columns in SELECT, GROUP BY and ORDER BY; returns stages and column paths.

        DISTINCT becomes a group by the selected columns.
        """
        accumulators = Accumulators(self.scope)
        named: list[tuple] = []

        def path_of(node) -> str:
            for known, path in named:
                if known == node:
                    return path
            if is_aggregate(node):
                if self.query.distinct:
                    raise unsupported("distinct() with aggregates")
                path = accumulators.add(node)
            else:
                path = f"_id.k{len(named)}"
            named.append((node, path))
            return path

        paths = [path_of(node) for node in self.select]
        if self.query.group_by and self.query.group_by is not True:
            for node in self.query.group_by:
                path_of(unwrapped(node if hasattr(node, "as_sql") else self.query.resolve_ref(node)))
        for node, _ in self.order_by:
            path_of(node)
        having = self.compiler.having
        if having is not None:
            for node in aggregates_in(having):
                path_of(node)
        keys = {
            path.removeprefix("_id."): {"$ifNull": [expression(self.scope, node), None]}
            for node, path in named
            if path.startswith("_id.")
        }
        stages = [*stages, {"$group": {"_id": keys, **accumulators.group}}, *accumulators.final_stages()]
        if having is not None:
            after = Scope(self.compiler, None, named=named)
            found = self.compiler.filter(after, having)
            stages += [{"$match": found}] if found else []
        sort: dict[str, int] = {}
        for node, direction in self.order_by:
            sort.setdefault(path_of(node), direction)
        return stages + self.sort_and_slice(sort), paths

    def aggregated(self):
        """The command for aggregate(): one row, with one pipeline for each run of aggregates with equal filters."""
        stages = self.match_and_join(postpone=False)
        parts = [
            self.aggregate_part(stages, condition, list(nodes))
            for condition, nodes in groupby(self.select, filter_of)
        ]
        return SingleRow(self.collection, parts)

    def aggregate_part(self, stages, condition, nodes):
        match = []
        if condition is not None:
            where = Where(self.scope).filter(condition)
            match = [{"$match": NEVER if where is None else where}]
        return one_row_pipeline(self.scope, [*stages, *match], nodes)
