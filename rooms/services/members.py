"""Adds, changes and removes members of groups."""

from typing import Any, NoReturn
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError

from accounts import selectors as accounts
from foundation.database import run_db
from foundation.errors import Conflict, Invalid
from foundation.limits.local import get_local_limiter
from foundation.limits.named import EVENTS_USER
from foundation.limits.shared import get_rate_limiter

from .. import selectors
from ..models import Membership, Room
from ..permissions import (
    require_managed_group,
    require_may_grant,
    require_may_mute,
    require_outranks,
    require_role,
)
from .admission import Counts, check_new_member
from .changes import save_changes
from .owners import LAST_OWNER, has_other_owner, require_owner_without
from .publishing import notify_added, notify_removed, publish_member_changed

Role = Membership.Role


async def add_member(*, room_id: UUID, actor_id: UUID, user_id: UUID, role: str = Role.MEMBER) -> Membership:
    """Add a user to a group, as its admin; only an owner adds admins and owners.

    Raises NotFound, Forbidden, RateLimited, Invalid for an unknown user, Conflict for a member, in a full room, and
    for a user who has too many rooms.
    """
    get_local_limiter().check(EVENTS_USER.of(actor_id))
    await get_rate_limiter().check(*await run_db(_check_new_member, room_id, actor_id, user_id, role))
    membership = await run_db(_add_member, room_id, actor_id, user_id, role)
    notify_added(room_id, [user_id])
    publish_member_changed(room_id, user_id, membership)
    return membership


def _check_new_member(room_id: UUID, actor_id: UUID, user_id: UUID, role: str) -> Counts:
    _require_may_add(room_id, actor_id, role)
    require_users([user_id], field="userId")
    if Membership.objects.filter(room_id=room_id, user_id=user_id).exists():
        _refuse_member()
    if selectors.count_members(room_id=room_id) >= settings.MAX_ROOM_MEMBERS:
        refuse_full()
    return check_new_member(room_id=room_id, actor_id=actor_id, user_id=user_id, field="userId")


def _add_member(room_id: UUID, actor_id: UUID, user_id: UUID, role: str) -> Membership:
    # Again, because the actor may have lost the role while the limits were asked.
    actor = _require_may_add(room_id, actor_id, role)
    membership = join(actor.room, user_id, role)
    if membership is None:
        _refuse_member()
    # Several users may have been added at once. Each that counts too many members is removed again, so the limit
    # holds: the last of those who stay counted all the others.
    if selectors.count_members(room_id=room_id) > settings.MAX_ROOM_MEMBERS:
        Membership.objects.filter(pk=membership.pk).delete()
        refuse_full()
    return membership


def _require_may_add(room_id: UUID, actor_id: UUID, role: str) -> Membership:
    actor = require_managed_group(room_id, actor_id, Role.ADMIN)
    require_may_grant(actor, role)
    return actor


def _refuse_member() -> NoReturn:
    raise Conflict("This user is a member already.", fields={"userId": ["Already a member."]})


async def change_member(
    *, room_id: UUID, actor_id: UUID, user_id: UUID, changes: dict[str, Any]
) -> Membership:
    """Change a member's `role` or `muted_until`, as an admin. Conflict if no active owner would be left.

    Raises NotFound, Forbidden, RateLimited.
    """
    get_local_limiter().check(EVENTS_USER.of(actor_id))
    membership, changed = await run_db(_change_member, room_id, actor_id, user_id, changes)
    if changed:
        publish_member_changed(room_id, user_id, membership)
    return membership


def _change_member(
    room_id: UUID, actor_id: UUID, user_id: UUID, changes: dict[str, Any]
) -> tuple[Membership, bool]:
    actor = require_managed_group(room_id, actor_id, Role.ADMIN)
    membership = selectors.get_membership(room_id=room_id, user_id=user_id)
    require_outranks(actor, membership)
    # Nobody else could lift the mute of the only owner.
    if "muted_until" in changes and (actor.role != Role.OWNER or has_other_owner(actor)):
        require_may_mute(actor, membership, changes["muted_until"])
    if "role" in changes and changes["role"] != membership.role:
        require_may_grant(actor, changes["role"])
        if membership.role == Role.OWNER:
            if not has_other_owner(membership):
                raise Conflict(LAST_OWNER)
            Membership.objects.filter(pk=membership.pk).update(role=changes["role"])
            # Two owners may have stepped down at once.
            if not has_other_owner(membership):
                Membership.objects.filter(pk=membership.pk).update(role=Role.OWNER)
                raise Conflict(LAST_OWNER)
    return membership, save_changes(membership, changes)


async def remove_member(*, room_id: UUID, actor_id: UUID, user_id: UUID) -> None:
    """Remove a user from a group, as an admin; members who remove themselves leave.

    Conflict for the only active owner, unless no other member is active. Raises NotFound, Forbidden, RateLimited.
    """
    get_local_limiter().check(EVENTS_USER.of(actor_id))
    await run_db(_remove_member, room_id, actor_id, user_id)
    notify_removed(room_id, [user_id], reason="left" if user_id == actor_id else "removed")
    publish_member_changed(room_id, user_id, None)


def _remove_member(room_id: UUID, actor_id: UUID, user_id: UUID) -> None:
    actor = require_managed_group(room_id, actor_id, Role.MEMBER)
    membership = actor
    if user_id != actor_id:
        require_role(actor, Role.ADMIN)
        membership = selectors.get_membership(room_id=room_id, user_id=user_id)
        require_outranks(actor, membership)
    if membership.role == Role.OWNER:
        require_owner_without(membership)
    Membership.objects.filter(pk=membership.pk).delete()
    if membership.role == Role.OWNER:
        try:
            # Two owners may have left at once.
            require_owner_without(membership)
        except Conflict:
            membership.save(force_insert=True)
            raise


def join(room: Room, user_id: UUID, role: str) -> Membership | None:
    """Store a membership for which all messages are read; None for a member."""
    if Membership.objects.filter(room=room, user_id=user_id).exists():
        return None
    try:
        return Membership.create_at_head(room=room, user_id=user_id, role=role)
    except IntegrityError:
        return None


def require_users(user_ids: list[UUID], *, field: str) -> None:
    """Raise Invalid, which names `field`, unless all users exist and are active."""
    found = accounts.active_users(user_ids=user_ids)
    if missing := [str(user_id) for user_id in user_ids if user_id not in found]:
        raise Invalid(
            "No such user.", fields={field: [f"No such user: {user_id}." for user_id in missing[:10]]}
        )


def refuse_full() -> NoReturn:
    raise Conflict(f"A room holds at most {settings.MAX_ROOM_MEMBERS} members.")
