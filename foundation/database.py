"""`run_db`, the only way from async code to the ORM.

Channels' `database_sync_to_async` uses a single thread for the whole process by default. This pool has
`DB_THREADS` threads, and each thread keeps its connection.
"""

import asyncio
import contextvars
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connections

from .errors import Unavailable

T = TypeVar("T")

NOT_STORED = (
    "The database takes no writes at the moment: its disk is full, or it is read-only. Nothing was stored. Try "
    "again later."
)
SQLITE_NO_WRITES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
# https://www.postgresql.org/docs/current/errcodes-appendix.html: disk_full, read_only_sql_transaction
POSTGRESQL_NO_WRITES = {"53100", "25006"}


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.DB_THREADS, thread_name_prefix="chat-db")


async def run_db(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work` in a database thread and return what it returns.

    The work runs in a copy of the caller's context, so log records keep their request. If the connection to the
    database is lost, raises Unavailable, and the next call opens a new one. A retry may repeat a write.
    """
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool(), lambda: context.run(_guarded, work, *args, **kwargs))


def as_unavailable(error: Exception) -> Unavailable | None:
    """What a caller hears when the database is away or takes no writes; None for any other error.

    A full disk or a read-only database refuses a transaction as a whole, so it is known that nothing was stored.
    MongoDB has no transactions here and may have stored a part.
    """
    if isinstance(error, DatabaseError) and _takes_no_writes(error.__cause__):
        return Unavailable(NOT_STORED)
    if isinstance(error, (OperationalError, InterfaceError)):
        return Unavailable("The database is away for a moment. Try again.")
    return None


def _takes_no_writes(cause: BaseException | None) -> bool:
    sqlite_code = getattr(cause, "sqlite_errorcode", None)
    # The low byte of an extended code is its primary code.
    return (sqlite_code is not None and sqlite_code & 0xFF in SQLITE_NO_WRITES) or (
        getattr(cause, "sqlstate", None) in POSTGRESQL_NO_WRITES
    )


def _guarded(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    try:
        return work(*args, **kwargs)
    except (DatabaseError, InterfaceError) as error:
        unavailable = as_unavailable(error)
        if unavailable is None:
            raise
        connections.close_all()
        raise unavailable from error
