"""Creates, changes and deletes rooms."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings

from foundation import times
from foundation.database import run_db
from foundation.limits.local import get_local_limiter
from foundation.limits.named import EVENTS_USER
from foundation.limits.shared import get_rate_limiter

from .. import selectors
from ..models import Membership, Room
from ..permissions import admit_change, require_managed_group, require_may_write
from ..write_access import WriteAccess
from .admission import Counts, check_new_room
from .changes import save_changes
from .members import refuse_full, require_users
from .publishing import notify_added, notify_removed, publish_room_updated

Role = Membership.Role


async def create_group(
    *, creator_id: UUID, name: str, member_ids: Iterable[UUID] = (), **fields: Any
) -> Room:
    """Create a group with the creator as its owner.

    `fields` are other fields that a client may set, such as `meta`. Raises Invalid for unknown users and for too
    many strangers, Conflict for more than MAX_ROOM_MEMBERS of them and for users who have too many rooms,
    RateLimited. A retry creates a second room.
    """
    others = [user_id for user_id in dict.fromkeys(member_ids) if user_id != creator_id]
    if len(others) + 1 > settings.MAX_ROOM_MEMBERS:
        refuse_full()
    await get_rate_limiter().check(*await run_db(_check_new_group, creator_id, others))
    room = await run_db(_create_group, creator_id, others, {"name": name, **fields})
    notify_added(room.pk, [creator_id, *others])
    return room


def _check_new_group(creator_id: UUID, others: list[UUID]) -> Counts:
    require_users(others, field="memberIds")
    return check_new_room(actor_id=creator_id, other_ids=others, field="memberIds")


def _create_group(creator_id: UUID, others: list[UUID], fields: dict[str, Any]) -> Room:
    room = Room.objects.create(kind=Room.Kind.GROUP, created_by_id=creator_id, **fields)
    memberships = [Membership(room=room, user_id=user_id) for user_id in others]
    memberships.append(Membership(room=room, user_id=creator_id, role=Role.OWNER))
    Membership.objects.bulk_create(memberships)
    return room


async def update_room(*, room_id: UUID, actor_id: UUID, changes: dict[str, Any]) -> Room:
    """Change fields of a group, as its admin. `changes` maps a field's name to its new value.

    Publishes only if a value differs. Safe to repeat. Counts as a message to the room, because its name and `meta`
    are read by all members, and needs the right to write. Raises NotFound, Forbidden, Muted, RateLimited.
    """
    await admit_change(room_id=room_id, user_id=actor_id)
    room, changed = await run_db(_update_room, room_id, actor_id, changes)
    if changed:
        publish_room_updated(room)
    return room


def _update_room(room_id: UUID, actor_id: UUID, changes: dict[str, Any]) -> tuple[Room, bool]:
    actor = require_managed_group(room_id, actor_id, Role.ADMIN)
    require_may_write(WriteAccess.of(actor))
    room = actor.room
    return room, save_changes(room, changes)


async def delete_room(*, room_id: UUID, actor_id: UUID) -> None:
    """Delete a group, as its owner: all members lose it at once; its log stays for the moderators."""
    get_local_limiter().check(EVENTS_USER.of(actor_id))
    user_ids, _ = await run_db(_delete_room, room_id, actor_id)
    notify_removed(room_id, user_ids, reason="deleted")


def _delete_room(room_id: UUID, actor_id: UUID) -> tuple[list[UUID], bool]:
    return end_room(require_managed_group(room_id, actor_id, Role.OWNER).room)


def end_room(room: Room) -> tuple[list[UUID], bool]:
    """Remove all members and mark the room as deleted. Safe to repeat.

    Returns the user ids of the members, and whether it was not deleted before.
    """
    user_ids = selectors.member_ids(room_id=room.pk)
    Membership.objects.filter(room=room).delete()
    deleted = Room.objects.filter(pk=room.pk, deleted_at__isnull=True).update(deleted_at=times.now())
    return user_ids, bool(deleted)


async def republish_room(*, room_id: UUID) -> None:
    """Publish the room as it is stored now; for a command that has changed `first_seq`."""
    publish_room_updated(await run_db(selectors.get_room, room_id=room_id))
