"""Liveness (/healthz) and readiness (/readyz). Ready means that a message can be stored and published now."""

import logging
from collections.abc import Awaitable, Callable
from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse

from accounts.models import User
from api.exceptions import error_body
from foundation import loop
from foundation.database import run_db
from foundation.errors import Unavailable
from foundation.redis.client import get_redis
from messaging.services.writer import get_writer
from realtime.hub.hub import get_hub

logger = logging.getLogger(__name__)

CHECK_SECONDS = 5.0


def live(request: HttpRequest) -> JsonResponse:
    """200 while the process answers."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 if database, Redis, hub and writer work; otherwise 503 that names those that do not.

    The check of the hub covers its channel layer.
    """
    parts = {name: _try(name, check) for name, check in CHECKS.items()}
    failed = [name for name, works in parts.items() if not works]
    if failed:
        error = Unavailable(f"Not ready: {', '.join(failed)}.")
        return JsonResponse(error_body(error), status=error.status)
    return JsonResponse({"status": "ok", "parts": dict.fromkeys(parts, "ok")})


def _try(name: str, check: Callable[[], Awaitable[None]]) -> bool:
    async def run() -> None:
        await check()

    try:
        loop.call(run(), timeout_seconds=CHECK_SECONDS)
    except Exception:
        logger.warning("readiness check of %s failed", name, exc_info=True)
        return False
    return True


async def _check_database() -> None:
    await run_db(_read_database)


def _read_database() -> None:
    """Read a row, and compare the last migration of each app with the applied ones.

    A read alone is not enough: MongoDB reads a missing collection as an empty one.
    """
    User.objects.only("pk").first()
    applied = set(MigrationRecorder(connection).migration_qs.values_list("app", "name"))
    if missing := _last_migrations() - applied:
        raise Unavailable(
            f"Run `manage.py migrate`: {len(missing)} apps have migrations that are not applied."
        )


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
