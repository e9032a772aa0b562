"""Changes that moderators make to rooms, without a membership or role of their own.

The caller, `moderation.services`, checks that the user is a moderator, and writes the audit log.
"""

from typing import Any
from uuid import UUID

from foundation import times
from foundation.database import run_db
from foundation.errors import Conflict, Forbidden

from .. import selectors
from ..models import Membership, Room
from ..write_access import forget_write_access
from .publishing import notify_removed, publish_member_changed, publish_room_updated
from .rooms import end_room


async def lock_room(*, room_id: UUID) -> Room:
    """Stop all writing in the room until it is unlocked. Safe to repeat."""
    room = await run_db(_change, room_id, {"locked_at": times.now()})
    publish_room_updated(room)
    forget_write_access(room_id=room_id)
    return room


async def unlock_room(*, room_id: UUID) -> Room:
    """Allow writing again. Safe to repeat. The cache of write access needs no change: it has no refusals."""
    room = await run_db(_change, room_id, {"locked_at": None})
    publish_room_updated(room)
    return room


async def set_retention(*, room_id: UUID, days: int | None) -> Room:
    """Set after how many days messages are archived; None means RETENTION_DAYS. Members do not see it."""
    return await run_db(_change, room_id, {"retention_days": days})


async def close_room(*, room_id: UUID) -> None:
    """Delete a group: all members lose it at once; its log stays. Forbidden for a direct room."""
    user_ids = await run_db(_close, room_id)
    notify_removed(room_id, user_ids, reason="deleted")


async def expel_member(*, room_id: UUID, user_id: UUID) -> None:
    """Remove a member of any role from a group.

    If that was the last owner, another member becomes owner, so that somebody can manage the room: an active
    account before a deactivated one, an admin before a member, then the longest membership.
    """
    new_owners = await run_db(_expel, room_id, user_id)
    notify_removed(room_id, [user_id], reason="removed")
    publish_member_changed(room_id, user_id, None)
    for owner in new_owners:
        publish_member_changed(room_id, owner.user_id, owner)


def _change(room_id: UUID, changes: dict[str, Any]) -> Room:
    Room.objects.filter(pk=room_id).update(**changes)
    return selectors.get_room(room_id=room_id)


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
    new_owners = _appoint_owner(room_id, without=membership)
    Membership.objects.filter(pk=membership.pk).delete()
    # The other owner may have left since the first look.
    return new_owners or _appoint_owner(room_id, without=membership)


def _appoint_owner(room_id: UUID, *, without: Membership) -> list[Membership]:
    others = [member for member in selectors.room_members(room_id=room_id) if member.pk != without.pk]
    if not others or any(member.role == Membership.Role.OWNER for member in others):
        return []
    # `min` takes the first of equals, and the selector orders by the time of joining.
    successor = min(
        others, key=lambda member: (not member.user.is_active, member.role != Membership.Role.ADMIN)
    )
    successor.role = Membership.Role.OWNER
    successor.save(update_fields=["role"])
    return [successor]


def _require_group(room_id: UUID) -> Room:
    room = selectors.get_room(room_id=room_id)
    if room.kind == Room.Kind.DIRECT:
        raise Forbidden("A direct room has its two users for ever. Lock it instead.")
    return room
