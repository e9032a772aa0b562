"""Writes of moderators to the log. They need no membership.

The caller, `moderation.services`, checks that the user is a moderator and writes the audit log.
"""

from uuid import UUID

from foundation.database import run_db
from foundation.errors import NotFound
from messaging.models import Message
from messaging.selectors import require_existing
from rooms.models import Room

from .changes import make_tombstone
from .publishing import publish_deleted


async def remove_message(*, message_id: UUID, moderator_id: UUID, reason: str) -> Message:
    """Make a message of any room a tombstone, and publish `message:deleted`. A repeat raises NotFound."""
    message, room = await run_db(_remove, message_id, moderator_id, reason)
    publish_deleted(message, room)
    return message


def _remove(message_id: UUID, moderator_id: UUID, reason: str) -> tuple[Message, Room]:
    found = Message.objects.select_related("room").filter(pk=message_id).first()
    if found is None:
        raise NotFound("There is no such message; it may have been archived.")
    message = require_existing(room=found.room, message_id=message_id)
    return make_tombstone(message, moderator_id, reason), found.room
