"""Moderators act on rooms and their members."""

from functools import partial
from typing import Any
from uuid import UUID

from foundation.database import run_db
from rooms import selectors as rooms
from rooms.services import moderators as room_moderators

from ..audit import Target
from .cases import Case, Work, carry_out


async def lock_room(*, case: Case, room_id: UUID) -> None:
    """Stop all writing in the room until it is unlocked; sends are refused with `forbidden`."""
    await _carry_out(case, "lock_room", room_id, partial(room_moderators.lock_room, room_id=room_id))


async def unlock_room(*, case: Case, room_id: UUID) -> None:
    """Allow writing in the room again."""
    await _carry_out(case, "unlock_room", room_id, partial(room_moderators.unlock_room, room_id=room_id))


async def close_room(*, case: Case, room_id: UUID) -> None:
    """Delete a group. Its members lose it at once; its log stays and moderators can read it."""
    await _carry_out(case, "delete_room", room_id, partial(room_moderators.close_room, room_id=room_id))


async def expel_member(*, case: Case, room_id: UUID, user_id: UUID) -> None:
    """Remove a member from a group, whatever their role."""
    action = partial(room_moderators.expel_member, room_id=room_id, user_id=user_id)
    await _carry_out(case, "remove_member", room_id, action, details={"userId": str(user_id)})


async def set_retention(*, case: Case, room_id: UUID, days: int | None) -> None:
    """Archive the room's messages after `days`; 0 means never, None means RETENTION_DAYS."""
    action = partial(room_moderators.set_retention, room_id=room_id, days=days)
    await _carry_out(case, "set_retention", room_id, action, details={"days": days})


async def _carry_out(
    case: Case, name: str, room_id: UUID, action: Work, details: dict[str, Any] | None = None
) -> None:
    room = await run_db(rooms.get_room, room_id=room_id)
    await carry_out(case, name, Target("room", room_id, str(room), details or {}), action)
