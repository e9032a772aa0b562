"""Resume: sends a reconnecting client every message it missed in a room, or says that there are too many.

A room is never sent in part.
"""

from datetime import datetime, timedelta
from uuid import UUID

from foundation import times
from foundation.database import run_db
from foundation.errors import Invalid
from foundation.ids import read_id
from realtime.session.connection import Connection
from realtime.wire.events import ServerEvent
from rooms import selectors as rooms
from rooms.models import Membership, Room

from . import selectors
from .events import (
    MESSAGE_DELETED,
    MESSAGE_RECEIVE,
    MESSAGE_UPDATED,
    MessageData,
    Resume,
    ResumeReply,
    RoomComplete,
    message_data,
)
from .models import Message

MAX_GAP = 500
MAX_ROOMS = 1000
# `since` and changed_at come from different clocks. To send a change twice does no harm; to omit one does.
CLOCK_SKEW = timedelta(seconds=5)


async def replay(*, connection: Connection, request: Resume) -> ResumeReply:
    """Send the missed messages, and hold live frames back meanwhile, so that each room's order is kept.

    The reply says for each room whether it is complete. Rooms that are not the user's are left out, as if they
    did not exist. Raises Invalid for malformed rooms or times. Safe to repeat.
    """
    wanted = parse_rooms(request.rooms)
    since = None if request.since is None else parse_since(request.since)
    connection.hold()
    try:
        memberships = await run_db(rooms.user_memberships, user_id=connection.user_id, room_ids=list(wanted))
        # Read before the logs: a change made later is either sent now, or newer than the serverTime of the reply.
        server_time = times.to_wire(times.now())
        assert server_time is not None
        answers = {}
        for room_id, membership in memberships.items():
            answers[str(room_id)] = await _replay_room(connection, membership, wanted[room_id], since)
        return ResumeReply(rooms=answers, server_time=server_time)
    finally:
        connection.release()


async def _replay_room(
    connection: Connection, membership: Membership, last_seq: int, since: datetime | None
) -> RoomComplete:
    room = membership.room
    head = await run_db(selectors.room_head, room=room)
    if last_seq + 1 < room.first_seq:
        return RoomComplete(complete=False, last_seq=head, first_seq=room.first_seq)
    if head - last_seq > MAX_GAP:
        return RoomComplete(complete=False, last_seq=head)
    changed: list[Message] = []
    if since is not None:
        changed = await run_db(
            selectors.changes_since,
            room_id=room.pk,
            since=since - CLOCK_SKEW,
            through_seq=last_seq,
            limit=MAX_GAP + 1,
        )
        if len(changed) > MAX_GAP:
            return RoomComplete(complete=False, last_seq=head)
    missed = await run_db(selectors.messages_between, room_id=room.pk, after_seq=last_seq, through_seq=head)
    for message in changed:
        await _send(connection, MESSAGE_DELETED if message.deleted_at else MESSAGE_UPDATED, message, room)
    for message in missed:
        await _send(connection, MESSAGE_RECEIVE, message, room)
    return RoomComplete(complete=True, from_=last_seq + 1, through=max(head, last_seq))


async def _send(
    connection: Connection, event: ServerEvent[MessageData], message: Message, room: Room
) -> None:
    await connection.send(event.encode(message_data(message, room)))


def parse_rooms(rooms_wanted: dict[str, int]) -> dict[UUID, int]:
    """`{roomId: lastSeq}` with its ids parsed. Raises Invalid that names the room."""
    if len(rooms_wanted) > MAX_ROOMS:
        raise Invalid(f"At most {MAX_ROOMS} rooms at once.", fields={"rooms": [f"At most {MAX_ROOMS}."]})
    wanted = {}
    for room_id, last_seq in rooms_wanted.items():
        try:
            wanted[read_id(room_id)] = last_seq
        except ValueError:
            raise Invalid(
                f"rooms: {room_id[:64]!r} is no room id.", fields={"rooms": ["Not a UUID."]}
            ) from None
        if not 0 <= last_seq < 2**53:
            raise Invalid("rooms: lastSeq is 0 or more.", fields={f"rooms.{room_id}": ["0 or more."]})
    return wanted


def parse_since(text: str) -> datetime:
    """An RFC 3339 time with an offset, such as 2026-11-24T03:40:00.000Z. Raises Invalid."""
    try:
        return times.parse(text)
    except ValueError as error:
        raise Invalid(f"since: {error}", fields={"since": [str(error)]}) from None
