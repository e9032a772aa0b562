"""The rooms' logs as rooms and the hub see them: how far each reaches, its end, and the frames of what was lost.

Knows the log and the shape of a message; must not know hubs or connections.
"""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from foundation.database import run_db
from realtime.wire.frames import Frame
from rooms.log import RoomLog
from rooms.marks import Head, move_up, pending_marks
from rooms.models import Membership, Room
from rooms.topics import room_of

from .events import MESSAGE_RECEIVE, message_data
from .log import read_heads
from .models import Message
from .selectors import last_messages, messages_between


class RoomLogs(RoomLog):
    """The log for the hub and for rooms. Raises Unavailable while the database is away."""

    def last_messages(self, rooms: Iterable[Room]) -> dict[UUID, dict[str, Any]]:
        return last_messages(rooms=rooms)

    def advance_marks(self, room: Room) -> bool:
        return mend_marks(room)

    async def heads(self, topics: list[str]) -> dict[str, int]:
        return await _by_topic(read_hints, topics)

    async def exact_heads(self, topics: list[str]) -> dict[str, int]:
        return await _by_topic(mended_heads, topics)

    async def frames(self, topic: str, first_seq: int, last_seq: int) -> list[Frame]:
        room_id = room_of(topic)
        return [] if room_id is None else await run_db(_frames, room_id, first_seq, last_seq)


async def _by_topic(read: Callable[[list[UUID]], dict[UUID, int]], topics: list[str]) -> dict[str, int]:
    rooms = {room_id: topic for topic in topics if (room_id := room_of(topic)) is not None}
    return {rooms[room_id]: head for room_id, head in (await run_db(read, list(rooms))).items()}


def read_hints(room_ids: list[UUID]) -> dict[UUID, int]:
    """One query for all rooms."""
    return dict(Room.objects.filter(pk__in=room_ids).order_by().values_list("pk", "last_seq"))


def mended_heads(room_ids: list[UUID]) -> dict[UUID, int]:
    """A query for all rooms and one for each log; hints that lag behind, after a crash, are set right."""
    pending_marks.write()  # or all that this process is about to write would look like a crash's
    rooms = list(Room.objects.filter(pk__in=room_ids))
    heads = read_heads(rooms)
    for room in rooms:
        if heads[room.pk] > room.last_seq and room.pk not in pending_marks:
            mend_marks(room)
    return heads


def mend_marks(room: Room) -> bool:
    """Move up what a writer left behind that died, or has not come to yet: the room's hints, and the watermarks of
    those who wrote. False where nothing lay beyond the head.
    """
    beyond = Message.objects.filter(room_id=room.pk, seq__gt=room.last_seq).order_by("seq")
    own_read, head = {}, None
    for sender_id, seq, message_id, at in beyond.values_list("sender_id", "seq", "pk", "created_at"):
        head = Head(seq, message_id, at)
        own_read[sender_id] = seq
    if head is None:
        return False
    writers = Membership.objects.filter(room_id=room.pk, user_id__in=list(own_read))
    marks = {pk: own_read[user_id] for pk, user_id in writers.values_list("pk", "user_id")}
    move_up({room.pk: head}, marks)
    return True


def _frames(room_id: UUID, first_seq: int, last_seq: int) -> list[Frame]:
    room = Room.objects.get(pk=room_id)
    missed = messages_between(room_id=room_id, after_seq=first_seq - 1, through_seq=last_seq)
    return [Frame(MESSAGE_RECEIVE.encode(message_data(message, room)), seq=message.seq) for message in missed]
