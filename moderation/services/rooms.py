"""Moderators act on rooms and their members."""

from functools import partial
from typing import Any
from uuid import UUID

from foundation.database import run_db
from rooms import moderation as room_moderation
from rooms import selectors as rooms

from ..audit import Target
from .cases import Case, Deed, carry_out


async def lock_room(*, case: Case, room_id: UUID) -> None:
    """Nobody writes in the room until it is unlocked; sends answer `forbidden`."""
    await _on_room(case, "lock_room", room_id, partial(room_moderation.lock_room, room_id=room_id))


async def unlock_room(*, case: Case, room_id: UUID) -> None:
    await _on_room(case, "unlock_room", room_id, partial(room_moderation.unlock_room, room_id=room_id))


async def close_room(*, case: Case, room_id: UUID) -> None:
    """Delete a group: its members lose it at once, its log stays for the moderators."""
    await _on_room(case, "delete_room", room_id, partial(room_moderation.close_room, room_id=room_id))


async def expel_member(*, case: Case, room_id: UUID, user_id: UUID) -> None:
    deed = partial(room_moderation.expel_member, room_id=room_id, user_id=user_id)
    await _on_room(case, "remove_member", room_id, deed, details={"userId": str(user_id)})


async def set_retention(*, case: Case, room_id: UUID, days: int | None) -> None:
    deed = partial(room_moderation.set_retention, room_id=room_id, days=days)
    await _on_room(case, "set_retention", room_id, deed, details={"days": days})


async def _on_room(
    case: Case, action: str, room_id: UUID, deed: Deed[Any], details: dict[str, Any] | None = None
) -> None:
    room = await run_db(rooms.get_room, room_id=room_id)
    await carry_out(case, action, Target("room", room_id, str(room), details or {}), deed)
