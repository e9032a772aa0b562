"""Changes that moderators make to rooms, without a membership or role of their own.

The caller, `moderation.services`, checks that the user is a moderator, and writes the audit log.
"""

from datetime import datetime
from uuid import UUID

from foundation import times
from foundation.database import run_db
from foundation.errors import Conflict, Forbidden, Invalid

from .. import selectors
from ..models import MAX_RETENTION_DAYS, Membership, Room
from ..write_access import forget_write_access
from .owners import appoint_owner
from .publishing import notify_removed, publish_member_changed, publish_room_updated
from .rooms import end_room


async def lock_room(*, room_id: UUID) -> None:
    """Stop all writing in the room until it is unlocked. Conflict for a room that is locked already."""
    room, changed = await run_db(_lock, room_id, times.now())
    # Also for a locked room: the process that locked it may have died before this.
    forget_write_access(room_id=room_id)
    if not changed:
        raise Conflict("This room is locked already.")
    publish_room_updated(room)


async def unlock_room(*, room_id: UUID) -> None:
    """Allow writing again. Conflict for a room that is not locked.

    The cache of write access needs no change: it has no refusals.
    """
    room, changed = await run_db(_lock, room_id, None)
    if not changed:
        raise Conflict("This room is not locked.")
    publish_room_updated(room)


async def set_retention(*, room_id: UUID, days: int | None) -> None:
    """Set after how many days messages are archived; 0 means never, None means RETENTION_DAYS.

    Members do not see it. Raises Invalid for other numbers, and Conflict if it is changed by somebody else at the
    same time.
    """
    if days is not None and not 0 <= days <= MAX_RETENTION_DAYS:
        raise Invalid(f"Messages are kept for 0 to {MAX_RETENTION_DAYS} days; 0 means for ever.")
    await run_db(_set_retention, room_id, days)


async def close_room(*, room_id: UUID) -> None:
    """Delete a group: all members lose it at once; its log stays. Forbidden for a direct room.

    Conflict for a room that is deleted already.
    """
    user_ids, deleted = await run_db(_close, room_id)
    # Also by the later of two: it may be the one that removed the members.
    notify_removed(room_id, user_ids, reason="deleted")
    if not deleted:
        raise Conflict("This room is deleted already.")


async def expel_member(*, room_id: UUID, user_id: UUID) -> None:
    """Remove a member of any role from a group.

    If that was the last active owner, another member becomes owner (`appoint_owner`).
    """
    new_owners, removed = await run_db(_expel, room_id, user_id)
    if removed:
        notify_removed(room_id, [user_id], reason="removed")
        publish_member_changed(room_id, user_id, None)
    for owner in new_owners:
        publish_member_changed(room_id, owner.user_id, owner)
    if not removed:
        raise Conflict("Somebody else removed this member at the same time, or they left.")


def _lock(room_id: UUID, locked_at: datetime | None) -> tuple[Room, bool]:
    """Lock the room, or unlock it with None. False where it is so already."""
    other = Room.objects.filter(pk=room_id, locked_at__isnull=locked_at is not None)
    changed = other.update(locked_at=locked_at)
    return selectors.get_room(room_id=room_id), bool(changed)


def _set_retention(room_id: UUID, days: int | None) -> None:
    room = selectors.get_room(room_id=room_id)
    unchanged = Room.objects.filter(pk=room_id, retention_days=room.retention_days)
    if not unchanged.update(retention_days=days):
        raise Conflict("Somebody else changed this room at the same time. Look at it again.")


def _close(room_id: UUID) -> tuple[list[UUID], bool]:
    return end_room(_require_group(room_id))


def _expel(room_id: UUID, user_id: UUID) -> tuple[list[Membership], bool]:
    """Returns the members who became owner, and whether this removed the member."""
    _require_group(room_id)
    membership = selectors.get_membership(room_id=room_id, user_id=user_id)
    # The new owner comes first, so that a crash leaves two owners rather than none.
    new_owners = appoint_owner(room_id, without=membership)
    removed, _ = Membership.objects.filter(pk=membership.pk).delete()
    # The other owner may have left since the first look.
    return new_owners or appoint_owner(room_id, without=membership), bool(removed)


def _require_group(room_id: UUID) -> Room:
    room = selectors.get_room(room_id=room_id)
    if room.kind == Room.Kind.DIRECT:
        raise Forbidden("A direct room has its two users for ever. Lock it instead.")
    return room
