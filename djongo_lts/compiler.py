"""Django's SQL compilers under the names it looks for; here those of SELECT.
Knows which query becomes which command; must not know how lookups are translated.
"""

import json
from dataclasses import dataclass

from django.core.exceptions import EmptyResultSet, FieldDoesNotExist
from django.db.models.sql import compiler as sql

from .commands import Count, Exists, Find, OneRow
from .errors import refused
from .filters import Where
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

    def selects_whole(self) -> bool:
        query = self.query
        return not (
            not query.default_cols
            or query.selected is not None
            or query.select_related
            or query.annotations
            or query.extra
            or query.deferred_loading[0]
            or query.model._meta.concrete_model._meta.parents
        )

    def get_select(self, with_col_aliases=False):
        if with_col_aliases or not self.selects_whole():
            return super().get_select(with_col_aliases)
        options, alias = self.query.model._meta, self.query.get_initial_alias()
        whole = options.__dict__.get("djongo_lts_whole")
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
        if self.alone() and self.selects_whole() and (sort := self.own_order()) is not None:
            return self.plain(sort)
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

    def own_order(self) -> dict[str, int] | None:
        """The order where it names the model's own columns, for which Django needs a hundred microseconds."""
        query, options, order = self.query, self.query.get_meta(), {}
        if query.extra_order_by or (query.default_ordering and options.ordering and not query.order_by):
            return None
        for name in query.order_by:
            try:
                field = options.get_field(name.removeprefix("-"))
            except (AttributeError, FieldDoesNotExist):  # an expression, a path over a relation, "?", "pk"
                return None
            if field.is_relation or not field.concrete:
                return None
            order.setdefault(field.column, -1 if name.startswith("-") == query.standard_ordering else 1)
        return order

    def plain(self, sort: dict[str, int]) -> Find:
        """Whole documents of one collection, the most frequent of queries, without what the others need."""
        self.setup_query()
        self.has_extra_select = False
        low, high = self.query.low_mark, self.query.high_mark
        if high == low:
            raise EmptyResultSet
        alias = self.base_alias()
        where = self.filter(Scope(self, alias), self.query.where)
        limit = 0 if high is None else high - low
        return Find(self.query.alias_map[alias].table_name, where, self.whole.columns, sort, low, limit)

    def alone(self) -> bool:
        """Whether it asks one collection for documents as they are stored."""
        query = self.query
        return not (
            query.combinator
            or query.annotations
            or query.distinct
            or query.extra
            or query.extra_tables
            or query.group_by is not None
            or any(used and alias != query.base_table for alias, used in query.alias_refcount.items())
        )

    def count(self) -> int | None:
        """The number of rows where one collection tells it by the filter alone; else None."""
        if self.query.is_sliced or not self.alone():
            return None
        collection, where = self.filtered()
        return 0 if where is None else self.first(Count(collection, where))[0]

    def exists(self) -> bool | None:
        """Whether there are rows, where one collection tells it by the filter alone; else None."""
        query = self.query
        if query.select_for_update or query.high_mark is not None or not self.alone():
            return None
        collection, where = self.filtered()
        return where is not None and self.first(Exists(collection, where, query.low_mark)) is not None

    def filtered(self):
        alias = self.base_alias()
        return self.query.alias_map[alias].table_name, Where(Scope(self, alias)).filter(self.query.where)

    def first(self, command):
        with self.connection.cursor() as cursor:
            cursor.execute(command)
            return cursor.fetchone()

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
