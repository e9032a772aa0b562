"""Shapes of room events and of rooms on the wire. Knows models; must not know the database or sockets."""

from typing import Annotated, Any
from uuid import UUID

import msgspec

from foundation.times import to_wire
from realtime.wire.events import Audience, ServerEvent
from realtime.wire.protocol import Wire

from .models import Membership, Room


class RoomMember(Wire):
    """A membership as others in the room see it."""

    user_id: UUID
    role: str
    muted_until: str | None
    joined_at: str | None
    delivered_seq: int
    read_seq: int


class RoomData(Wire):
    """A room as one of its members sees it. `to` is the other user of a direct room.

    Messages before `firstSeq` are archived; in a room with `lockedAt` nobody writes.
    """

    id: UUID
    kind: str
    name: str
    meta: dict[str, Any]
    to: UUID | None
    created_by: UUID | None
    created_at: str | None
    last_activity_at: str | None
    locked_at: str | None
    first_seq: int
    last_seq: int
    unread_count: int
    last_message: Annotated[
        dict[str, Any] | None, msgspec.Meta(description="As history shows it; null while there is none.")
    ]
    role: str


class RoomDetail(RoomData):
    members: list[RoomMember]


class RoomUpdated(Wire):
    """`room:updated`: what every member sees alike."""

    id: UUID
    kind: str
    name: str
    meta: dict[str, Any]
    locked_at: str | None
    first_seq: int
    last_seq: int


class RoomRemoved(Wire):
    """`room:removed`: the room is no longer the receiver's; `reason` is left, removed or deleted."""

    room_id: UUID
    reason: str


class MemberChanged(Wire):
    """`room:member`: the membership that changed; `member` is null when the user is no longer in the room."""

    room_id: UUID
    user_id: UUID
    member: RoomMember | None


ROOM_ADDED = ServerEvent(
    "room:added",
    RoomDetail,
    audience=Audience.USER,
    summary="A room became yours; its live events flow from here on.",
)
ROOM_UPDATED = ServerEvent(
    "room:updated",
    RoomUpdated,
    audience=Audience.MEMBERS,
    summary="A room's name or meta changed, it was locked, or its log begins elsewhere (`firstSeq`).",
)
ROOM_REMOVED = ServerEvent(
    "room:removed", RoomRemoved, audience=Audience.USER, summary="A room is no longer yours."
)
ROOM_MEMBER = ServerEvent(
    "room:member",
    MemberChanged,
    audience=Audience.MEMBERS,
    summary="A membership of one of your rooms changed.",
)


def member_data(membership: Membership) -> RoomMember:
    return RoomMember(
        user_id=membership.user_id,
        role=membership.role,
        muted_until=to_wire(membership.muted_until),
        joined_at=to_wire(membership.joined_at),
        delivered_seq=membership.delivered_seq,
        read_seq=membership.read_seq,
    )


def unread_count(membership: Membership, room: Room) -> int:
    """What the room still has of what was not read."""
    return max(0, room.last_seq - max(membership.read_seq, room.first_seq - 1))


def updated_data(room: Room) -> RoomUpdated:
    return RoomUpdated(
        id=room.pk,
        kind=room.kind,
        name=room.name,
        meta=room.meta,
        locked_at=to_wire(room.locked_at),
        first_seq=room.first_seq,
        last_seq=room.last_seq,
    )
