"""Heads: the highest seq of each room's log, read from the database or remembered from the last batch."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import OuterRef, Subquery

from foundation import times
from messaging.models import Message
from rooms.marks import marks_follow
from rooms.models import Room

MAX_KNOWN_ROOMS = 50_000


class LogEnd(NamedTuple):
    """The highest seq of a room's log, and a time that no message up to it is later than."""

    seq: int
    at: datetime


def read_heads(rooms: list[Room]) -> dict[UUID, int]:
    """The highest seq of each room, by room id."""
    return {room_id: end.seq for room_id, end in read_ends(rooms).items()}


def read_ends(rooms: list[Room]) -> dict[UUID, LogEnd]:
    """The end of each room's log: that of the cached head, or the last message that the log has beyond it.

    One read of an index for each room, in one statement where the database has correlated subqueries. As an OR
    of all, a database may scan the log instead.
    """
    if len(rooms) > 1 and not marks_follow():
        return _read_together(rooms)
    return {room.pk: _read_beyond(room.pk, LogEnd(room.last_seq, room.last_activity_at)) for room in rooms}


def _read_beyond(room_id: UUID, cached: LogEnd) -> LogEnd:
    # The row's last_activity_at moves up with its last_seq (rooms.marks).
    beyond = Message.objects.filter(room_id=room_id, seq__gt=cached.seq)
    seq, at = cached
    for each_seq, each_at in beyond.values_list("seq", "created_at"):
        seq, at = max(seq, each_seq), max(at, each_at)
    return LogEnd(seq, at)


def _read_together(rooms: list[Room]) -> dict[UUID, LogEnd]:
    ends = {}
    beyond = Message.objects.filter(room_id=OuterRef("pk"), seq__gt=OuterRef("last_seq"))
    last = Subquery(beyond.order_by("-seq").values("seq")[:1])
    rows = Room.objects.filter(pk__in=[room.pk for room in rooms]).order_by().annotate(beyond=last)
    for room_id, cached, at, seq in rows.values_list("pk", "last_seq", "last_activity_at", "beyond"):
        end = LogEnd(cached, at)
        # Only after a crash: here the cached head is in the commit of its messages.
        ends[room_id] = _read_beyond(room_id, end) if seq else end
    return ends


@dataclass(slots=True)
class KnownHead:
    """The last seq of a room that this process knows, and a time that no message up to it is later than.

    Only the columns of `room` that never change are used.
    """

    room: Room
    seq: int
    at: datetime


class KnownHeads:
    """Heads by room id. Another process may have written beyond them. At most MAX_KNOWN_ROOMS, the latest used.

    Not safe for several threads: MessageLog holds its lock.
    """

    def __init__(self) -> None:
        self._heads: OrderedDict[UUID, KnownHead] = OrderedDict()

    def __getitem__(self, room_id: UUID) -> KnownHead:
        return self._heads[room_id]

    def load(self, room_ids: set[UUID]) -> None:
        """Read the heads of those rooms that are not known."""
        for room_id in room_ids & self._heads.keys():
            self._heads.move_to_end(room_id)
        if unknown := room_ids - self._heads.keys():
            rooms = list(Room.objects.filter(pk__in=unknown))
            ends = read_ends(rooms)
            self._heads |= {room.pk: KnownHead(room, *ends[room.pk]) for room in rooms}
            while len(self._heads) > MAX_KNOWN_ROOMS:
                self._heads.popitem(last=False)

    def forget(self, room_ids: set[UUID]) -> None:
        for room_id in room_ids:
            self._heads.pop(room_id, None)

    def number(self, messages: list[Message]) -> None:
        """Give each message the next seq of its room, and a time that is not before that of the previous one.

        A clock may go back, or be behind that of the process that wrote last. What is known is exactly the
        previous message, or its seq would be taken.
        """
        seqs: dict[UUID, int] = {}
        now = times.now()
        for message in messages:
            known = self._heads[message.room_id]
            message.seq = seqs[message.room_id] = seqs.get(message.room_id, known.seq) + 1
            message.created_at = max(now, known.at)
