"""`run_db`, the only way from async code to the ORM.

Channels' `database_sync_to_async` uses a single thread for the whole process by default. This pool has
`DB_THREADS` threads, and each thread keeps its connection.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from .database_errors import as_unavailable, is_refusal, keeps_connection

T = TypeVar("T")


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.DB_THREADS, thread_name_prefix="chat-db")


async def run_db(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work` in a database thread and return what it returns.

    The work runs in a copy of the caller's context, so log records keep their request. If the connection to the
    database is lost, raises Unavailable, and the next call opens a new one. A retry may repeat a write. If the
    database refuses to write (its disk is full, it is read-only), raises WritesRefused.
    """
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool(), lambda: context.run(_guarded, work, *args, **kwargs))


def _guarded(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    try:
        return work(*args, **kwargs)
    except (DatabaseError, InterfaceError) as error:
        unavailable = as_unavailable(error)
        if unavailable is None:
            raise
        close_unless_usable(error)
        raise unavailable from error


def close_unless_usable(error: BaseException) -> None:
    """Close this thread's connections after an error of the database, so that the next use opens new ones."""
    if not (is_refusal(error) and keeps_connection(error)):
        connections.close_all()
