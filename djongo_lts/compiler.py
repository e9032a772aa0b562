"""The compilers, under the class names that Django looks up. The one for SELECT is defined here.

In: Django's Query. Out: a command, such as `Find("message", {"seq": 7}, columns)`, on which `plan.py` decides, and
later its rows. Django calls the methods `as_sql()`, `execute_sql()`, `results_iter()` and `explain_query()`;
`counts.py` calls `count()` and `exists()`.
"""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models.sql import compiler as sql
from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE, MULTI

from .aggregates import SQLAggregateCompiler
from .command import Command
from .commands import Count, Exists
from .filters import where_filter
from .inserts import SQLInsertCompiler
from .logic import Filter
from .plain_reads import FullSelect, full_select, reads_one_collection, selects_all_fields
from .plan import plan
from .rows import Converters
from .scope import Scope
from .statement import MongoCompiler
from .updates import SQLDeleteCompiler, SQLUpdateCompiler

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]


class SQLCompiler(MongoCompiler, sql.SQLCompiler):
    # What it selects, if that is every field of its model.
    full_select: FullSelect | None = None

    def command(self) -> Command:
        return plan(self)

    # --- set-up

    def pre_sql_setup(self, with_col_aliases: bool = False) -> tuple[list[Any], list[Any], list[Any]]:
        query = self.query
        if query.group_by is not None or query.annotations or with_col_aliases:
            return super().pre_sql_setup(with_col_aliases)
        # Without groups the whole tree is WHERE and none of it HAVING. Django would walk the tree to find out.
        self.setup_query()
        order_by = self.get_order_by()
        self.where, self.having, self.qualify = query.where, None, None
        extra_select = self.get_extra_select(order_by, self.select)
        self.has_extra_select = bool(extra_select)
        return extra_select, order_by, []

    def get_select(self, with_col_aliases: bool = False) -> Any:
        if with_col_aliases or not selects_all_fields(self.query):
            return super().get_select(with_col_aliases)
        cached = full_select(self, super())
        self.full_select = cached
        return list(cached.select), cached.klass_info.copy(), {}

    def get_converters(self, expressions: Any) -> Converters:
        if self.full_select is None:
            return super().get_converters(expressions)
        return self.full_select.converters

    # --- results

    def execute_sql(
        self,
        result_type: Any = MULTI,
        chunked_fetch: bool = False,
        chunk_size: int = GET_ITERATOR_CHUNK_SIZE,
    ) -> Any:
        """As Django's, with a shorter way for the rows of a SELECT: one list in place of one for each 100 rows."""
        if result_type != MULTI or chunked_fetch:
            return super().execute_sql(result_type, chunked_fetch, chunk_size)
        try:
            command, params = self.as_sql()
        except EmptyResultSet:
            return iter([])
        with self.connection.cursor() as cursor:
            cursor.execute(command, params)
            rows = cursor.fetchall()
        return [[row[: self.col_count] for row in rows] if self.has_extra_select else rows]

    def results_iter(self, results: Any = None, *args: Any, **kwargs: Any) -> Iterator[Any]:
        if results is None or self.full_select is None:
            return super().results_iter(results, *args, **kwargs)
        # The fields of a model are no composite ones, and models take tuples as they are.
        return self.apply_converters(chain.from_iterable(results), self.full_select.converters)

    def explain_query(self) -> Iterator[str]:
        """Yields the server's query plan as one JSON string, with MongoDB's names of collections and stages."""
        try:
            command, _ = self.as_sql()
        except EmptyResultSet:
            return
        yield json.dumps(self.connection.explain(command), default=str)

    # --- count() and exists()

    def count(self) -> int | None:
        """The number of rows if a filter on one collection is enough to count them, else None."""
        if self.query.is_sliced or not reads_one_collection(self.query):
            return None
        collection, where = self.collection_and_filter()
        return 0 if where is None else self.first_row(Count(collection, where))[0]

    def exists(self) -> bool | None:
        """Whether the query has rows, if a filter on one collection is enough to know, else None."""
        query = self.query
        if query.select_for_update or query.high_mark is not None or not reads_one_collection(query):
            return None
        collection, where = self.collection_and_filter()
        return where is not None and self.first_row(Exists(collection, where, query.low_mark)) is not None

    def collection_and_filter(self) -> tuple[str, Filter]:
        alias = self.base_alias()
        return self.query.alias_map[alias].table_name, where_filter(Scope(self, alias), self.query.where)

    def first_row(self, command: Command) -> Any:
        with self.connection.cursor() as cursor:
            cursor.execute(self.fitting(command))
            return cursor.fetchone()
