"""A user's rooms in the shapes of the wire, read in a bounded number of queries.

The last messages come from the log that messaging provides (rooms.log).
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from . import selectors
from .events import RoomData, RoomDetail, member_data, room_data
from .log import get_room_log
from .models import Membership, Room

# A client that joined longer ago than this many messages reads the history instead.
MAX_DELIVERED = 500


def room_list(*, user_id: UUID, rooms: Iterable[Room]) -> list[RoomData]:
    """The rooms in the given order as the user sees them; without rooms where the user is no member."""
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


def shown_head(membership: Membership, *, start_seq: int | None) -> int:
    """The head that a connection is shown when it is added to a room. Everything after it is delivered to it.

    `start_seq` is the seq after which the connection gets everything, None while no other connection of this
    process listens. Then it is the seq of the joining, or the head if that is more than MAX_DELIVERED messages
    ago.
    """
    first, head = membership.joined_seq if start_seq is None else start_seq, membership.room.last_seq
    return first if head <= first + MAX_DELIVERED else head


def room_at_head(membership: Membership, head: int) -> RoomDetail:
    """The room as if `head` were its last seq: a client drops later messages if it has counted them."""
    membership.room.last_seq = head
    return _detail(membership)


def _detail(membership: Membership) -> RoomDetail:
    room = membership.room
    last_message = get_room_log().last_messages([room]).get(room.pk)
    data = msgspec.structs.asdict(_room_data(room, membership, last_message))
    members = [member_data(member) for member in selectors.room_members(room_id=room.pk)]
    return RoomDetail(**data, members=members)


def _room_data(room: Room, membership: Membership, last_message: dict[str, Any] | None) -> RoomData:
    peer = selectors.direct_peer(room=room, user_id=membership.user_id) if room.direct_key else None
    return room_data(room, membership, to=peer, last_message=last_message)
