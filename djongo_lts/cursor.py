"""The cursor: runs one command in the place of a SQL string, so that query logging and execute wrappers work.
Knows commands only as callables; must not know what they ask.
"""

from itertools import islice
from typing import Any

import djongo.base  # noqa: F401  before djongo.cursor, which imports it in a circle
from djongo.cursor import Cursor as DjongoCursor

from .errors import DRIVER_ERRORS, django_error, unsupported


class Result:
    """What a command brought: rows, perhaps still arriving, or a count of documents."""

    __slots__ = ("count", "rows", "source")

    def __init__(self, rows=(), count: int = -1, source=None):
        self.rows, self.count, self.source = iter(rows), count, source

    def close(self) -> None:
        if self.source is not None:
            self.source.close()


class Cursor(DjongoCursor):
    """Makes Django's errors and minds broken transactions by itself, so that it can do without Django's wrapper."""

    def __init__(self, connection):
        super().__init__(connection.client_connection, connection.connection, connection.djongo_connection)
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        # djongo's answers any unknown name with a collection
        raise AttributeError(name)

    def __enter__(self):
        return self

    def execute(self, sql, params=None):
        if not callable(sql):
            raise unsupported("raw SQL")
        self.connection.validate_no_broken_transaction()
        self.result = self._guard(sql, self.connection.collections)

    def executemany(self, sql, params):
        raise unsupported("raw SQL")

    @property
    def rowcount(self) -> int:
        return -1 if self.result is None else self.result.count

    def fetchmany(self, size: int = 1) -> list:
        return self._guard(list, islice(self.result.rows, size))

    def fetchone(self):
        return self._guard(next, self.result.rows, None)

    def fetchall(self) -> list:
        return self._guard(list, self.result.rows)

    def _guard(self, function, *args):
        try:
            return function(*args)
        except DRIVER_ERRORS as error:
            raise django_error(error) from error
