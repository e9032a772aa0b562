"""What bounds putting people into rooms: how many rooms each has, and how many a user makes and adds people to.

Consent is no part of this. All functions here are synchronous; the caller counts what they return before it writes.
"""

from collections.abc import Collection
from uuid import UUID

from django.conf import settings

from foundation.errors import Conflict, Invalid
from foundation.limits.declaration import Count
from foundation.limits.named import ADDS_MEMBER, ROOMS_USER, ROOMS_USER_LONG, STRANGERS_USER

from .. import selectors

Counts = tuple[Count | None, ...]


def check_new_room(*, actor_id: UUID, other_ids: Collection[UUID], field: str) -> Counts:
    """What a new room of the actor with these others counts.

    Raises Conflict if the actor has as many rooms as allowed, or one of the others, which `field` then names.
    """
    others = set(other_ids) - {actor_id}
    _require_places({actor_id, *others}, actor_id=actor_id, field=field)
    return (
        ROOMS_USER.of(actor_id),
        ROOMS_USER_LONG.of(actor_id),
        _strangers(actor_id, others, field),
    )


def check_new_member(*, room_id: UUID, actor_id: UUID, user_id: UUID, field: str) -> Counts:
    """What adding the user to a group of the actor counts. Raises Conflict if the user has too many rooms."""
    _require_places({user_id}, actor_id=actor_id, field=field)
    return ADDS_MEMBER.of(f"{room_id}:{user_id}"), _strangers(actor_id, {user_id}, field)


def _require_places(user_ids: set[UUID], *, actor_id: UUID, field: str) -> None:
    """Raise Conflict for users who have MAX_ROOMS_USER rooms.

    Two writes at once may both pass: then a user gets a few more. The limit keeps a connect cheap, which a few
    rooms do not change.
    """
    counts = selectors.room_counts(user_ids=user_ids)
    full = {user_id for user_id, rooms in counts.items() if rooms >= settings.MAX_ROOMS_USER}
    if actor_id in full:
        raise Conflict(f"You are in {settings.MAX_ROOMS_USER} rooms, as many as allowed. Leave one first.")
    if full:
        # Says nothing of how many rooms somebody has.
        problems = [f"Cannot be added at the moment: {user_id}." for user_id in sorted(full, key=str)[:10]]
        raise Conflict("This user cannot be added to a room at the moment.", fields={field: problems})


def _strangers(actor_id: UUID, user_ids: set[UUID], field: str) -> Count | None:
    """What the users among these count who share no room with the actor yet."""
    strangers = user_ids - selectors.peers_among(user_id=actor_id, user_ids=user_ids)
    rate = STRANGERS_USER.rate
    if rate is not None and len(strangers) > rate.events:
        # No wait would help: the same request fails again.
        problem = f"At most {rate.events} people with whom you share no room yet."
        raise Invalid(fields={field: [problem]})
    return STRANGERS_USER.of(actor_id, events=len(strangers))
