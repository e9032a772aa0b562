"""Changes that moderators make to rooms, without a membership or role of their own.

The caller, `moderation.services`, checks that the user is a moderator, and writes the audit log.
"""

from typing import Any
from uuid import UUID

from foundation import times
from foundation.database import run_db
from foundation.errors import Conflict, Forbidden, Invalid

from .. import selectors
from ..models import MAX_RETENTION_DAYS, Membership, Room
from ..write_access import forget_write_access
from .changes import save_changes
from .owners import appoint_owner
from .publishing import notify_removed, publish_member_changed, publish_room_updated
from .rooms import end_room


async def lock_room(*, room_id: UUID) -> Room:
    """Stop all writing in the room until it is unlocked. A locked room stays as it is."""
    room, changed = await run_db(_lock, room_id)
    if changed:
        publish_room_updated(room)
    # Also for a locked room: the process that locked it may have died before this.
    forget_write_access(room_id=room_id)
    return room


async def unlock_room(*, room_id: UUID) -> Room:
    """Allow writing again. Safe to repeat. The cache of write access needs no change: it has no refusals."""
    room, changed = await run_db(_change, room_id, {"locked_at": None})
    if changed:
        publish_room_updated(room)
    return room


async def set_retention(*, room_id: UUID, days: int | None) -> Room:
    """Set after how many days messages are archived; 0 means never, None means RETENTION_DAYS.

    Members do not see it. Raises Invalid for other numbers.
    """
    if days is not None and not 0 <= days <= MAX_RETENTION_DAYS:
        raise Invalid(f"Messages are kept for 0 to {MAX_RETENTION_DAYS} days; 0 means for ever.")
    room, _ = await run_db(_change, room_id, {"retention_days": days})
    return room


async def close_room(*, room_id: UUID) -> None:
    """Delete a group: all members lose it at once; its log stays. Forbidden for a direct room."""
    user_ids = await run_db(_close, room_id)
    notify_removed(room_id, user_ids, reason="deleted")


async def expel_member(*, room_id: UUID, user_id: UUID) -> None:
    """Remove a member of any role from a group.

    If that was the last active owner, another member becomes owner (`appoint_owner`).
    """
    new_owners = await run_db(_expel, room_id, user_id)
    notify_removed(room_id, [user_id], reason="removed")
    publish_member_changed(room_id, user_id, None)
    for owner in new_owners:
        publish_member_changed(room_id, owner.user_id, owner)


def _change(room_id: UUID, changes: dict[str, Any]) -> tuple[Room, bool]:
    room = selectors.get_room(room_id=room_id)
    return room, save_changes(room, changes)


def _lock(room_id: UUID) -> tuple[Room, bool]:
    room = selectors.get_room(room_id=room_id)
    return room, save_changes(room, {"locked_at": room.locked_at or times.now()})


def _close(room_id: UUID) -> list[UUID]:
    room = _require_group(room_id)
    if room.deleted_at is not None:
        raise Conflict("This room is deleted already.")
    return end_room(room)


def _expel(room_id: UUID, user_id: UUID) -> list[Membership]:
    """Returns the members who became owner."""
    _require_group(room_id)
    membership = selectors.get_membership(room_id=room_id, user_id=user_id)
    # The new owner comes first, so that a crash leaves two owners rather than none.
    new_owners = appoint_owner(room_id, without=membership)
    Membership.objects.filter(pk=membership.pk).delete()
    # The other owner may have left since the first look.
    return new_owners or appoint_owner(room_id, without=membership)


def _require_group(room_id: UUID) -> Room:
    room = selectors.get_room(room_id=room_id)
    if room.kind == Room.Kind.DIRECT:
        raise Forbidden("A direct room has its two users for ever. Lock it instead.")
    return room
