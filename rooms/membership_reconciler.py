"""Sockets compared with memberships, a part of them at a time: a join or a kick may have been lost on its way.

Knows the hub and memberships; must not know sockets or what a client is shown.
"""

import asyncio
import logging
from uuid import UUID

from foundation import loop
from foundation.database import run_db
from realtime.hub.hub import get_hub
from realtime.hub.reconciler import Audit
from realtime.session.connection import Connection

from . import selectors
from .events import ROOM_REMOVED, RoomRemoved
from .topics import room_of

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 3.0
SECOND_LOOK_SECONDS = 1.0
PARTS = 10  # every socket is looked at within PARTS periods
MIN_CONNECTIONS_AT_ONCE = 50

Difference = tuple[Connection, UUID]


class MembershipAudit(Audit):
    """A part of the sockets in each period; all of them, twice, when something was lost.

    A difference counts when it is there in two looks: the first may have been ahead of the event.
    """

    name = "membership audit"

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[Connection] = []
        self._seen: set[Difference] = set()

    async def _run(self) -> None:
        while True:
            hurried = await self._pause()
            try:
                if hurried:
                    await self._look(set(get_hub().connections()))
                    await asyncio.sleep(SECOND_LOOK_SECONDS)
                    await self._look(set(get_hub().connections()))
                else:
                    await self._look(self._next_part())
            except Exception:
                logger.warning("memberships could not be compared", exc_info=True)
                if hurried:
                    await asyncio.sleep(SECOND_LOOK_SECONDS)
                    self._lost.set()

    async def _pause(self) -> bool:
        """Wait for the next look; whether it is one of all sockets."""
        try:
            async with asyncio.timeout(PERIOD_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            return False
        self._lost.clear()
        return True

    def _next_part(self) -> set[Connection]:
        if not self._waiting:
            self._waiting = get_hub().connections()
            self._part = max(MIN_CONNECTIONS_AT_ONCE, len(self._waiting) // PARTS)
        part, self._waiting = self._waiting[: self._part], self._waiting[self._part :]
        return {*part, *(connection for connection, _ in self._seen)}

    async def _look(self, connections: set[Connection]) -> None:
        heard = {connection: _rooms_heard(connection) for connection in connections}
        user_ids = {connection.user_id for connection in connections}
        rooms = await run_db(selectors.rooms_of_users, user_ids=user_ids)
        found: set[Difference] = set()
        # Those that ended meanwhile hear nothing any more, which is no difference to make up for.
        for connection in connections.intersection(get_hub().connections()):
            for room_id in heard[connection] ^ rooms[connection.user_id]:
                found.add((connection, room_id))
        for connection, room_id in found & self._seen:
            logger.warning("a change of membership in room %s was lost; made up for", room_id)
            _make_up(connection, room_id, is_member=room_id in rooms[connection.user_id])
        self._seen = found - self._seen


get_audit = loop.one_per_loop(MembershipAudit)


def _rooms_heard(connection: Connection) -> set[UUID]:
    return {room_id for topic in get_hub().topics(connection) if (room_id := room_of(topic)) is not None}


def _make_up(connection: Connection, room_id: UUID, *, is_member: bool) -> None:
    if is_member:
        connection.add_control("room:added", {"room_id": str(room_id)})
    else:
        frame = ROOM_REMOVED.encode(RoomRemoved(room_id=room_id, reason="removed"))
        connection.add_control("room:removed", {"room_id": str(room_id), "frame": frame})
