"""How often sockets may be opened: from an address, by a user, and with tokens that this server did not issue.

Asks the limits before anything that costs more: no refused socket reaches the database.
"""

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from foundation import context, loop
from foundation.errors import RateLimited
from foundation.limits.declaration import Count
from foundation.limits.named import CONNECTS_FORGED, CONNECTS_IP, CONNECTS_USER
from foundation.limits.shared import get_rate_limiter
from foundation.log_interval import LogInterval
from foundation.proxies import network_of

access = logging.getLogger("chat.access")

LOG_SECONDS = 1.0


class RefusalLog:
    """Writes an access record for a refused connect, at most one in LOG_SECONDS: a flood must not fill the log."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = LogInterval(LOG_SECONDS, clock=clock)

    def note(self, by: str) -> None:
        """`by` says what was counted."""
        if self._interval.count():
            access.info("connect refused", extra={"status": RateLimited.code, "limitedBy": by})


get_refusal_log = loop.one_per_loop(RefusalLog)


async def address_refusal(scope: Any) -> RateLimited | None:
    """Count a handshake for its address. Returns the refusal, if it is over the limit."""
    return await _refusal(CONNECTS_IP.of(_network(scope)), by="address") if _opens_socket(scope) else None


async def forged_refusal(scope: Any) -> RateLimited | None:
    """Count a token for its address that this server did not issue."""
    return await _refusal(CONNECTS_FORGED.of(_network(scope)), by="forged tokens")


async def user_refusal(user_id: UUID) -> RateLimited | None:
    """Count a socket for its user, before its session is read."""
    context.user_id.set(str(user_id))
    return await _refusal(CONNECTS_USER.of(user_id), by="user")


def retry_after_headers(error: RateLimited) -> list[tuple[bytes, bytes]]:
    """Whole seconds, as HTTP has them. A browser shows its page no headers of a socket."""
    return [(b"retry-after", b"%d" % (error.retry_after_whole or 0))]


async def _refusal(count: Count | None, *, by: str) -> RateLimited | None:
    try:
        await get_rate_limiter().check(count)
    except RateLimited as error:
        get_refusal_log().note(by)
        return error
    return None


def _network(scope: Any) -> str:
    return network_of((scope.get("client") or (None,))[0])


def _opens_socket(scope: Any) -> bool:
    """Engine.IO has several requests for one socket. The first has no `sid`."""
    if not scope["path"].endswith("/socket.io/"):
        return True
    is_open = scope["type"] == "websocket" or scope["method"] == "GET"
    return is_open and "sid" not in parse_qs(scope.get("query_string", b"").decode("latin-1"))
