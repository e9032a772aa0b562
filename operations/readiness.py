"""The parts of a process that a message needs, and whether each works now."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from foundation import loop
from foundation.database import run_db
from foundation.errors import Unavailable
from foundation.redis.client import get_redis
from messaging.services.writer import get_writer
from realtime.hub.hub import get_hub

from . import disks, metrics
from .migration_state import unapplied
from .models import WriteProbe

logger = logging.getLogger(__name__)

Check = Callable[[], Awaitable[None]]

# Shorter than a probe waits (deploy/probe.py). A locked SQLite file alone would take ten seconds to say so.
CHECK_SECONDS = 4.0
# A writer that could not store its last batch is not ready for this long, or until it stores one.
FAILURE_SECONDS = 5.0
REDIS_KEY = "readiness"
REDIS_KEY_SECONDS = 60


class Readiness:
    """Checks all parts at once. Belongs to the process's loop.

    A check that takes too long counts as failed, and is not started again before it has ended: a thread that waits
    for a locked database cannot be interrupted, and each further check would take another one.
    """

    def __init__(self, checks: Mapping[str, Check], *, check_seconds: float = CHECK_SECONDS) -> None:
        self._checks = checks
        self._check_seconds = check_seconds
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failed: set[str] = set()

    async def check(self) -> dict[str, bool]:
        """Whether each part works, in at most `check_seconds`."""
        for name, check in self._checks.items():
            if name not in self._running or self._running[name].done():
                self._running[name] = loop.spawn(_run(check), name=f"readiness of {name}")
        await asyncio.wait(self._running.values(), timeout=self._check_seconds)
        parts = {name: self._works(name, task) for name, task in self._running.items()}
        logger.debug("readiness checked", extra={"parts": parts})
        return parts

    async def stop(self) -> None:
        await loop.cancel(*self._running.values())

    def _works(self, name: str, task: asyncio.Task[None]) -> bool:
        error: BaseException | None
        if not task.done():
            error = TimeoutError(f"no answer after {self._check_seconds} s")
        else:
            error = Unavailable("The server stops.") if task.cancelled() else task.exception()
        metrics.READY.labels(name).set(error is None)
        # Once for each outage, however often it is checked.
        if error is not None and name not in self._failed:
            self._failed.add(name)
            logger.warning("readiness check of %s failed", name, exc_info=error)
        elif error is None and name in self._failed:
            self._failed.discard(name)
            logger.info("readiness check of %s works again", name)
        return error is None


async def _run(check: Check) -> None:
    await check()


async def _check_database() -> None:
    await run_db(_try_database)


def _try_database() -> None:
    """Measure the disks, compare each app's last migration with the applied ones, and write as a message would.

    A read alone is not enough: a full disk still reads, and MongoDB reads a missing collection as an empty one.
    """
    disks.measure()
    if missing := unapplied(MigrationRecorder(connection).migration_qs.values_list("app", "name")):
        raise Unavailable(
            f"Run `manage.py migrate`: {len(missing)} apps have migrations that are not applied."
        )
    WriteProbe.write()


async def _check_redis() -> None:
    """Write: a Redis that has no memory left, or is a replica, still answers a ping."""
    await get_redis().set(REDIS_KEY, 1, ex=REDIS_KEY_SECONDS)


async def _check_hub() -> None:
    await get_hub().check()


async def _check_writer() -> None:
    writer = get_writer()
    if not writer.accepts():
        raise Unavailable("The writer's queue is full, or the writer is stopping.")
    if writer.failed_lately(seconds=FAILURE_SECONDS):
        raise Unavailable("The last messages could not be stored.")


CHECKS: dict[str, Check] = {
    "database": _check_database,
    "redis": _check_redis,
    "hub": _check_hub,
    "writer": _check_writer,
}
