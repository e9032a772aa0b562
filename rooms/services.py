"""Writes to rooms and memberships, and the events that tell of them.

Keyword-only; know no request, view or socket. Each orders its writes so that a crash between any two leaves
nothing half visible, since MongoDB through djongo has no transactions: a room without members is invisible, so
memberships come last when a room is made and go first when it is deleted. Events follow the write.
"""

from collections.abc import Iterable
from typing import Any, NoReturn
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError

from accounts import selectors as accounts
from accounts.topics import user_address
from foundation import times
from foundation.database import run_db
from foundation.errors import Conflict, Forbidden, Invalid
from realtime.hub.hub import get_hub

from . import selectors
from .events import (
    ROOM_MEMBER,
    ROOM_REMOVED,
    ROOM_UPDATED,
    MemberChanged,
    RoomRemoved,
    member_data,
    updated_data,
)
from .models import Membership, Room, direct_key
from .permissions import require_outranks, require_role
from .topics import room_topic
from .write_access import tell_standing_changed

Role = Membership.Role
LAST_OWNER = "This is the room's only owner. Make another member owner first, or delete the room."


async def create_group(
    *, creator_id: UUID, name: str, member_ids: Iterable[UUID] = (), meta: dict[str, Any] | None = None
) -> Room:
    """Make a group room; the creator is its owner. Invalid for unknown users or too many of them."""
    room, user_ids = await run_db(_create_group, creator_id, name, list(member_ids), meta or {})
    _tell_added(room, user_ids)
    return room


def _create_group(
    creator_id: UUID, name: str, member_ids: list[UUID], meta: dict[str, Any]
) -> tuple[Room, list[UUID]]:
    others = [user_id for user_id in dict.fromkeys(member_ids) if user_id != creator_id]
    if len(others) + 1 > settings.MAX_ROOM_MEMBERS:
        _refuse_full()
    _require_users(others)
    room = Room.objects.create(kind=Room.Kind.GROUP, name=name, meta=meta, created_by_id=creator_id)
    memberships = [Membership(room=room, user_id=user_id) for user_id in others]
    memberships.append(Membership(room=room, user_id=creator_id, role=Role.OWNER))
    Membership.objects.bulk_create(memberships)
    return room, [creator_id, *others]


async def open_direct(*, user_id: UUID, other_id: UUID) -> tuple[Room, bool]:
    """The direct room of two users, and whether this call made it. Both sides at once get the same room."""
    room, made, added = await run_db(_open_direct, user_id, other_id)
    _tell_added(room, added)
    return room, made


def _open_direct(user_id: UUID, other_id: UUID) -> tuple[Room, bool, list[UUID]]:
    """The room, whether this call made it, and who became a member by it."""
    key, made = direct_key(user_id, other_id), False
    room = Room.objects.filter(direct_key=key).first()
    if room is None:
        if other_id != user_id:
            _require_users([other_id], field="userId")
        try:
            room = Room.objects.create(kind=Room.Kind.DIRECT, direct_key=key, created_by_id=user_id)
            made = True
        except IntegrityError:  # the other side was faster
            room = Room.objects.get(direct_key=key)
    # Also where the room is old: whoever made it may have died before the memberships were written.
    return room, made, [user for user in {user_id, other_id} if _join(room, user, Role.MEMBER)]


async def update_room(*, room_id: UUID, actor_id: UUID, changes: dict[str, Any]) -> Room:
    """Change name or meta of a group, as its admin; the room hears only of a change."""
    room, changed = await run_db(_update_room, room_id, actor_id, changes)
    if changed:
        tell_updated(room)
    return room


def _update_room(room_id: UUID, actor_id: UUID, changes: dict[str, Any]) -> tuple[Room, bool]:
    room = _require_managed_group(room_id, actor_id, Role.ADMIN).room
    return room, _apply(room, changes)


async def delete_room(*, room_id: UUID, actor_id: UUID) -> None:
    """End a group, as its owner: all members lose it at once; its log stays for the moderators."""
    user_ids = await run_db(_delete_room, room_id, actor_id)
    tell_removed(room_id, user_ids, reason="deleted")


