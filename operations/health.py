"""Liveness (/healthz) and readiness (/readyz). Ready means that a message can be stored and published now."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import msgspec
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from api.exceptions import error_body
from foundation import loop
from foundation.database import run_db
from foundation.errors import Unavailable
from foundation.redis.client import get_redis
from foundation.shared_value import SharedValue
from messaging.services.writer import get_writer
from realtime.hub.hub import get_hub

from .models import WriteProbe

logger = logging.getLogger(__name__)

# Less than a probe waits (deploy/probe.py). A locked SQLite file alone would take ten seconds to say so.
CHECK_SECONDS = 4.0
# Any number of probes costs one write and one round trip to Redis in this time.
FRESH_SECONDS = 1.0

Answer = tuple[int, str, bytes]


async def live() -> Answer:
    """(status, content type, body): 200 while the process answers."""
    return _json(200, {"status": "ok"})


async def ready() -> Answer:
    """(status, content type, body): 200 if database, Redis, hub and writer work; otherwise 503 that names those
    that do not.

    The check of the database writes a row. The check of the hub covers its channel layer.
    """
    parts = await get_readiness().get()
    failed = [name for name, works in parts.items() if not works]
    if failed:
        error = Unavailable(f"Not ready: {', '.join(failed)}.")
        return _json(error.status, error_body(error))
    return _json(200, {"status": "ok", "parts": dict.fromkeys(parts, "ok")})


@loop.one_per_loop
def get_readiness() -> SharedValue[dict[str, bool]]:
    """Whether each part of this process works."""
    shared = SharedValue(_try_all, fresh_seconds=FRESH_SECONDS)
    loop.on_stop("readiness", shared.stop)
    return shared


def _json(status: int, data: Any) -> Answer:
    return status, "application/json", msgspec.json.encode(data)


async def _try_all() -> dict[str, bool]:
    works = await asyncio.gather(*(_try(name, check) for name, check in CHECKS.items()))
    return dict(zip(CHECKS, works, strict=True))


async def _try(name: str, check: Callable[[], Awaitable[None]]) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except Exception:
        logger.warning("readiness check of %s failed", name, exc_info=True)
        return False
    return True


async def _check_database() -> None:
    await run_db(_try_database)


def _try_database() -> None:
    """Compare the last migration of each app with the applied ones, and write as a message would.

    A read alone is not enough: a full disk still reads, and MongoDB reads a missing collection as an empty one.
    """
    applied = set(MigrationRecorder(connection).migration_qs.values_list("app", "name"))
    if missing := _last_migrations() - applied:
        raise Unavailable(
            f"Run `manage.py migrate`: {len(missing)} apps have migrations that are not applied."
        )
    WriteProbe.write()


@cache
def _last_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


async def _check_redis() -> None:
    await get_redis().ping()


async def _check_hub() -> None:
    await get_hub().check()


async def _check_writer() -> None:
    if not get_writer().accepts():
        raise Unavailable("The writer's queue is full, or the writer is stopping.")


CHECKS: dict[str, Callable[[], Awaitable[None]]] = {
    "database": _check_database,
    "redis": _check_redis,
    "hub": _check_hub,
    "writer": _check_writer,
}
