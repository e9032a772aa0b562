"""Edits and deletions by members. Each keeps the previous version of the message as a revision."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError

from foundation.database import run_db
from foundation.errors import Conflict, Forbidden
from foundation.limits.local import get_local_limiter
from foundation.limits.named import EVENTS_USER
from foundation.server_clock import DatabaseNow
from messaging.models import Message, MessageRevision
from messaging.selectors import require_existing
from rooms import selectors as rooms
from rooms.models import Membership, Room
from rooms.permissions import admit_change, require_may_write, require_role
from rooms.write_access import WriteAccess

from .content import check_content
from .publishing import publish_deleted, publish_updated

MAX_ATTEMPTS = 5


async def edit_message(
    *, room_id: UUID, message_id: UUID, actor_id: UUID, content: str
) -> tuple[Message, Room]:
    """Replace the text of a message, as its author. Safe to repeat: the same text changes nothing.

    Counts as a message to the room, because it is stored and told as one. Raises Invalid, NotFound, Forbidden,
    Muted, RateLimited, Conflict (others keep changing the same message).
    """
    check_content(content)
    await admit_change(room_id=room_id, user_id=actor_id)
    message, room, changed = await run_db(_edit, room_id, message_id, actor_id, content)
    if changed:
        publish_updated(message, room)
    return message, room


def _edit(room_id: UUID, message_id: UUID, actor_id: UUID, content: str) -> tuple[Message, Room, bool]:
    membership = rooms.require_member(room_id=room_id, user_id=actor_id)
    require_may_write(WriteAccess.of(membership))
    message = require_existing(room=membership.room, message_id=message_id)
    if message.sender_id != actor_id:
        raise Forbidden("Only its author edits a message.")
    if message.content == content:
        return message, membership.room, False
    now = DatabaseNow()
    changes = {"content": content, "edited_at": now, "edited_by_id": actor_id, "changed_at": now}
    return _change(message, changes), membership.room, True


async def delete_message(
    *, room_id: UUID, message_id: UUID, actor_id: UUID, reason: str = ""
) -> tuple[Message, Room]:
    """Make a message a tombstone, as its author or an admin of the room. A repeat raises NotFound.

    Raises NotFound, Forbidden, RateLimited, Conflict (others keep changing the same message).
    """
    get_local_limiter().check(EVENTS_USER.of(actor_id))
    message, room = await run_db(_delete, room_id, message_id, actor_id, reason)
    publish_deleted(message, room)
    return message, room


def _delete(room_id: UUID, message_id: UUID, actor_id: UUID, reason: str) -> tuple[Message, Room]:
    membership = rooms.require_member(room_id=room_id, user_id=actor_id)
    message = require_existing(room=membership.room, message_id=message_id)
    if message.sender_id != actor_id:
        require_role(membership, Membership.Role.ADMIN)
    return make_tombstone(message, actor_id, reason), membership.room


def make_tombstone(message: Message, actor_id: UUID, reason: str) -> Message:
    """Empty the message. Its text stays in a revision, for the moderators."""
    now = DatabaseNow()
    changes = {"deleted_at": now, "deleted_by_id": actor_id, "delete_reason": reason, "changed_at": now}
    return _change(message, {"content": "", "meta": {}, **changes})


def _change(message: Message, changes: dict[str, Any]) -> Message:
    """Keep the present version as a revision, then replace it unless another change came first; then try again.

    A revision describes the version that it holds, not the change that replaced it. So if a crash between the two
    writes leaves a revision behind, it is still true, and the next change finds it and goes on.
    """
    for _ in range(MAX_ATTEMPTS):
        _keep_revision(message)
        present = Message.objects.filter(pk=message.pk, version=message.version, deleted_at__isnull=True)
        if present.update(version=message.version + 1, search_text=changes["content"], **changes):
            return Message.objects.get(pk=message.pk)
        message = require_existing(room=message.room, message_id=message.pk)
    raise Conflict("The message is being changed by others. Try again.")


def _keep_revision(message: Message) -> None:
    try:
        MessageRevision.objects.create(
            message=message,
            version=message.version,
            content=message.content,
            meta=message.meta,
            written_by_id=message.edited_by_id or message.sender_id,
            written_at=message.edited_at or message.created_at,
        )
    except IntegrityError:
        # A concurrent change has kept it, or one that a crash interrupted.
        pass
