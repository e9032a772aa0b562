"""The compiler for aggregates over a subquery."""

from django.db.models.sql import compiler as sql

from .accumulators import filter_of, is_count_all
from .command import Command
from .commands import SingleRow
from .errors import unsupported
from .one_row import part_of_row
from .scope import Scope, references
from .statement import MongoCompiler


class SQLAggregateCompiler(MongoCompiler, sql.SQLAggregateCompiler):
    def command(self) -> Command:
        """The command for aggregates over the rows of a distinct, sliced or grouped query."""
        selected = list(self.query.annotation_select.values())
        self.col_count = len(selected)
        inner = self.query.inner_query.get_compiler(self.using, elide_empty=self.elide_empty)
        command = inner.command()
        self.list_bytes += inner.list_bytes
        if len(selected) == 1 and is_count_all(selected[0]):
            return command.count()
        stages, paths = command.stages()
        if len(paths) != len(inner.select) or any(filter_of(node) is not None for node in selected):
            raise unsupported("this aggregate over a distinct, sliced or annotated query")
        paths_by_alias = {alias: path for (_, _, alias), path in zip(inner.select, paths, strict=True)}
        named = [(ref, paths_by_alias[ref.refs]) for node in selected for ref in references(node)]
        return SingleRow(command.collection, [part_of_row(Scope(self, None, named=named), stages, selected)])