def _delete_room(room_id: UUID, actor_id: UUID) -> list[UUID]:
    return end_room(_require_managed_group(room_id, actor_id, Role.OWNER).room)


def end_room(room: Room) -> list[UUID]:
    """Take all members out and mark the room deleted; returns who they were. Safe to repeat after a crash."""
    user_ids = selectors.member_ids(room_id=room.pk)
    Membership.objects.filter(room=room).delete()
    Room.objects.filter(pk=room.pk).update(deleted_at=times.now())
    return user_ids


async def add_member(*, room_id: UUID, actor_id: UUID, user_id: UUID, role: str = Role.MEMBER) -> Membership:
    """Add a user to a group, as its admin; only an owner adds admins and owners. Conflict if already in it."""
    membership = await run_db(_add_member, room_id, actor_id, user_id, role)
    _tell_added(membership.room, [user_id])
    tell_member(room_id, user_id, membership)
    return membership


def _add_member(room_id: UUID, actor_id: UUID, user_id: UUID, role: str) -> Membership:
    actor = _require_managed_group(room_id, actor_id, Role.ADMIN)
    _require_may_grant(actor, role)
    _require_users([user_id], field="userId")
    if selectors.count_members(room_id=room_id) >= settings.MAX_ROOM_MEMBERS:
        _refuse_full()
    membership = _join(actor.room, user_id, role)
    if membership is None:
        raise Conflict("This user is a member already.", fields={"userId": ["Already a member."]})
    # Several may have come at once. Whoever sees too many steps back, so of those who stay the last saw them all.
    if selectors.count_members(room_id=room_id) > settings.MAX_ROOM_MEMBERS:
        Membership.objects.filter(pk=membership.pk).delete()
        _refuse_full()
    return membership


async def change_member(
    *, room_id: UUID, actor_id: UUID, user_id: UUID, changes: dict[str, Any]
) -> Membership:
    """Change a member's role or mute, as an admin. The last owner stays one."""
    membership, changed = await run_db(_change_member, room_id, actor_id, user_id, changes)
    if changed:
        tell_member(room_id, user_id, membership)
    return membership


def _change_member(
    room_id: UUID, actor_id: UUID, user_id: UUID, changes: dict[str, Any]
) -> tuple[Membership, bool]:
    actor = _require_managed_group(room_id, actor_id, Role.ADMIN)
    membership = selectors.get_membership(room_id=room_id, user_id=user_id)
    require_outranks(actor, membership)
    if "role" in changes and changes["role"] != membership.role:
        _require_may_grant(actor, changes["role"])
        if membership.role == Role.OWNER:
            _require_another_owner(room_id)
            Membership.objects.filter(pk=membership.pk).update(role=changes["role"])
            if not _has_owner(room_id):  # two stepped down at once
                Membership.objects.filter(pk=membership.pk).update(role=Role.OWNER)
                raise Conflict(LAST_OWNER)
    return membership, _apply(membership, changes)


async def remove_member(*, room_id: UUID, actor_id: UUID, user_id: UUID) -> None:
    """Take a user out of a group, as an admin; oneself is leaving. An owner leaves only if there is another."""
    await run_db(_remove_member, room_id, actor_id, user_id)
    tell_removed(room_id, [user_id], reason="left" if user_id == actor_id else "removed")
    tell_member(room_id, user_id, None)


def _remove_member(room_id: UUID, actor_id: UUID, user_id: UUID) -> None:
    actor = _require_managed_group(room_id, actor_id, Role.MEMBER)
    membership = actor
    if user_id != actor_id:
        require_role(actor, Role.ADMIN)
        membership = selectors.get_membership(room_id=room_id, user_id=user_id)
        require_outranks(actor, membership)
    last_out = selectors.count_members(room_id=room_id) == 1
    if membership.role == Role.OWNER and not last_out:
        _require_another_owner(room_id)
    Membership.objects.filter(pk=membership.pk).delete()
    if membership.role == Role.OWNER and not last_out and not _has_owner(room_id):  # two left at once
        membership.save(force_insert=True)
        raise Conflict(LAST_OWNER)


