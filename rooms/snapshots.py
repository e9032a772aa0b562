"""A user's rooms as the contract shows them, put together in a bounded number of queries.

The last messages come from the log that messaging provides (rooms.log).
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from foundation.times import to_wire

from . import selectors
from .events import RoomData, RoomDetail, member_data, unread_count
from .log import get_room_log
from .models import Membership, Room

MAX_TOLD = 500  # messages since the joining; more than that clients page for


def room_list(*, user_id: UUID, rooms: Iterable[Room]) -> list[RoomData]:
    """Each of `rooms`, in their order, as `user_id` sees it; rooms they are no member of are left out."""
    rooms = list(rooms)
    memberships = selectors.user_memberships(user_id=user_id, room_ids=[room.pk for room in rooms])
    last_messages = get_room_log().last_messages(rooms)
    return [
        _room_data(room, memberships[room.pk], last_messages.get(room.pk))
        for room in rooms
        if room.pk in memberships
    ]


def room_detail(*, room_id: UUID, user_id: UUID) -> RoomDetail:
    """The room with its members. NotFound for strangers."""
    return _detail(selectors.require_shown_member(room_id=room_id, user_id=user_id))


def joined_at(membership: Membership, *, heard_from: int | None) -> int:
    """The seq behind which a connection that is brought into the room hears all, which is where it is shown to be.

    `heard_from` is that of those who listen already; where nobody does it is the joining, unless it is long past.
    """
    first, head = membership.joined_seq if heard_from is None else heard_from, membership.room.last_seq
    return first if head <= first + MAX_TOLD else head


def room_as_joined(membership: Membership, shown_seq: int) -> RoomDetail:
    """The room as if `shown_seq` were its last: what came since is told, and dropped if it was counted already."""
    membership.room.last_seq = shown_seq
    return _detail(membership)


def _detail(membership: Membership) -> RoomDetail:
    room = membership.room
    last_message = get_room_log().last_messages([room]).get(room.pk)
    data = msgspec.structs.asdict(_room_data(room, membership, last_message))
    members = [member_data(member) for member in selectors.room_members(room_id=room.pk)]
    return RoomDetail(**data, members=members)


def _room_data(room: Room, membership: Membership, last_message: dict[str, Any] | None) -> RoomData:
    peer = selectors.direct_peer(room=room, user_id=membership.user_id) if room.direct_key else None
    return RoomData(
        id=room.pk,
        kind=room.kind,
        name=room.name,
        meta=room.meta,
        to=peer,
        created_by=room.created_by_id,
        created_at=to_wire(room.created_at),
        last_activity_at=to_wire(room.last_activity_at),
        locked_at=to_wire(room.locked_at),
        first_seq=room.first_seq,
        last_seq=room.last_seq,
        unread_count=unread_count(membership, room),
        last_message=last_message,
        role=membership.role,
    )
