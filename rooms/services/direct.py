"""Opens direct rooms."""

from uuid import UUID

from django.db import IntegrityError

from foundation.database import run_db

from ..models import Membership, Room, direct_key
from .members import join, require_users
from .publishing import notify_added


async def open_direct(*, user_id: UUID, other_id: UUID) -> tuple[Room, bool]:
    """The direct room of two users, and whether this call created it.

    Both users get the same room, even when they open it at once. Safe to repeat. Raises Invalid for an unknown or
    deactivated user, unless the room exists.
    """
    room, created, joined = await run_db(_open_direct, user_id, other_id)
    notify_added(room.pk, joined)
    return room, created


def _open_direct(user_id: UUID, other_id: UUID) -> tuple[Room, bool, list[UUID]]:
    """The room, whether this call created it, and the users who became members by this call."""
    key, created = direct_key(user_id, other_id), False
    room = Room.objects.filter(direct_key=key).first()
    if room is None:
        if other_id != user_id:
            require_users([other_id], field="userId")
        try:
            room = Room.objects.create(kind=Room.Kind.DIRECT, direct_key=key, created_by_id=user_id)
            created = True
        except IntegrityError:
            # The other user created it first.
            room = Room.objects.get(direct_key=key)
    # An existing room may lack members: its creator's process may have died before it wrote the memberships.
    return room, created, [user for user in {user_id, other_id} if join(room, user, Membership.Role.MEMBER)]
