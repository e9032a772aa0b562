"""Heads: the highest seq of each room's log, read from the database or remembered from the last batch."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from django.db.models import OuterRef, Subquery

from messaging.models import Message
from rooms.marks import marks_follow
from rooms.models import Room

MAX_KNOWN_ROOMS = 50_000


def read_heads(rooms: list[Room]) -> dict[UUID, int]:
    """The highest seq of each room, by room id: the cached head, or the last seq that the log has beyond it.

    One read of an index for each room, in one statement where the database has correlated subqueries. As an OR
    of all, a database may scan the log instead.
    """
    if len(rooms) > 1 and not marks_follow():
        return _read_together(rooms)
    heads = {}
    for room in rooms:
        beyond = Message.objects.filter(room_id=room.pk, seq__gt=room.last_seq)
        heads[room.pk] = max(beyond.values_list("seq", flat=True), default=room.last_seq)
    return heads


def _read_together(rooms: list[Room]) -> dict[UUID, int]:
    heads = {room.pk: room.last_seq for room in rooms}
    beyond = Message.objects.filter(room_id=OuterRef("pk"), seq__gt=OuterRef("last_seq"))
    last = Subquery(beyond.order_by("-seq").values("seq")[:1])
    rows = Room.objects.filter(pk__in=list(heads)).order_by().annotate(beyond=last)
    for room_id, cached, seq in rows.values_list("pk", "last_seq", "beyond"):
        heads[room_id] = max(cached, seq or 0)
    return heads


@dataclass(slots=True)
class KnownHead:
    """The last seq of a room that this process knows. Only the columns of `room` that never change are used."""

    room: Room
    seq: int


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
            heads = read_heads(rooms)
            self._heads |= {room.pk: KnownHead(room, heads[room.pk]) for room in rooms}
            while len(self._heads) > MAX_KNOWN_ROOMS:
                self._heads.popitem(last=False)

    def forget(self, room_ids: set[UUID]) -> None:
        for room_id in room_ids:
            self._heads.pop(room_id, None)