def advance_watermarks(*, room_id: UUID, user_id: UUID, delivered_seq: int, read_seq: int = 0) -> bool:
    """Move a member's watermarks up, never down; True when one of them moved. Safe to repeat."""
    member = Membership.objects.filter(room_id=room_id, user_id=user_id)
    moved = member.filter(delivered_seq__lt=delivered_seq).update(delivered_seq=delivered_seq)
    if read_seq:
        moved += member.filter(read_seq__lt=read_seq).update(read_seq=read_seq)
    return bool(moved)


# --- inside -------------------------------------------------------------------------------------------------


def _require_managed_group(room_id: UUID, actor_id: UUID, role: Role) -> Membership:
    # The room is told of what changes, and whoever comes begins at its head.
    actor = selectors.require_shown_member(room_id=room_id, user_id=actor_id)
    if actor.room.kind == Room.Kind.DIRECT:
        raise Forbidden("A direct room has its two users and nothing to manage.")
    require_role(actor, role)
    return actor


def _require_may_grant(actor: Membership, role: str) -> None:
    if role != Role.MEMBER:
        require_role(actor, Role.OWNER)


def _require_another_owner(room_id: UUID) -> None:
    if Membership.objects.filter(room_id=room_id, role=Role.OWNER).count() < 2:
        raise Conflict(LAST_OWNER)


def _has_owner(room_id: UUID) -> bool:
    return Membership.objects.filter(room_id=room_id, role=Role.OWNER).exists()


def _apply(row: Room | Membership, changes: dict[str, Any]) -> bool:
    """Set and save what differs, those columns only: others, such as watermarks, move at the same time."""
    changed = [name for name, value in changes.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, changes[name])
    if changed:
        row.save(update_fields=changed)
    return bool(changed)


def _require_users(user_ids: list[UUID], field: str = "memberIds") -> None:
    found = {user.pk for user in accounts.get_users(user_ids=user_ids).values() if user.is_active}
    if missing := [str(user_id) for user_id in user_ids if user_id not in found]:
        raise Invalid(
            "No such user.", fields={field: [f"No such user: {user_id}." for user_id in missing[:10]]}
        )


def _refuse_full() -> NoReturn:
    raise Conflict(f"A room holds at most {settings.MAX_ROOM_MEMBERS} members.")


def _join(room: Room, user_id: UUID, role: str) -> Membership | None:
    """A new membership that has read all there is; None where the user is in the room already."""
    if Membership.objects.filter(room=room, user_id=user_id).exists():
        return None
    try:
        return Membership.create_at_head(room=room, user_id=user_id, role=role)
    except IntegrityError:
        return None


def _tell_added(room: Room, user_ids: Iterable[UUID]) -> None:
    """Each user's sockets, in every process, subscribe first and then read and tell the room's state."""
    addresses = [user_address(user_id) for user_id in user_ids]
    if addresses:
        get_hub().send_control(addresses, "room:added", {"room_id": str(room.pk)})


async def announce_room(*, room_id: UUID) -> None:
    """Show the members the room as it is by now; for a command that moved where its log begins."""
    tell_updated(await run_db(selectors.get_room, room_id=room_id))


def tell_updated(room: Room) -> None:
    get_hub().publish(room_topic(room.pk), ROOM_UPDATED.encode(updated_data(room)))


def tell_removed(room_id: UUID, user_ids: list[UUID], *, reason: str) -> None:
    addresses = [user_address(user_id) for user_id in user_ids]
    frame = ROOM_REMOVED.encode(RoomRemoved(room_id=room_id, reason=reason))
    get_hub().send_control(addresses, "room:removed", {"room_id": str(room_id), "frame": frame})
    tell_standing_changed(room_id=room_id, user_ids=user_ids)


def tell_member(room_id: UUID, user_id: UUID, membership: Membership | None) -> None:
    changed = MemberChanged(
        room_id=room_id, user_id=user_id, member=member_data(membership) if membership else None
    )
    get_hub().publish(room_topic(room_id), ROOM_MEMBER.encode(changed))
    tell_standing_changed(room_id=room_id, user_ids=[user_id])
