"""Writes of moderators to the log: no membership is asked for. Part of the services.

Whether somebody is a moderator, and the record of what they did, is the caller's (moderation.services).
"""

from uuid import UUID

from foundation.database import run_db
from foundation.errors import NotFound
from rooms.models import Room

from .events import MESSAGE_DELETED
from .models import Message
from .services import bury, require_existing, tell_changed


async def remove_message(*, message_id: UUID, moderator_id: UUID, reason: str) -> Message:
    """Make a message a tombstone; the room sees `message:deleted`. NotFound for one that is deleted already."""
    message, room = await run_db(_remove, message_id, moderator_id, reason)
    tell_changed(MESSAGE_DELETED, message, room)
    return message


def _remove(message_id: UUID, moderator_id: UUID, reason: str) -> tuple[Message, Room]:
    found = Message.objects.select_related("room").filter(pk=message_id).first()
    if found is None:
        raise NotFound("There is no such message; it may have been archived.")
    return bury(require_existing(found.room, message_id), moderator_id, reason), found.room
