"""The shapes of rooms, members and room events on the wire.

A field of a room is declared here once. `RoomUpdated` has the fields that all members see alike, and that are
published when they change. `RoomData` adds the fields that depend on the reader, never change, or change with each
message.
"""

from datetime import datetime
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


class RoomUpdated(Wire):
    """`room:updated`: the fields that every member sees alike.

    Messages before `firstSeq` are archived. Nobody can write in a room with `lockedAt`.
    """

    id: UUID
    kind: str
    name: str
    meta: dict[str, Any]
    locked_at: str | None
    first_seq: int
    last_seq: int


class RoomData(RoomUpdated):
    """A room as one of its members sees it. `to` is the other user of a direct room.

    Messages before `firstSeq` are archived. Nobody can write in a room with `lockedAt`.
    """

    to: UUID | None
    created_by: UUID | None
    created_at: str | None
    last_activity_at: str | None
    unread_count: int
    last_message: Annotated[
        dict[str, Any] | None, msgspec.Meta(description="As history shows it; null while there is none.")
    ]
    role: str


class RoomDetail(RoomData):
    members: list[RoomMember]


class ReadyRooms(Wire):
    """`ready:rooms`: rooms that `ready` had no place for. With `more` another one follows."""

    rooms: dict[str, int]
    more: bool


class RoomRemoved(Wire):
    """`room:removed`: the receiver is no longer a member; `reason` is left, removed or deleted."""

    room_id: UUID
    reason: str


class MemberChanged(Wire):
    """`room:member`: the membership that changed; `member` is null when the user is no longer in the room."""

    room_id: UUID
    user_id: UUID
    member: RoomMember | None


READY_ROOMS = ServerEvent(
    "ready:rooms",
    ReadyRooms,
    audience=Audience.CONNECTION,
    summary="More of your rooms, after a `ready` with `moreRooms`; their live events follow from here on.",
)
ROOM_ADDED = ServerEvent(
    "room:added",
    RoomDetail,
    audience=Audience.USER,
    summary="You became a member of a room; its live events follow from here on.",
)
ROOM_UPDATED = ServerEvent(
    "room:updated",
    RoomUpdated,
    audience=Audience.MEMBERS,
    summary="A field of the room changed, for example its name, `lockedAt` or `firstSeq`.",
)
ROOM_REMOVED = ServerEvent(
    "room:removed", RoomRemoved, audience=Audience.USER, summary="You are no longer a member of a room."
)
ROOM_MEMBER = ServerEvent(
    "room:member",
    MemberChanged,
    audience=Audience.MEMBERS,
    summary="A membership of one of your rooms changed.",
)

# Fields of RoomData that are no columns of the room, or that take another name there.
COMPUTED_FIELDS = frozenset({"to", "created_by", "unread_count", "last_message", "role"})


def member_data(membership: Membership) -> RoomMember:
    return RoomMember(
        user_id=membership.user_id,
        role=membership.role,
        muted_until=to_wire(membership.muted_until),
        joined_at=to_wire(membership.joined_at),
        delivered_seq=membership.delivered_seq,
        read_seq=membership.read_seq,
    )


def updated_data(room: Room) -> RoomUpdated:
    return RoomUpdated(**_columns(room, RoomUpdated))


def room_data(
    room: Room, membership: Membership, *, to: UUID | None, last_message: dict[str, Any] | None
) -> RoomData:
    """The room as the member sees it. `to` and `last_message` are read elsewhere."""
    return RoomData(
        **_columns(room, RoomData),
        to=to,
        created_by=room.created_by_id,
        unread_count=unread_count(membership, room),
        last_message=last_message,
        role=membership.role,
    )


def unread_count(membership: Membership, room: Room) -> int:
    """How many messages after `read_seq` the room still has in the database."""
    return max(0, room.last_seq - max(membership.read_seq, room.first_seq - 1))


def _columns(room: Room, shape: type[RoomUpdated]) -> dict[str, Any]:
    """The columns of the room that the shape has, by the shape's own names; times as text."""
    names = [name for name in shape.__struct_fields__ if name not in COMPUTED_FIELDS]
    values = {name: getattr(room, name) for name in names}
    return {name: to_wire(value) if isinstance(value, datetime) else value for name, value in values.items()}
