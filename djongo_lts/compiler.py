"""Django's SQL compilers under the names it looks for; here those of SELECT.
Knows which query becomes which command; must not know how lookups are translated.
"""

import json
from dataclasses import dataclass

from django.core.exceptions import EmptyResultSet
from django.db.models.sql import compiler as sql

from .commands import OneRow
from .errors import refused
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
        _, order_by, group_by = self.pre_sql_setup()
        if self.qualify is not None:
            raise refused("filters on window functions")
        if group_by and self._meta_ordering:
            order_by = []  # a model's own order neither orders groups nor divides them
        return Read(self, order_by, bool(group_by)).command()

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
