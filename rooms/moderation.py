"""Writes of moderators to rooms: no membership and no role is asked for. Part of the services.

Whether somebody is a moderator, and the record of what they did, is the caller's (moderation.services).
"""

from uuid import UUID

from foundation import times
from foundation.database import run_db
from foundation.errors import Conflict, Forbidden

from . import selectors
from .models import Membership, Room
from .services import end_room, tell_member, tell_removed, tell_updated
from .write_access import tell_standing_changed


async def lock_room(*, room_id: UUID) -> Room:
    """Nobody writes in the room until it is unlocked; its members see `room:updated`. Safe to repeat."""
    room = await run_db(_change, room_id, {"locked_at": times.now()})
    tell_updated(room)
    tell_standing_changed(room_id=room_id)
    return room


async def unlock_room(*, room_id: UUID) -> Room:
    room = await run_db(_change, room_id, {"locked_at": None})
    tell_updated(room)
    return room


async def set_retention(*, room_id: UUID, days: int | None) -> Room:
    """Archive the room's messages after so many days; None leaves it to RETENTION_DAYS."""
    return await run_db(_change, room_id, {"retention_days": days})


async def close_room(*, room_id: UUID) -> None:
    """End a group: all members lose it at once; its log stays. Forbidden for a direct room: lock that."""
    user_ids = await run_db(_close, room_id)
    tell_removed(room_id, user_ids, reason="deleted")


async def expel_member(*, room_id: UUID, user_id: UUID) -> None:
    """Take a member out of a group, whatever their role. The last owner's place goes to who is there longest,
    an admin before a member, so that the room can still be managed."""
    heirs = await run_db(_expel, room_id, user_id)
    tell_removed(room_id, [user_id], reason="removed")
    tell_member(room_id, user_id, None)
    for heir in heirs:
        tell_member(room_id, heir.user_id, heir)


def _change(room_id: UUID, changes: dict) -> Room:
    Room.objects.filter(pk=room_id).update(**changes)
    return selectors.get_room(room_id=room_id)


def _close(room_id: UUID) -> list[UUID]:
    room = _require_group(room_id)
    if room.deleted_at is not None:
        raise Conflict("This room is deleted already.")
    return end_room(room)


def _expel(room_id: UUID, user_id: UUID) -> list[Membership]:
    """Returns who became owner by it."""
    _require_group(room_id)
    membership = selectors.get_membership(room_id=room_id, user_id=user_id)
    # First, so that a crash leaves two owners and not none.
    heirs = _appoint_owner(room_id, without=membership)
    Membership.objects.filter(pk=membership.pk).delete()
    return heirs or _appoint_owner(room_id, without=membership)  # another owner may have gone meanwhile


def _appoint_owner(room_id: UUID, *, without: Membership) -> list[Membership]:
    others = [member for member in selectors.room_members(room_id=room_id) if member.pk != without.pk]
    if not others or any(member.role == Membership.Role.OWNER for member in others):
        return []
    # In the order in which they came; an account that is deactivated manages nothing.
    heir = min(others, key=lambda member: (not member.user.is_active, member.role != Membership.Role.ADMIN))
    heir.role = Membership.Role.OWNER
    heir.save(update_fields=["role"])
    return [heir]


def _require_group(room_id: UUID) -> Room:
    room = selectors.get_room(room_id=room_id)
    if room.kind == Room.Kind.DIRECT:
        raise Forbidden("A direct room has its two users for ever. Lock it instead.")
    return room
