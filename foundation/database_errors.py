"""What an error of the database means to a client: it is away, or it refuses to store anything.

A refusal is known: the database itself said that it did not carry out the statement, because its disk is full, it
is read-only or it is locked. When the connection is lost, nobody knows.
"""

import logging
import sqlite3
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError

from .errors import Unavailable
from .log_interval import LogInterval

logger = logging.getLogger(__name__)

AWAY = "The database is away for a moment. Try again."
# Each failed write of a full disk would log the same.
LOG_EVERY_SECONDS = 5.0

SQLITE_REFUSED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
# Then the transaction may be in the file after a crash.
SQLITE_UNKNOWN = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}
# Disk full, out of memory, too many connections, read-only, starting up, I/O error.
POSTGRESQL_REFUSED = {"53100", "53200", "53300", "25006", "57P03", "58030"}
# NotWritablePrimary, LegacyNotPrimary, NotPrimaryNoSecondaryOk, OutOfDiskSpace.
MONGODB_REFUSED = {10107, 10058, 13435, 14031}

_interval = LogInterval(LOG_EVERY_SECONDS)


class WritesRefused(Unavailable):
    """The database stores nothing now, and has stored nothing of what it was asked."""

    default_message = "The server cannot store anything at the moment. Try again later."


def as_unavailable(error: BaseException) -> Unavailable | None:
    """WritesRefused or another Unavailable for an error of the database; None if it is neither. Logs a refusal."""
    if is_refusal(error):
        if count := _interval.count():
            extra = {"error": str(error).strip(), "refusals": count}
            logger.error("the database refuses to write", extra=extra)
        return WritesRefused()
    if isinstance(error, (OperationalError, InterfaceError)):
        return Unavailable(AWAY)
    return None


def is_refusal(error: BaseException) -> bool:
    """Whether the database says that it has stored nothing of the statement, and why it cannot."""
    # PostgreSQL's refusal to write in a read-only transaction is an InternalError, not an OperationalError.
    if not isinstance(error, DatabaseError):
        return False
    cause: Any = error.__cause__
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        # The low byte is the primary code, such as SQLITE_READONLY of SQLITE_READONLY_DBMOVED.
        primary = code & 0xFF
        return primary in SQLITE_REFUSED or (primary == sqlite3.SQLITE_IOERR and code not in SQLITE_UNKNOWN)
    if (state := getattr(cause, "sqlstate", None)) is not None:
        return state in POSTGRESQL_REFUSED
    details = getattr(cause, "details", None)
    return isinstance(details, dict) and _mongodb_refused(details)


def keeps_connection(error: BaseException) -> bool:
    """Whether the connection is to be used again after a refusal.

    On a full disk SQLite cannot open a database anew: that takes a new file of shared memory. A connection that is
    read-only stays so after the database has become writable.
    """
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is not None and code & 0xFF != sqlite3.SQLITE_READONLY


def _mongodb_refused(details: dict[str, Any]) -> bool:
    # What was written and not replicated may stay or not.
    if details.get("writeConcernErrors") or details.get("writeConcernError"):
        return False
    errors = details.get("writeErrors") or [details]
    return all(each.get("code") in MONGODB_REFUSED for each in errors)
