"""Sockets compared with sessions when something was lost on its way: it may have been a logout.

Knows the hub and sessions; must not know sockets or tokens. Without a loss each end of a session is heard of.
"""

import asyncio
import logging
from typing import Any

from realtime import loop
from realtime.close_codes import CloseCode
from realtime.connection import Connection
from realtime.errors import Forbidden, Unauthenticated
from realtime.hub import LOST, get_hub
from realtime.threads import run_db

from . import selectors

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
SESSIONS_AT_ONCE = 500


@loop.one_per_loop
def get_session_audit() -> "SessionAudit":
    """The audit of this process, running from the first socket on."""
    audit = SessionAudit()
    get_hub().listen(LOST, audit.hurry)
    loop.on_stop("session audit", audit.stop)
    return audit


class SessionAudit:
    """Waits for a loss, and then looks at every socket, as often as it takes to have looked."""

    def __init__(self) -> None:
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="session-audit")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def hurry(self, _: dict[str, Any]) -> None:
        self._lost.set()

    async def _run(self) -> None:
        while True:
            await self._lost.wait()
            self._lost.clear()
            try:
                connections = get_hub().connections()
                for start in range(0, len(connections), SESSIONS_AT_ONCE):
                    await self._look(connections[start : start + SESSIONS_AT_ONCE])
            except Exception:
                logger.warning("sessions could not be looked at", exc_info=True)
                await asyncio.sleep(RETRY_SECONDS)
                self._lost.set()

    async def _look(self, connections: list[Connection]) -> None:
        looked_at = {connection: connection.identity.session_id for connection in connections}
        sessions = await run_db(selectors.get_sessions, session_ids=set(looked_at.values()))
        for connection, session_id in looked_at.items():
            if connection.identity.session_id != session_id:
                continue  # it took a newer token meanwhile, which was looked at
            try:
                selectors.require_live(sessions.get(session_id))
            except Unauthenticated:
                connection.close(CloseCode.UNAUTHENTICATED, "session ended")
            except Forbidden:
                connection.close(CloseCode.DEACTIVATED, "deactivated")
