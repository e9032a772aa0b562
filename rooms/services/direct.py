"""Finds and makes direct rooms."""

from uuid import UUID

from django.db import IntegrityError

from foundation.database import run_db
from foundation.ids import uuid7
from foundation.limits.shared import get_rate_limiter

from ..models import Membership, Room, direct_key
from .admission import Counts, check_new_room
from .members import join, require_users
from .publishing import notify_added


async def open_direct(*, user_id: UUID, other_id: UUID) -> tuple[Room, bool]:
    """The direct room of two users, and whether this call created it.

    Both users get the same room, even when they open it at once. Safe to repeat. Raises Invalid for an unknown or
    deactivated user, unless the room exists, Conflict if one of the two has too many rooms, and RateLimited.
    """
    if await run_db(find_direct, user_id=user_id, other_id=other_id) is None:
        counts = await run_db(check_new_direct, user_id=user_id, other_id=other_id, field="userId")
        await get_rate_limiter().check(*counts)
    room, created, joined = await run_db(make_direct, user_id=user_id, other_id=other_id, room_id=uuid7())
    notify_added(room.pk, joined)
    return room, created


def find_direct(*, user_id: UUID, other_id: UUID) -> UUID | None:
    """The id of the users' direct room. None if there is none, or it has not both members yet."""
    room_id = (
        Room.objects.filter(direct_key=direct_key(user_id, other_id)).values_list("pk", flat=True).first()
    )
    whole = room_id and Membership.objects.filter(room_id=room_id).count() == len({user_id, other_id})
    return room_id if whole else None


def check_new_direct(*, user_id: UUID, other_id: UUID, field: str) -> Counts:
    """What a new direct room counts.

    Raises Invalid, which names `field`, for another user who is unknown or deactivated, and Conflict if one of the
    two has too many rooms.
    """
    if other_id != user_id:
        require_users([other_id], field=field)
    return check_new_room(actor_id=user_id, other_ids=[other_id], field=field)


def make_direct(*, user_id: UUID, other_id: UUID, room_id: UUID) -> tuple[Room, bool, list[UUID]]:
    """The room, whether this call created it, under `room_id`, and the users who became members by this call.

    The caller has checked the other user, and tells the members.
    """
    key, created = direct_key(user_id, other_id), False
    room = Room.objects.filter(direct_key=key).first()
    if room is None:
        try:
            room = Room.objects.create(
                pk=room_id, kind=Room.Kind.DIRECT, direct_key=key, created_by_id=user_id
            )
            created = True
        except IntegrityError:
            # The other user created it first.
            room = Room.objects.get(direct_key=key)
    # An existing room may lack members: its creator's process may have died before it wrote the memberships.
    return room, created, [user for user in {user_id, other_id} if join(room, user, Membership.Role.MEMBER)]
