"""Which errors of a database are a refusal, from real refusals of SQLite and in the forms of the other drivers.

tests/test_refused_writes.py has PostgreSQL and MongoDB refuse.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg.errors
import pytest
from django.db import DatabaseError, InternalError, OperationalError
from django.db.backends.sqlite3.base import DatabaseWrapper
from pymongo.errors import BulkWriteError, OperationFailure

from foundation.database_errors import WritesRefused, as_unavailable, keeps_connection
from foundation.errors import Unavailable

pytestmark = pytest.mark.once  # brings its own SQLite


@pytest.fixture
def sqlite(tmp_path: Path, django_db_blocker: Any) -> Iterator[DatabaseWrapper]:
    """A connection as Django makes it, with one table."""
    options = {"NAME": tmp_path / "db.sqlite3", "OPTIONS": {"timeout": 0}}
    unset = {"AUTOCOMMIT": True, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False, "TIME_ZONE": None}
    connection = DatabaseWrapper({**unset, **options}, "errors")
    with django_db_blocker.unblock():
        run(connection, "CREATE TABLE rows (text)")
        yield connection
        connection.close()


def run(connection: DatabaseWrapper, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def error_of_insert(connection: DatabaseWrapper) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        run(connection, "INSERT INTO rows VALUES (zeroblob(100000))")
    return caught.value


def test_error_when_sqlite_is_full_then_refused_and_kept_open(sqlite: DatabaseWrapper) -> None:
    run(sqlite, "PRAGMA max_page_count = 4")
    error = error_of_insert(sqlite)
    assert isinstance(as_unavailable(error), WritesRefused)
    assert keeps_connection(error)


def test_error_when_sqlite_is_read_only_then_refused_and_opened_anew(sqlite: DatabaseWrapper) -> None:
    run(sqlite, "PRAGMA query_only = on")
    error = error_of_insert(sqlite)
    assert isinstance(as_unavailable(error), WritesRefused)
    assert not keeps_connection(error)


def test_error_when_sqlite_is_locked_then_refused(sqlite: DatabaseWrapper) -> None:
    other = sqlite3.connect(sqlite.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert isinstance(as_unavailable(error_of_insert(sqlite)), WritesRefused)
    other.close()


def caused_by(cause: Exception, kind: type[DatabaseError]) -> DatabaseError:
    error = kind(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        caused_by(psycopg.errors.DiskFull(), OperationalError),
        caused_by(psycopg.errors.ReadOnlySqlTransaction(), InternalError),
        caused_by(psycopg.errors.CannotConnectNow(), OperationalError),
        caused_by(OperationFailure("full", 14031, {"code": 14031}), OperationalError),
        caused_by(BulkWriteError({"writeErrors": [{"code": 10107}]}), OperationalError),
    ],
)
def test_error_when_the_server_says_so_then_refused(error: DatabaseError) -> None:
    assert isinstance(as_unavailable(error), WritesRefused)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("the connection is lost"),
        caused_by(psycopg.errors.AdminShutdown(), OperationalError),
        # It is written, and may be undone when another becomes the primary.
        caused_by(
            BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 10107}]}), OperationalError
        ),
    ],
)
def test_error_when_nobody_knows_then_unavailable_and_no_refusal(error: DatabaseError) -> None:
    unavailable = as_unavailable(error)
    assert isinstance(unavailable, Unavailable)
    assert not isinstance(unavailable, WritesRefused)


@pytest.mark.parametrize("error", [InternalError("bug"), DatabaseError("bug"), ValueError()])
def test_error_when_it_is_another_then_none(error: Exception) -> None:
    assert as_unavailable(error) is None
