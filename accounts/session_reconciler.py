"""Compares this process's sockets with the sessions in the database after a loss, which may have been a logout.

Without a loss every end of a session reaches its sockets as a control.
"""

import asyncio
import logging

from foundation import loop
from foundation.database import run_db
from foundation.errors import Forbidden, Unauthenticated
from realtime.hub.hub import get_hub
from realtime.hub.reconciler import Reconciler
from realtime.session.connection import Connection
from realtime.wire.close_codes import CloseCode

from . import selectors

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
SESSIONS_AT_ONCE = 500


class SessionReconciler(Reconciler):
    """Checks every socket after a loss, and repeats that until it succeeds."""

    name = "session reconciler"

    async def _run(self) -> None:
        while True:
            await self._lost.wait()
            self._lost.clear()
            try:
                connections = get_hub().connections()
                for start in range(0, len(connections), SESSIONS_AT_ONCE):
                    await self._compare(connections[start : start + SESSIONS_AT_ONCE])
            except Exception:
                logger.warning("sessions could not be compared with the sockets", exc_info=True)
                await asyncio.sleep(RETRY_SECONDS)
                self._lost.set()

    async def _compare(self, connections: list[Connection]) -> None:
        session_ids = {connection: connection.identity.session_id for connection in connections}
        sessions = await run_db(selectors.get_sessions, session_ids=set(session_ids.values()))
        for connection, session_id in session_ids.items():
            # The connection has taken a newer token since, and its session was checked then.
            if connection.identity.session_id != session_id:
                continue
            try:
                selectors.require_live(sessions.get(session_id))
            except Unauthenticated:
                connection.close(CloseCode.UNAUTHENTICATED, "session ended")
            except Forbidden:
                connection.close(CloseCode.DEACTIVATED, "deactivated")


get_session_reconciler = loop.one_per_loop(SessionReconciler)
