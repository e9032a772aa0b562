"""The cursor: runs a command object where Django passes a SQL string.

Query logging and execute wrappers therefore work as with SQL. A command is any callable that takes the
collections and returns a Result.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

# Imported before djongo.cursor, because the two import each other.
import djongo.base  # noqa: F401
from djongo.cursor import Cursor as DjongoCursor

from .errors import DRIVER_ERRORS, django_error, unsupported

Row = tuple[Any, ...]


class Result:
    """The result of a command: an iterator of row tuples, or a number of documents (-1 if it counts none).

    The rows of a pymongo cursor (`source`) still arrive; `read` makes a row of each document.
    """

    __slots__ = ("count", "read", "rows", "source")

    def __init__(
        self,
        rows: Iterable[Row] = (),
        count: int = -1,
        source: Any = None,
        read: Callable[[dict[str, Any]], Row] | None = None,
    ):
        self.rows: Iterator[Row] = iter(rows) if read is None else map(read, source)
        self.count, self.source, self.read = count, source, read

    def remaining(self) -> list[Row]:
        if self.read is None or not hasattr(self.source, "to_list"):
            return list(self.rows)
        # Whole batches cost the driver less than one document after another.
        return list(map(self.read, self.source.to_list()))

    def close(self) -> None:
        if self.source is not None:
            self.source.close()


class Cursor(DjongoCursor):
    """Converts driver errors and checks for broken transactions itself, so it needs no wrapper of Django's."""

    result: Result | None

    def __init__(self, connection: Any):
        # As djongo's, without a call of it for each cursor.
        self.client_conn, self.db_conn = connection.client_connection, connection.connection
        self.connection_properties, self.result = connection.djongo_connection, None
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        # djongo's cursor returns a collection for an unknown attribute, which hides spelling errors.
        raise AttributeError(name)

    def __enter__(self) -> "Cursor":
        return self

    def execute(self, sql: Any, params: Any = None) -> None:
        if not callable(sql):
            raise unsupported("raw SQL")
        self.connection.validate_no_broken_transaction()
        self.result = self._guard(sql, self.connection.collections)

    def executemany(self, sql: Any, params: Any) -> None:
        raise unsupported("raw SQL")

    @property
    def rowcount(self) -> int:
        return -1 if self.result is None else self.result.count

    def fetchmany(self, size: int = 1) -> list[Row]:
        return self._guard(list, islice(self._rows(), size))

    def fetchone(self) -> Row | None:
        return self._guard(next, self._rows(), None)

    def fetchall(self) -> list[Row]:
        return [] if self.result is None else self._guard(self.result.remaining)

    def _rows(self) -> Iterator[Row]:
        return iter(()) if self.result is None else self.result.rows

    def _guard(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except DRIVER_ERRORS as error:
            raise django_error(error) from error
