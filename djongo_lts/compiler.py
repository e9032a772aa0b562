"""Django's SQL compilers under the names it looks for; here those of SELECT.
Knows which query becomes which command; must not know how lookups are translated.
"""

import json
from dataclasses import dataclass

from django.core.exceptions import EmptyResultSet
from django.db.models.expressions import Value
from django.db.models.sql import compiler as sql

from .commands import Count, Find, OneRow
from .errors import refused
from .expressions import literal
from .grouping import filter_of, is_count_all, one_document
from .inserts import SQLInsertCompiler
from .reads import Read
from .scope import Scope, references
from .statement import MongoCompiler
from .updates import SQLDeleteCompiler, SQLUpdateCompiler

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]


@dataclass
class Whole:
    """What "every field of the model" selects: always the same, so worked out once and kept on the model."""

    fields: list  # the model's, as they were
    alias: str
    select: list
    klass_info: dict
    columns: list[str]
    converters: dict


class SQLCompiler(MongoCompiler, sql.SQLCompiler):
    whole: Whole | None = None

    def get_select(self, with_col_aliases=False):
        query, options = self.query, self.query.model._meta
        if (
            with_col_aliases
            or not query.default_cols
            or query.selected is not None
            or query.select_related
            or query.annotations
            or query.extra
            or query.deferred_loading[0]
            or options.concrete_model._meta.parents
        ):
            return super().get_select(with_col_aliases)
        whole = options.__dict__.get("djongo_lts_whole")
        alias = query.get_initial_alias()
        if whole is None or whole.fields is not options.concrete_fields or whole.alias != alias:
            select, klass_info, _ = super().get_select()
            columns = [node for node, _, _ in select]
            whole = Whole(
                options.concrete_fields,
                alias,
                select,
                klass_info,
                [node.target.column for node in columns],
                self.get_converters(columns),
            )
            options.djongo_lts_whole = whole
        self.whole = whole
        return list(whole.select), whole.klass_info.copy(), {}

    def get_converters(self, expressions):
        return super().get_converters(expressions) if self.whole is None else self.whole.converters

    def command(self):
        query = self.query
        if query.combinator:
            raise refused(f"{query.combinator} of querysets")
        if query.distinct_fields:
            raise refused("distinct() on fields")
        if query.select_for_update:
            raise refused("select_for_update()")
        if query.extra_tables or query.extra_order_by:
            raise refused("extra()")
        if bare := self.bare():
            return bare
        _, order_by, group_by = self.pre_sql_setup()
        if self.qualify is not None:
            raise refused("filters on window functions")
        if group_by and self._meta_ordering:
            order_by = []  # a model's own order neither orders groups nor divides them
        return Read(self, order_by, bool(group_by)).command()

    def pre_sql_setup(self, with_col_aliases=False):
        query = self.query
        if query.group_by is not None or query.annotations or with_col_aliases:
            return super().pre_sql_setup(with_col_aliases)
        # Without groups all is WHERE and nothing HAVING: Django would walk the tree to learn it.
        self.setup_query()
        order_by = self.get_order_by()
        self.where, self.having, self.qualify = query.where, None, None
        extra_select = self.get_extra_select(order_by, self.select)
        self.has_extra_select = bool(extra_select)
        return extra_select, order_by, []

    def bare(self) -> Count | Find | None:
        """exists() and count() over one collection, which need no work on select lists, order and groups."""
        query = self.query
        if (
            len(query.annotations) != 1
            or query.annotation_select_mask not in (None, query.annotations.keys())
            or query.default_cols
            or query.select
            or query.extra
            or query.distinct
            or query.group_by is not None
            or query.order_by
            or query.default_ordering
            or sum(map(bool, query.alias_refcount.values())) > 1
        ):
            return None
        ((alias, node),) = query.annotations.items()
        counts = is_count_all(node) and not query.is_sliced
        if not counts and type(node) is not Value:
            return None
        limit = 0 if query.high_mark is None else query.high_mark - query.low_mark
        if query.high_mark is not None and not limit:
            raise EmptyResultSet
        # what setup_query() would have found
        self.select, self.klass_info, self.annotation_col_map = [(node, (node, ()), alias)], None, {alias: 0}
        self.col_count = 1
        base = self.base_alias()
        scope, collection = Scope(self, base), query.alias_map[base].table_name
        where = self.filter(scope, query.where)
        if counts:
            return Count(collection, where)
        constants = [(0, literal(scope, node)["$literal"])]
        return Find(collection, where, [], constants, (), query.low_mark, limit)

    def explain_query(self):
        """The server's winning plan, as JSON; collections and stages are as MongoDB names them."""
        try:
            command = self.command()
        except EmptyResultSet:
            return
        yield json.dumps(self.connection.explain(command), default=str)


class SQLAggregateCompiler(MongoCompiler, sql.SQLAggregateCompiler):
    def command(self):
        """Aggregates over the rows of a query that is distinct, sliced or grouped."""
        selected = list(self.query.annotation_select.values())
        self.col_count = len(selected)
        inner = self.query.inner_query.get_compiler(self.using, elide_empty=self.elide_empty)
        command = inner.command()
        if len(selected) == 1 and is_count_all(selected[0]):
            return command.count()
        stages, places = command.stages()
        if len(places) != len(inner.select) or any(filter_of(node) is not None for node in selected):
            raise refused("such an aggregate over a distinct, sliced or annotated query")
        found = {alias: place for (_, _, alias), place in zip(inner.select, places, strict=True)}
        named = [(ref, found[ref.refs]) for node in selected for ref in references(node)]
        return OneRow(command.collection, [one_document(Scope(self, None, named=named), stages, selected)])
