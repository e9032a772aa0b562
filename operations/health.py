"""Liveness (/healthz) and readiness (/readyz). Ready means that a message can be stored and published now."""

from typing import Any

import msgspec

from api.exceptions import error_body
from foundation import loop
from foundation.errors import Unavailable
from foundation.shared_value import SharedValue

from .readiness import CHECKS, Readiness

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
    readiness = Readiness(CHECKS)
    shared = SharedValue(readiness.check, fresh_seconds=FRESH_SECONDS)

    async def stop() -> None:
        await shared.stop()
        await readiness.stop()

    loop.on_stop("readiness", stop)
    return shared


def _json(status: int, data: Any) -> Answer:
    return status, "application/json", msgspec.json.encode(data)
