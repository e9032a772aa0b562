"""What each role may do in a room. Knows memberships; must not know requests or sockets."""

from foundation import times
from foundation.errors import Forbidden, Muted

from .models import Membership
from .write_access import Standing

RANK = {Membership.Role.MEMBER: 0, Membership.Role.ADMIN: 1, Membership.Role.OWNER: 2}


def require_role(membership: Membership, role: Membership.Role) -> None:
    if RANK[Membership.Role(membership.role)] < RANK[role]:
        raise Forbidden(f"This needs the role {role.value} in the room; yours is {membership.role}.")


def require_outranks(membership: Membership, other: Membership) -> None:
    """An admin manages members; only an owner manages admins and owners."""
    if membership.pk == other.pk:
        return
    if (
        RANK[Membership.Role(membership.role)] <= RANK[Membership.Role(other.role)]
        and membership.role != "owner"
    ):
        raise Forbidden(f"A member with the role {other.role} can only be managed by an owner.")


def require_may_write(standing: Standing) -> None:
    """Who may send and edit: a member who is not muted, in a room that is not locked."""
    if standing.locked_at is not None:
        raise Forbidden("This room is locked by the moderators; nobody writes in it for now.")
    if standing.muted_until is not None and standing.muted_until > times.now():
        raise Muted(
            f"You are muted in this room until {times.to_wire(standing.muted_until)}.",
            retry_after=(standing.muted_until - times.now()).total_seconds(),
        )
