"""Compares this process's sockets with the memberships in the database, and repairs lost joins and removals."""

import asyncio
import logging
from uuid import UUID
from weakref import WeakSet

from foundation import loop
from foundation.database import run_db
from realtime.hub.hub import get_hub
from realtime.hub.reconciler import Reconciler
from realtime.session.connection import Connection

from . import selectors
from .events import ROOM_REMOVED, RoomRemoved
from .topics import room_of, room_topic

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 3.0
SECOND_LOOK_SECONDS = 1.0
# Every socket is compared once within PARTS periods.
PARTS = 10
MIN_CONNECTIONS_AT_ONCE = 50

# A room that the connection has and its user should not have, or the other way round.
Difference = tuple[Connection, UUID]


class MembershipReconciler(Reconciler):
    """Compares some of the sockets in each period, and all of them twice after a loss.

    A difference is repaired when two comparisons in a row have found it. The first may have read a change whose
    event was still on its way.
    """

    name = "membership reconciler"

    def __init__(self) -> None:
        super().__init__()
        self._remaining: list[Connection] = []
        self._found_before: set[Difference] = set()
        self._left_out: WeakSet[Connection] = WeakSet()

    def leave_out(self, connection: Connection) -> None:
        """Do not compare the connection until `take_in`: it is being subscribed to its rooms, or unsubscribed."""
        self._left_out.add(connection)

    def take_in(self, connection: Connection) -> None:
        self._left_out.discard(connection)

    async def _run(self) -> None:
        while True:
            after_loss = await self._wait()
            try:
                if after_loss:
                    await self._compare(set(get_hub().connections()))
                    await asyncio.sleep(SECOND_LOOK_SECONDS)
                    await self._compare(set(get_hub().connections()))
                else:
                    await self._compare(self._next_part())
            except Exception:
                logger.warning("memberships could not be compared with the sockets", exc_info=True)
                if after_loss:
                    await asyncio.sleep(SECOND_LOOK_SECONDS)
                    self._lost.set()

    async def _wait(self) -> bool:
        """Wait for a period, or for a loss; True for a loss."""
        try:
            async with asyncio.timeout(PERIOD_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            return False
        self._lost.clear()
        return True

    def _next_part(self) -> set[Connection]:
        if not self._remaining:
            self._remaining = get_hub().connections()
            self._part_size = max(MIN_CONNECTIONS_AT_ONCE, len(self._remaining) // PARTS)
        part, self._remaining = self._remaining[: self._part_size], self._remaining[self._part_size :]
        return {*part, *(connection for connection, _ in self._found_before)}

    async def _compare(self, connections: set[Connection]) -> None:
        topics = {one: get_hub().topics(one) for one in connections.difference(self._left_out)}
        differences = await run_db(_differences, topics)
        # A connection that has ended since has no subscriptions left, which is no difference.
        current = set(get_hub().connections()).difference(self._left_out)
        found = {(one, room_id): is_member for one, room_id, is_member in differences if one in current}
        for connection, room_id in found.keys() & self._found_before:
            logger.warning("a change of membership in room %s was lost; the socket is corrected", room_id)
            _correct(connection, room_id, is_member=found[connection, room_id])
        self._found_before = found.keys() - self._found_before


get_membership_reconciler = loop.one_per_loop(MembershipReconciler)


def _differences(topics: dict[Connection, frozenset[str]]) -> list[tuple[Connection, UUID, bool]]:
    """The rooms that a connection lacks (True) or has too many (False), by its topics. Runs in a database thread,
    because a user may have thousands of rooms."""
    rooms = selectors.rooms_of_users(user_ids={connection.user_id for connection in topics})
    wanted = {user_id: {room_topic(room_id) for room_id in room_ids} for user_id, room_ids in rooms.items()}
    return [
        (connection, room_id, topic in wanted[connection.user_id])
        for connection, subscribed in topics.items()
        for topic in subscribed ^ wanted[connection.user_id]
        if (room_id := room_of(topic)) is not None
    ]


def _correct(connection: Connection, room_id: UUID, *, is_member: bool) -> None:
    """Give the connection the control that it has missed."""
    if is_member:
        connection.add_control("room:added", {"room_id": str(room_id)})
    else:
        frame = ROOM_REMOVED.encode(RoomRemoved(room_id=room_id, reason="removed"))
        connection.add_control("room:removed", {"room_id": str(room_id), "frame": frame})
