"""Resume: all that a client missed in its rooms, in order, or a word that it is too much; never a part.

Knows selectors and a connection to send to; must not know who asked or why.
"""

from datetime import datetime, timedelta
from uuid import UUID

from foundation import times
from foundation.database import run_db
from foundation.errors import Invalid
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
from .services import parse_moment

MAX_GAP = 500
MAX_ROOMS = 1000
# `since` is one process's clock and changed_at another's; repeating a change is harmless, missing one is not.
CLOCK_SKEW = timedelta(seconds=5)


async def replay(*, connection: Connection, request: Resume) -> ResumeReply:
    """Send what was missed, holding live frames back meanwhile, so that each room's order stays whole.

    The reply has, for each room asked for, what became of it. Raises Invalid for malformed rooms or times;
    rooms that are not the user's are left out, as if they did not exist.
    """
    wanted = parse_rooms(request.rooms)
    since = None if request.since is None else parse_moment(request.since, field="since")
    connection.hold()
    try:
        memberships = await run_db(rooms.user_memberships, user_id=connection.user_id, room_ids=list(wanted))
        # Read before the log: a change made after it is either sent now or has a later time than the reply.
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
    """`{roomId: lastSeq}` in Python's types; Invalid that names the room at fault."""
    if len(rooms_wanted) > MAX_ROOMS:
        raise Invalid(f"At most {MAX_ROOMS} rooms at once.", fields={"rooms": [f"At most {MAX_ROOMS}."]})
    wanted = {}
    for room_id, last_seq in rooms_wanted.items():
        try:
            wanted[UUID(room_id)] = last_seq
        except ValueError:
            raise Invalid(
                f"rooms: {room_id[:64]!r} is no room id.", fields={"rooms": ["Not a UUID."]}
            ) from None
        if not 0 <= last_seq < 2**53:
            raise Invalid("rooms: lastSeq is 0 or more.", fields={f"rooms.{room_id}": ["0 or more."]})
    return wanted
