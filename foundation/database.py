"""`run_db`, the only door from async code to the ORM.

Knows Django's connections; must not know models. Channels' `database_sync_to_async` runs all of a process in
one thread by default, so the pool here is bounded and our own, and its threads keep their connections.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from .errors import Unavailable

T = TypeVar("T")


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.DB_THREADS, thread_name_prefix="chat-db")


async def run_db(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work` in a database thread and return what it returns.

    The caller's context goes along, so log records keep their request. A lost connection is dropped, so that
    the next call opens a new one, and is raised as Unavailable.
    """
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool(), lambda: context.run(_guarded, work, *args, **kwargs))


def _guarded(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    try:
        return work(*args, **kwargs)
    except (OperationalError, InterfaceError) as error:
        connections.close_all()
        raise Unavailable("The database is away for a moment. Try again.") from error
