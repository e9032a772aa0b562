"""Publishes changes of rooms and memberships. Services call these functions after the write."""

from collections.abc import Iterable
from uuid import UUID

from accounts.topics import user_address
from realtime.hub.hub import get_hub

from ..events import (
    ROOM_MEMBER,
    ROOM_REMOVED,
    ROOM_UPDATED,
    MemberChanged,
    RoomRemoved,
    member_data,
    updated_data,
)
from ..models import Membership, Room
from ..topics import room_topic
from ..write_access import forget_write_access


def publish_room_updated(room: Room) -> None:
    """Publish `room:updated` to the room."""
    get_hub().publish(room_topic(room.pk), ROOM_UPDATED.encode(updated_data(room)))


def publish_member_changed(room_id: UUID, user_id: UUID, membership: Membership | None) -> None:
    """Publish `room:member` to the room, with None for a user who is no longer a member.

    Every process forgets the member's write access.
    """
    changed = MemberChanged(
        room_id=room_id, user_id=user_id, member=member_data(membership) if membership else None
    )
    get_hub().publish(room_topic(room_id), ROOM_MEMBER.encode(changed))
    forget_write_access(room_id=room_id, user_ids=[user_id])


def notify_added(room_id: UUID, user_ids: Iterable[UUID]) -> None:
    """Add the room to the users' sockets in every process. Each socket subscribes, then sends `room:added`."""
    addresses = [user_address(user_id) for user_id in user_ids]
    if addresses:
        get_hub().send_control(addresses, "room:added", {"room_id": str(room_id)})


def notify_removed(room_id: UUID, user_ids: list[UUID], *, reason: str) -> None:
    """Remove the room from the users' sockets in every process. Each socket unsubscribes and sends `room:removed`.

    Every process forgets the users' write access. `reason` is `left`, `removed` or `deleted`.
    """
    addresses = [user_address(user_id) for user_id in user_ids]
    frame = ROOM_REMOVED.encode(RoomRemoved(room_id=room_id, reason=reason))
    get_hub().send_control(addresses, "room:removed", {"room_id": str(room_id), "frame": frame})
    forget_write_access(room_id=room_id, user_ids=user_ids)
