"""Rules of a room's log: seqs without gaps, times in their order. Reads each message once, with all columns."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.keys import CLOCK_SKEW
from foundation import times
from messaging.models import Message
from rooms.models import Room

from .messages import check_messages
from .paging import PAGE
from .rules import Options, Violation, rule

SEQ_RANGE = rule("seq_range", "The first message of a room has the seq 1.")
SEQ_DENSE = rule("seq_dense", "The seqs of a room have no gaps, from its `first_seq` to the end of its log.")
TIME_ORDER = rule(
    "time_order",
    "In a room no message is earlier than the one before it.",
    repair="Up to five minutes: gives the message the time of the one before it, as the writer does. Not for more.",
)

# All of them: most have a rule.
COLUMNS = [field.attname for field in Message._meta.concrete_fields]


class Log:
    """What the reading of a room's log has found so far. `room` is as it was read before the log."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.lowest: int | None = None
        self.head = 0
        self.previous_at: datetime | None = None
        # The latest time of all messages, and the message that the room's cached head is about.
        self.latest_at: datetime | None = None
        self.cached_id: UUID | None = None
        self.cached_at: datetime | None = None

    def add(self, row: Any) -> None:
        self.lowest = row.seq if self.lowest is None else self.lowest
        self.head = row.seq
        self.latest_at = max(self.latest_at or row.created_at, row.created_at)
        if row.seq == self.room.last_seq:
            self.cached_id, self.cached_at = row.id, self.latest_at

    def next_seq(self) -> int:
        return max(self.head, self.room.first_seq - 1) + 1


def check_log(log: Log, options: Options) -> Iterator[Violation]:
    """Check the messages of `log.room` in the order of their seqs, and fill `log`."""
    for page in _pages(log.room.pk):
        for row in page:
            if row.seq < 1:
                yield SEQ_RANGE.broken(f"room {log.room.pk}: message {row.id} has the seq {row.seq}")
                continue
            yield from _check_gap(log, row)
            yield from _check_time(log, row, options)
            log.add(row)
        yield from check_messages(log.room, page, options)


def _pages(room_id: UUID) -> Iterator[list[Any]]:
    rows = Message.objects.filter(room_id=room_id).order_by("seq").values_list(*COLUMNS, named=True)
    page: list[Any] = list(rows[:PAGE])
    while page:
        yield page
        page = list(rows.filter(seq__gt=page[-1].seq)[:PAGE])


def _check_gap(log: Log, row: Any) -> Iterator[Violation]:
    if row.seq > log.next_seq():
        # Messages may have been archived since the room was read, and removed before this page was.
        first_seq = Room.objects.filter(pk=log.room.pk).values_list("first_seq", flat=True).first()
        log.room.first_seq = first_seq or log.room.first_seq
    if row.seq > log.next_seq():
        yield SEQ_DENSE.broken(f"room {log.room.pk}: no message between {log.next_seq() - 1} and {row.seq}")


def _check_time(log: Log, row: Any, options: Options) -> Iterator[Violation]:
    previous, log.previous_at = log.previous_at, row.created_at
    if previous is None or row.created_at >= previous:
        return
    # Rows that are archived already must stay as they are in the archive.
    repaired = options.repair and previous - row.created_at <= CLOCK_SKEW and row.seq >= log.room.first_seq
    if repaired:
        Message.objects.filter(pk=row.id, created_at=row.created_at).update(created_at=previous)
        log.previous_at = previous
    yield TIME_ORDER.broken(
        f"room {log.room.pk}: message {row.seq} is of {times.to_wire(row.created_at)}, the one before it of"
        f" {times.to_wire(previous)}",
        repaired=repaired,
    )
