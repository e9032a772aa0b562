"""Advances the heads of rooms and the watermarks of senders for a whole batch of messages, one statement for each.

These are called marks. Only the writer of messages advances them. Marks never move down: processes may write in any
order, and may repeat a write.
"""

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import BigIntegerField, DateTimeField, Expression, F, Field, UUIDField
from django.db.models.functions import Greatest

from .models import Membership, Room

# In one statement, whose size grows with its rows.
MAX_ROWS = 200

T = TypeVar("T")


class Head(NamedTuple):
    """The last message of a room, and the time it was stored."""

    seq: int
    message_id: UUID
    at: datetime


class PendingMarks:
    """The marks that this process has still to write, merged from all stored batches. Thread-safe.

    docs/decisions/0014 says why they are not written with their messages.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._heads: dict[UUID, Head] = {}
        self._own_read: dict[UUID, int] = {}

    def __bool__(self) -> bool:
        return bool(self._heads or self._own_read)

    def __contains__(self, room_id: UUID) -> bool:
        return room_id in self._heads

    def add(self, heads: Mapping[UUID, Head], own_read: Mapping[UUID, int]) -> None:
        with self._lock:
            for room_id, head in heads.items():
                self._heads[room_id] = max(head, self._heads.get(room_id, head))
            for membership_id, seq in own_read.items():
                self._own_read[membership_id] = max(seq, self._own_read.get(membership_id, seq))

    def write(self) -> None:
        """Write all marks that were added before the call. On an error they are kept, and it is raised."""
        if not self and not self._writing.locked():
            return
        # A reader that comes here next must wait for the marks that another thread has taken and not yet written.
        with self._writing:
            with self._lock:
                heads, own_read = self._heads, self._own_read
                self._heads, self._own_read = {}, {}
            try:
                move_up(heads, own_read)
            except BaseException:
                self.add(heads, own_read)
                raise


pending_marks = PendingMarks()


def marks_follow() -> bool:
    """Whether marks are written after their messages, because the database has no transactions."""
    # Django finds out whether SQLite and PostgreSQL have them by creating a table, in each thread.
    return connection.vendor == "djongo"


def move_up(heads: Mapping[UUID, Head], own_read: Mapping[UUID, int]) -> None:
    """Advance heads by room id, and both watermarks of senders to their own last messages by membership id.

    Heads are written last: after a crash, the messages beyond a head show whose watermarks were not written either.
    """
    for marks in _chunks(own_read):
        _mark_own_read(marks)
    for reached in _chunks(heads):
        _advance_heads(reached)


def _chunks(rows: Mapping[UUID, T]) -> Iterator[dict[UUID, T]]:
    items = iter(rows.items())
    while chunk := dict(islice(items, MAX_ROWS)):
        yield chunk


def _advance_heads(heads: Mapping[UUID, Head]) -> None:
    # The ORM prepares plain values in a third of the time that expressions take.
    if len(heads) == 1:
        ((room_id, head),) = heads.items()
        behind = Room.objects.filter(pk=room_id, last_seq__lt=head.seq, last_activity_at__lte=head.at)
        if behind.update(last_seq=head.seq, last_message_id=head.message_id, last_activity_at=head.at):
            return
    seqs = {room_id: head.seq for room_id, head in heads.items()}
    last_ids = {room_id: head.message_id for room_id, head in heads.items()}
    moments = {room_id: head.at for room_id, head in heads.items()}
    seq = ValueByKey(seqs, BigIntegerField())
    # Not those that another process has moved further: the id of the last message belongs to its seq.
    Room.objects.filter(pk__in=list(heads), last_seq__lt=seq).update(
        last_seq=seq,
        last_message_id=ValueByKey(last_ids, UUIDField()),
        last_activity_at=Greatest(F("last_activity_at"), ValueByKey(moments, DateTimeField())),
    )


def _mark_own_read(seqs: Mapping[UUID, int]) -> None:
    if len(seqs) == 1:
        ((membership_id, seq),) = seqs.items()
        if Membership.objects.filter(pk=membership_id, delivered_seq__lt=seq).update(
            delivered_seq=seq, read_seq=seq
        ):
            return
    value = ValueByKey(seqs, BigIntegerField())
    Membership.objects.filter(pk__in=list(seqs)).update(
        delivered_seq=Greatest(F("delivered_seq"), value), read_seq=Greatest(F("read_seq"), value)
    )


class ValueByKey(Expression):
    """A value for each row, by its primary key, a UUID. The rows must be filtered by these keys.

    The same as Case(When(pk=..), ..), which has two expressions for each row and takes some 50 µs to resolve each.
    """

    def __init__(self, values: Mapping[UUID, Any], output_field: Field) -> None:
        super().__init__(output_field=output_field)
        self.values = values
        self.key: Any = F("pk")

    def get_source_expressions(self) -> list[Any]:
        return [self.key]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.key,) = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        key, params = compiler.compile(self.key)
        cases = " ".join(["WHEN %s THEN %s"] * len(self.values))
        pairs = zip(*self._prepared(connection), strict=True)
        return f"CASE {key} {cases} END", [*params, *(part for pair in pairs for part in pair)]

    def as_djongo(self, key: str, connection: Any) -> dict[str, Any]:
        """For MongoDB: one lookup in two arrays. `key` is the path of the key."""
        keys, values = self._prepared(connection)
        position = {"$indexOfArray": [{"$literal": keys}, key]}
        return {"$arrayElemAt": [{"$literal": values}, position]}

    def _prepared(self, connection: Any) -> tuple[list[Any], list[Any]]:
        """Keys and values in the form that the database takes."""
        key, value = self.key.target.get_db_prep_value, self.output_field.get_db_prep_value
        pairs = self.values.items()
        return [key(pk, connection) for pk, _ in pairs], [value(each, connection) for _, each in pairs]
