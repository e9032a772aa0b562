"""Subscribes a connection to the rooms of its user, and follows joins and removals."""

from typing import Any
from uuid import UUID

from foundation.database import run_db
from foundation.errors import NotFound
from realtime.hub.hub import get_hub
from realtime.session.handlers import EventConsumer, on_control

from . import selectors, snapshots
from .events import ROOM_ADDED, ROOM_MEMBER, ROOM_REMOVED, ROOM_UPDATED
from .membership_reconciler import get_membership_reconciler
from .models import Room
from .topics import room_topic


class RoomsConsumer(EventConsumer):
    sends = (ROOM_ADDED, ROOM_UPDATED, ROOM_REMOVED, ROOM_MEMBER)

    async def connected(self) -> dict[str, Any]:
        """Subscribe first, then read the heads: a message in between is either delivered or counted."""
        get_membership_reconciler().start()
        user_id = self.connection.user_id
        memberships = await run_db(selectors.user_memberships, user_id=user_id)
        for room_id in memberships:
            get_hub().subscribe(self.connection, room_topic(room_id))
        # Joins and removals since then wait as controls of this connection, and run after `ready`.
        current = await run_db(selectors.user_memberships, user_id=user_id, room_ids=memberships)
        heads = {str(room_id): _note_head(membership.room) for room_id, membership in current.items()}
        return {"rooms": heads}

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
            _note_head(membership.room)
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


def _note_head(room: Room) -> int:
    """Note the head of the room's log in the hub, and return it: a new connection gets everything after it.

    The row may lack messages that the hub has delivered to others already (rooms.marks), and delivers only once.
    """
    topic = room_topic(room.pk)
    head = max(room.last_seq, get_hub().head(topic))
    get_hub().note_head(topic, head)
    return head
