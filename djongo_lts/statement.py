"""A statement: the base of all five compilers.

In: a query of Django. Out: `as_sql()` gives `(command, ())` where Django expects a SQL string and its parameters,
in parts if its IN lists are large; `apply_converters()` makes Python values of the rows that come back.
"""

import json
from itertools import chain, islice

from django.core.exceptions import EmptyResultSet
from django.db import IntegrityError
from django.db.models import JSONField
from django.db.models.expressions import OrderBy
from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE

from .errors import unsupported
from .filters import Where
from .logic import NEVER
from .operations import CONVERTED_TYPES
from .scope import Scope


class MongoCompiler:
    """Shared by the five compilers. A query shape that they do not handle raises NotSupportedError."""

    # The size of the IN lists in the command. It is known once the filters are translated.
    list_bytes = 0

    def as_sql(self, *args, **kwargs):
        return self.fitting(self.command()), ()

    def command(self):
        raise NotImplementedError

    def fitting(self, command):
        """The command, in parts if its IN lists are too large for one."""
        if self.list_bytes <= self.connection.max_list_bytes:
            return command
        return command.in_parts(self.connection.max_list_bytes)

    def compile(self, node):
        """Returns the node itself. Django compiles an expression here only to tell it apart from others."""
        if isinstance(node, OrderBy):
            return f"{id(node)} ASC", ()
        return node, ()

    def filter(self, scope: Scope, where) -> dict:
        found = Where(scope).filter(where)
        if found is None:
            if self.elide_empty:
                raise EmptyResultSet
            return NEVER
        return found

    def base_alias(self) -> str:
        """The alias of the collection that the command runs on; the others are joined to it."""
        query = self.query
        active = (alias for alias in query.alias_map if query.alias_refcount[alias])
        alias = next(active, None) or query.get_initial_alias()
        if alias is None or query.alias_map[alias].parent_alias is not None:
            raise unsupported("a query without a table")
        return alias

    def apply_converters(self, rows, converters):
        """Converts rows column by column. An engine converter runs only if a batch has a value that it changes."""
        rows = iter(rows)
        while batch := list(islice(rows, GET_ITERATOR_CHUNK_SIZE)):
            if len(batch) == 1:
                yield self.converted_row(batch[0], converters)
                continue
            types = set(map(type, chain.from_iterable(batch)))
            columns = list(zip(*batch, strict=True))
            for position, (functions, node) in converters.items():
                for function in functions:
                    if not CONVERTED_TYPES.get(function, types).isdisjoint(types):
                        columns[position] = [
                            function(value, node, self.connection) for value in columns[position]
                        ]
            yield from zip(*columns, strict=True)

    def converted_row(self, row, converters) -> tuple:
        """As for many rows: most queries for one row are a get(), for which sets and columns would cost more."""
        values = list(row)
        for position, (functions, node) in converters.items():
            for function in functions:
                changed = CONVERTED_TYPES.get(function)
                if changed is None or type(values[position]) in changed:
                    values[position] = function(values[position], node, self.connection)
        return tuple(values)

    def get_converters(self, expressions):
        converters = super().get_converters(expressions)
        for position, (functions, node) in list(converters.items()):
            if isinstance(node.output_field, JSONField):
                # JSON is stored as a document, so there is nothing to parse, unless the field has a decoder.
                if node.output_field.decoder is not None:
                    functions = [lambda value, *_: value if value is None else json.dumps(value), *functions]
                elif type(node.output_field).from_db_value is JSONField.from_db_value:
                    functions = [
                        f for f in functions if getattr(f, "__func__", f) is not JSONField.from_db_value
                    ]
                converters[position] = (functions, node)
        return converters


def not_null_error(field) -> IntegrityError:
    return IntegrityError(f"NOT NULL constraint failed: {field.model._meta.db_table}.{field.column}")
