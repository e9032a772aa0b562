"""Marks a MongoDB database while a copy is loaded into it, which takes many commands and may be killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from django.db import connection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from accounts.models import User
from foundation import times

from .errors import BackupError

LEASE = "restore_lease"
KEY = "restore"
# Renewed with every 1000 documents and every collection.
LEASE_SECONDS = 60
UNFINISHED = "The database is half restored: run restore_database again."


class RestoreLease:
    """Held by the one restore that runs. That of a killed one stays in the database, and says that it is not whole.
    After LEASE_SECONDS another restore may take it over."""

    def __init__(self, database: Database[Any]) -> None:
        self._rows = database[LEASE]
        self._users = database[User._meta.db_table]
        self._owner = uuid4().hex

    def __enter__(self) -> Self:
        """Take the lease. Raises BackupError while another restore holds it, and for a database with users."""
        unfinished = self._rows.find_one({"_id": KEY})
        if unfinished is None and self._users.find_one() is not None:
            raise BackupError("The database has users: a copy can only be restored into an empty database.")
        over = times.now() - timedelta(seconds=LEASE_SECONDS)
        free = {"_id": KEY, "renewed_at": {"$lt": over}}
        try:
            self._rows.update_one(free, {"$set": self._state()}, upsert=True)
        except DuplicateKeyError as error:
            raise BackupError(
                f"Another restore is running, or was killed less than {LEASE_SECONDS} s ago. Try again after that."
            ) from error
        return self

    def renew(self) -> None:
        """Raises BackupError if another restore has taken over."""
        held = self._rows.update_one({"_id": KEY, "owner": self._owner}, {"$set": self._state()})
        if not held.matched_count:
            raise BackupError("Another restore has taken over, because this one paused for too long.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            self._rows.drop()
        elif isinstance(error, Exception) and not isinstance(error, PyMongoError):
            # Free for the next run at once. The mark stays.
            self._rows.update_one({"_id": KEY, "owner": self._owner}, {"$set": {"renewed_at": times.FIRST}})

    def _state(self) -> dict[str, Any]:
        return {"owner": self._owner, "renewed_at": times.now()}


def require_finished(database: Database[Any]) -> None:
    """Raises BackupError for a database that is half restored."""
    if database[LEASE].find_one() is not None:
        raise BackupError(UNFINISHED)


def is_unfinished() -> bool:
    """Whether the database is half restored. Only a MongoDB database can be."""
    if connection.vendor != "djongo":
        return False
    connection.ensure_connection()
    return connection.connection[LEASE].find_one() is not None


@contextmanager
def explained_mongodb() -> Iterator[None]:
    """Turn an error of the server into a BackupError."""
    try:
        yield
    except PyMongoError as error:
        raise BackupError(f"MongoDB refused it: {str(error)[:300]}") from error
