"""Heads: the highest seq of each room's log, read from the database or remembered from the last batch."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from messaging.models import Message
from rooms.models import Room

MAX_KNOWN_ROOMS = 50_000


def read_heads(rooms: list[Room]) -> dict[UUID, int]:
    """The highest seq of each room, by room id: the cached head, or the last seq that the log has beyond it.

    One read of an index for each room. As a single query with an OR of all, a database may scan the log instead.
    """
    heads = {}
    for room in rooms:
        beyond = Message.objects.filter(room_id=room.pk, seq__gt=room.last_seq)
        heads[room.pk] = max(beyond.values_list("seq", flat=True), default=room.last_seq)
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
