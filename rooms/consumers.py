"""Rooms on a connection: hears all rooms of its user, and follows joins and leaves while it lives."""

from typing import Any
from uuid import UUID

from foundation.database import run_db
from foundation.errors import NotFound
from realtime.hub.hub import get_hub
from realtime.session.handlers import EventConsumer, on_control

from . import selectors, snapshots
from .events import ROOM_ADDED, ROOM_MEMBER, ROOM_REMOVED, ROOM_UPDATED
from .membership_reconciler import get_audit
from .models import Room
from .topics import room_topic


class RoomsConsumer(EventConsumer):
    sends = (ROOM_ADDED, ROOM_UPDATED, ROOM_REMOVED, ROOM_MEMBER)

    async def connected(self) -> dict[str, Any]:
        """Subscribe first and read the heads after: a message between the two is then either seen or counted."""
        get_audit().start()
        user_id = self.connection.user_id
        memberships = await run_db(selectors.user_memberships, user_id=user_id)
        for room_id in memberships:
            get_hub().subscribe(self.connection, room_topic(room_id))
        # Joins and leaves since then wait as controls of this connection, and run after `ready`.
        current = await run_db(selectors.user_memberships, user_id=user_id, room_ids=memberships)
        heads = {str(room_id): _note_head(membership.room) for room_id, membership in current.items()}
        return {"rooms": heads}

    @on_control("room:added")
    async def room_added(self, data: dict[str, Any]) -> None:
        """What is said in the room meanwhile waits, since a client that does not know the room would drop it."""
        room_id, user_id = UUID(data["room_id"]), self.connection.user_id
        topic, hub = room_topic(room_id), get_hub()
        self.connection.hold()
        try:
            hub.subscribe(self.connection, topic)
            heard_from = hub.position(topic)
            membership = await run_db(selectors.require_shown_member, room_id=room_id, user_id=user_id)
            # Settled before anything else is waited for: another connection may begin to hear the room too.
            heard_from = hub.start_position(topic) if heard_from is None else heard_from
            shown = snapshots.joined_at(membership, heard_from=heard_from)
            hub.note_head(topic, shown)
            _note_head(membership.room)  # what lies between the two comes, from the log if need be
            room = await run_db(snapshots.room_as_joined, membership, shown)
            await self.connection.send(ROOM_ADDED.encode(room))
        except NotFound:  # removed again before this was done
            hub.unsubscribe(self.connection, topic)
        except Exception:
            hub.unsubscribe(self.connection, topic)  # the audit finds the room missing, and tries again
            raise
        finally:
            self.connection.release()

    @on_control("room:removed")
    async def room_removed(self, data: dict[str, Any]) -> None:
        get_hub().unsubscribe(self.connection, room_topic(data["room_id"]))
        self.connection.push(data["frame"])


def _note_head(room: Room) -> int:
    """Note how far the room's log reaches, and return it: a connection that has just begun hears what comes after.

    What the hub has given to others already may not be in the row yet (rooms.marks), and will not come again.
    """
    topic = room_topic(room.pk)
    head = max(room.last_seq, get_hub().head(topic))
    get_hub().note_head(topic, head)
    return head
