"""Sees to it that a group in which somebody is active has an owner who is active, so that it can be managed."""

from uuid import UUID

from accounts import selectors as accounts
from foundation.database import run_db
from foundation.errors import Conflict

from .. import selectors
from ..models import Membership, Room
from .publishing import publish_member_changed

Role = Membership.Role
LAST_OWNER = "This is the room's only active owner. Make another member owner first, or delete the room."


async def appoint_missing_owners(*, user_id: UUID) -> None:
    """Make another member owner in the user's groups that have no active owner, if a member is active.

    Called after an account was deactivated or reactivated. Deactivated owners keep their role, so nothing is lost
    when they are reactivated. Safe to repeat.
    """
    for owner in await run_db(_appoint_missing_owners, user_id):
        publish_member_changed(owner.room_id, owner.user_id, owner)


def _appoint_missing_owners(user_id: UUID) -> list[Membership]:
    """Returns the members who became owner."""
    memberships = selectors.user_memberships(user_id=user_id).values()
    groups = [one.room_id for one in memberships if one.room.kind == Room.Kind.GROUP]
    appointed = []
    for start in range(0, len(groups), selectors.MAX_ROOMS_AT_ONCE):
        part = groups[start : start + selectors.MAX_ROOMS_AT_ONCE]
        owned = Membership.objects.filter(room_id__in=part, role=Role.OWNER).order_by()
        owners = list(owned.values_list("room_id", "user_id"))
        active = accounts.active_users(user_ids={owner_id for _, owner_id in owners})
        for room_id in set(part) - {room_id for room_id, owner_id in owners if owner_id in active}:
            appointed += appoint_owner(room_id)
    return appointed


def appoint_owner(room_id: UUID, *, without: Membership | None = None) -> list[Membership]:
    """Make a member owner unless an active one is there. Returns the member, or nothing.

    An active account comes before a deactivated one, an admin before a member, then the longest membership.
    A deactivated member becomes owner only where there is no owner at all. `without` is about to be removed.
    """
    members = [
        one for one in selectors.room_members(room_id=room_id) if without is None or one.pk != without.pk
    ]
    owners = [member for member in members if member.role == Role.OWNER]
    if not members or any(owner.user.is_active for owner in owners):
        return []
    # `min` takes the first of equals, and the selector orders by the time of joining.
    heir = min(members, key=lambda member: (not member.user.is_active, member.role != Role.ADMIN))
    if owners and not heir.user.is_active:
        return []
    heir.role = Role.OWNER
    heir.save(update_fields=["role"])
    return [heir]


def has_other_owner(membership: Membership) -> bool:
    """Whether the room has an active owner besides this member."""
    owners = Membership.objects.filter(room_id=membership.room_id, role=Role.OWNER).exclude(pk=membership.pk)
    return bool(accounts.active_users(user_ids=owners.values_list("user_id", flat=True)))


def require_owner_without(membership: Membership) -> None:
    """Raise Conflict if without this member nobody could manage the room for those who are active in it."""
    if has_other_owner(membership):
        return
    others = Membership.objects.filter(room_id=membership.room_id).exclude(pk=membership.pk)
    if accounts.active_users(user_ids=others.values_list("user_id", flat=True)):
        raise Conflict(LAST_OWNER)
