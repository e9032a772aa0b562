"""Subscribes a connection to the rooms of its user, and follows joins and removals.

What a connect costs at once is bounded: `ready` has the most recently active rooms, and `ready:rooms` the others,
page by page. Loops over rooms let the event loop run in between.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings

from foundation.database import run_db
from foundation.errors import NotFound
from realtime.hub.hub import get_hub
from realtime.session.handlers import EventConsumer, on_control
from realtime.wire.close_codes import CloseCode, CloseSocket

from . import selectors, snapshots
from .events import READY_ROOMS, ROOM_ADDED, ROOM_MEMBER, ROOM_REMOVED, ROOM_UPDATED, ReadyRooms
from .membership_reconciler import get_membership_reconciler
from .topics import room_topic

logger = logging.getLogger(__name__)

# Takes about a millisecond.
ROOMS_AT_ONCE = 200
# To read a page of rooms, and for a slow client to take it.
PAGE_SECONDS = 10.0

T = TypeVar("T")


class RoomsConsumer(EventConsumer):
    sends = (READY_ROOMS, ROOM_ADDED, ROOM_UPDATED, ROOM_REMOVED, ROOM_MEMBER)
    # The rooms of `ready`, until the others have followed.
    _in_ready: frozenset[UUID] = frozenset()

    async def connected(self) -> dict[str, Any]:
        get_membership_reconciler().start()
        get_membership_reconciler().leave_out(self.connection)
        limit = settings.READY_ROOMS
        recent = await run_db(selectors.recent_room_ids, user_id=self.connection.user_id, limit=limit + 1)
        # Joins and removals since then wait as controls of this connection, and run after `ready`.
        rooms = await self._subscribe(recent[:limit])
        has_more = len(recent) > limit
        if has_more:
            self._in_ready = frozenset(recent[:limit])
            self.connection.add_control("rooms:next", {"after": None})
        else:
            get_membership_reconciler().take_in(self.connection)
        return {"rooms": rooms, "more_rooms": has_more}

    async def disconnected(self) -> None:
        get_membership_reconciler().leave_out(self.connection)
        async for topic in _yielding(get_hub().topics(self.connection)):
            get_hub().unsubscribe(self.connection, topic)

    @on_control("rooms:next")
    async def next_rooms(self, data: dict[str, Any]) -> None:
        """Send the next `ready:rooms`. As a control it is in order with joins and removals."""
        limit, user_id = settings.READY_ROOMS, self.connection.user_id
        self.connection.hold()
        try:
            # Other controls wait for this one, and the end of the session is one of them.
            async with asyncio.timeout(PAGE_SECONDS):
                found = await run_db(
                    selectors.room_ids_after, user_id=user_id, after=data["after"], limit=limit + 1
                )
                page, has_more = found[:limit], len(found) > limit
                rooms = await self._subscribe([room_id for room_id in page if room_id not in self._in_ready])
                await self.connection.send(READY_ROOMS.encode(ReadyRooms(rooms=rooms, more=has_more)))
        except Exception as error:
            # The client would wait for the rest for ever.
            logger.warning("the rooms of a connection could not be read", exc_info=True)
            raise CloseSocket(CloseCode.RESTART, "the rooms could not be read") from error
        finally:
            self.connection.release()
        if has_more:
            self.connection.add_control("rooms:next", {"after": page[-1]})
        else:
            self._in_ready = frozenset()
            get_membership_reconciler().take_in(self.connection)

    async def _subscribe(self, room_ids: Sequence[UUID]) -> dict[str, int]:
        """Subscribe first, then read the heads: a message in between is either delivered or counted."""
        async for room_id in _yielding(room_ids):
            get_hub().subscribe(self.connection, room_topic(room_id))
        heads = await run_db(selectors.room_heads, user_id=self.connection.user_id, room_ids=room_ids)
        return {
            str(room_id): _note_head(room_id, last_seq)
            async for room_id, last_seq in _yielding(heads.items())
        }

    @on_control("room:added")
    async def room_added(self, data: dict[str, Any]) -> None:
        """Send `room:added`, then the room's messages: a client would drop those of a room it does not know."""
        room_id, user_id = UUID(data["room_id"]), self.connection.user_id
        topic, hub = room_topic(room_id), get_hub()
        self.connection.hold()
        try:
            hub.subscribe(self.connection, topic)
            start_seq = hub.position(topic)
            membership = await run_db(selectors.require_shown_member, room_id=room_id, user_id=user_id)
            # Decided before the next await, because another connection may subscribe to the room during it.
            start_seq = hub.start_position(topic) if start_seq is None else start_seq
            head = snapshots.shown_head(membership, start_seq=start_seq)
            hub.note_head(topic, head)
            # Messages between the shown head and the true one are delivered, from the log if they do not come.
            _note_head(room_id, membership.room.last_seq)
            room = await run_db(snapshots.room_at_head, membership, head)
            await self.connection.send(ROOM_ADDED.encode(room))
        except NotFound:
            # The user was removed again in the meantime.
            hub.unsubscribe(self.connection, topic)
        except Exception:
            # The reconciler finds that the subscription is missing, and tries again.
            hub.unsubscribe(self.connection, topic)
            raise
        finally:
            self.connection.release()

    @on_control("room:removed")
    async def room_removed(self, data: dict[str, Any]) -> None:
        get_hub().unsubscribe(self.connection, room_topic(data["room_id"]))
        self.connection.push(data["frame"])


def _note_head(room_id: UUID, last_seq: int) -> int:
    """Note the head of the room's log in the hub, and return it: a new connection gets everything after it.

    `last_seq` is the row's. It may lack messages that the hub has delivered to others already (rooms.marks), and
    delivers only once.
    """
    topic = room_topic(room_id)
    head = max(last_seq, get_hub().head(topic))
    get_hub().note_head(topic, head)
    return head


async def _yielding(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, with a turn for other tasks after every ROOMS_AT_ONCE of them."""
    for number, item in enumerate(items, start=1):
        yield item
        if not number % ROOMS_AT_ONCE:
            await asyncio.sleep(0)
