"""RoomLogs: the logs as `rooms` and the hub read them. It implements `rooms.log.RoomLog`."""

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
from .log.heads import read_heads
from .models import Message
from .selectors import last_messages, messages_between


class RoomLogs(RoomLog):
    """A topic that is no room has neither a head nor frames. Raises Unavailable while the database is away."""

    def last_messages(self, rooms: Iterable[Room]) -> dict[UUID, dict[str, Any]]:
        return last_messages(rooms=rooms)

    def advance_marks(self, room: Room) -> bool:
        return advance_marks(room)

    async def heads(self, topics: list[str]) -> dict[str, int]:
        return await _by_topic(cached_heads, topics)

    async def exact_heads(self, topics: list[str]) -> dict[str, int]:
        return await _by_topic(exact_heads, topics)

    async def frames(self, topic: str, first_seq: int, last_seq: int) -> list[Frame]:
        room_id = room_of(topic)
        return [] if room_id is None else await run_db(_frames, room_id, first_seq, last_seq)


async def _by_topic(read: Callable[[list[UUID]], dict[UUID, int]], topics: list[str]) -> dict[str, int]:
    rooms = {room_id: topic for topic in topics if (room_id := room_of(topic)) is not None}
    return {rooms[room_id]: head for room_id, head in (await run_db(read, list(rooms))).items()}


def cached_heads(room_ids: list[UUID]) -> dict[UUID, int]:
    """Heads from the rooms' rows: one query. A true head may be higher after a crash."""
    return dict(Room.objects.filter(pk__in=room_ids).order_by().values_list("pk", "last_seq"))


def exact_heads(room_ids: list[UUID]) -> dict[UUID, int]:
    """Heads from the logs, as `read_heads`. Advances marks that a crash left behind."""
    # Otherwise marks that this process has not written yet would look as if a crash had left them behind.
    pending_marks.write()
    rooms = list(Room.objects.filter(pk__in=room_ids))
    heads = read_heads(rooms)
    for room in rooms:
        if heads[room.pk] > room.last_seq and room.pk not in pending_marks:
            advance_marks(room)
    return heads


def advance_marks(room: Room) -> bool:
    """Move the room's cached head, and the watermarks of those who wrote beyond it, up to the end of the log.

    A writer leaves them behind when it dies, or for a moment until it writes them. False where the log has
    nothing beyond the cached head. Safe to repeat.
    """
    beyond = Message.objects.filter(room_id=room.pk, seq__gt=room.last_seq).order_by("seq")
    own_read, head = {}, None
    for sender_id, seq, message_id, at in beyond.values_list("sender_id", "seq", "pk", "created_at"):
        head = Head(seq, message_id, at)
        own_read[sender_id] = seq
    if head is None:
        return False
    senders = Membership.objects.filter(room_id=room.pk, user_id__in=list(own_read))
    marks = {pk: own_read[user_id] for pk, user_id in senders.values_list("pk", "user_id")}
    move_up({room.pk: head}, marks)
    return True


def _frames(room_id: UUID, first_seq: int, last_seq: int) -> list[Frame]:
    room = Room.objects.get(pk=room_id)
    missed = messages_between(room_id=room_id, after_seq=first_seq - 1, through_seq=last_seq)
    return [Frame(MESSAGE_RECEIVE.encode(message_data(message, room)), seq=message.seq) for message in missed]
