"""Sockets compared with sessions when something was lost on its way: it may have been a logout.

Knows the hub and sessions; must not know sockets or tokens. Without a loss each end of a session is heard of.
"""

import asyncio
import logging

from foundation import loop
from foundation.database import run_db
from foundation.errors import Forbidden, Unauthenticated
from realtime.hub.hub import get_hub
from realtime.hub.reconciler import Audit
from realtime.session.connection import Connection
from realtime.wire.close_codes import CloseCode

from . import selectors

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
SESSIONS_AT_ONCE = 500


class SessionAudit(Audit):
    """Waits for a loss, and then looks at every socket, as often as it takes to have looked."""

    name = "session audit"

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


get_session_audit = loop.one_per_loop(SessionAudit)
