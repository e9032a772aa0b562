"""What each role may do in a room."""

from datetime import datetime
from uuid import UUID

from foundation import times
from foundation.errors import Forbidden, Muted
from foundation.limits.named import MESSAGES_ROOM, MESSAGES_USER
from foundation.limits.shared import get_rate_limiter

from . import selectors
from .models import Membership, Room
from .write_access import WriteAccess, get_write_access_cache

Role = Membership.Role
RANK = {Role.MEMBER: 0, Role.ADMIN: 1, Role.OWNER: 2}


def require_role(membership: Membership, role: Membership.Role) -> None:
    """Raise Forbidden for a member with a lower role."""
    if RANK[Role(membership.role)] < RANK[role]:
        raise Forbidden(f"This needs the role {role.value} in the room; yours is {membership.role}.")


def require_outranks(membership: Membership, other: Membership) -> None:
    """Raise Forbidden unless the member may manage the other. Admins manage members, owners everybody."""
    if membership.pk == other.pk:
        return
    if RANK[Role(membership.role)] <= RANK[Role(other.role)] and membership.role != Role.OWNER:
        raise Forbidden(f"A member with the role {other.role} can only be managed by an owner.")


def require_may_grant(membership: Membership, role: str) -> None:
    """Raise Forbidden unless the member may give others this role: only an owner makes admins and owners."""
    if role != Role.MEMBER:
        require_role(membership, Role.OWNER)


def require_may_mute(membership: Membership, other: Membership, until: datetime | None) -> None:
    """Raise Forbidden for a muted member who would end their own mute earlier; others lift it."""
    now, muted_until = times.now(), other.muted_until
    if membership.pk != other.pk or muted_until is None or muted_until <= now:
        return
    if until is None or until < muted_until:
        raise Forbidden("You are muted here, and only another member who may manage you lifts that.")


def require_managed_group(room_id: UUID, actor_id: UUID, role: Membership.Role) -> Membership:
    """The actor's membership, with its room.

    Raises NotFound for a user who is not a member, Forbidden in a direct room or with a lower role. The room has
    its true head: the caller publishes it, or starts a new member there.
    """
    actor = selectors.require_shown_member(room_id=room_id, user_id=actor_id)
    if actor.room.kind == Room.Kind.DIRECT:
        raise Forbidden("A direct room has its two users and nothing to manage.")
    require_role(actor, role)
    return actor


def require_may_write(access: WriteAccess) -> None:
    """Raise Forbidden in a locked room, Muted for a muted member."""
    if access.locked_at is not None:
        raise Forbidden("This room is locked by the moderators; nobody writes in it for now.")
    if access.muted_until is not None and access.muted_until > times.now():
        raise Muted(
            f"You are muted in this room until {times.to_wire(access.muted_until)}.",
            retry_after=(access.muted_until - times.now()).total_seconds(),
        )


async def admit_change(*, room_id: UUID, user_id: UUID) -> None:
    """Count a change that all members will be told as a message to the room, if the user may write there.

    Raises NotFound, Forbidden, Muted, RateLimited. The write access may come from the cache: who makes the change
    checks the database.
    """
    # Before the limits, so that a stranger cannot use up the limit of a room.
    require_may_write(await get_write_access_cache().require(room_id=room_id, user_id=user_id))
    await get_rate_limiter().check(MESSAGES_USER.of(user_id), MESSAGES_ROOM.of(room_id))
