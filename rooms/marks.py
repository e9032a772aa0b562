"""Heads of rooms and watermarks of members, moved up for a whole batch of messages in one statement each.

Part of the services, for the writer alone; never down, whatever order processes come in. Safe to repeat.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, DateTimeField, Expression, F, Field, UUIDField, Value
from django.db.models.functions import Greatest

from .models import Membership, Room


def advance_heads(heads: Mapping[UUID, tuple[int, UUID]], at: datetime) -> None:
    """Move the hints of rooms, by id, up to the (seq, id) of messages stored at `at`."""
    if len(heads) == 1:
        ((room_id, (seq, message_id)),) = heads.items()
        behind = Room.objects.filter(pk=room_id, last_seq__lt=seq, last_activity_at__lte=at)
        if behind.update(last_seq=seq, last_message_id=message_id, last_activity_at=at):
            return  # values alone, which the ORM prepares in a third of the time that expressions take
    seqs = {pk: seq for pk, (seq, _) in heads.items()}
    last_ids = {pk: last_id for pk, (_, last_id) in heads.items()}
    Room.objects.filter(pk__in=list(heads)).update(
        last_seq=Greatest(F("last_seq"), ValueByKey(seqs, BigIntegerField())),
        last_message_id=ValueByKey(last_ids, UUIDField()),
        last_activity_at=Greatest(F("last_activity_at"), Value(at, output_field=DateTimeField())),
    )


def mark_own_read(seqs: Mapping[UUID, int]) -> None:
    """Move both watermarks of memberships, by id, up to their members' own last messages."""
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
    """The value that belongs to each row's primary key, a UUID, for rows filtered by these keys.

    What Case(When(pk=..), ..) says in two expressions a row, each resolved for half a hundred microseconds.
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
        """For MongoDB, `key` being the path of the key: one lookup in two arrays."""
        keys, values = self._prepared(connection)
        position = {"$indexOfArray": [{"$literal": keys}, key]}
        return {"$arrayElemAt": [{"$literal": values}, position]}

    def _prepared(self, connection: Any) -> tuple[list[Any], list[Any]]:
        """Keys and values as the database takes them."""
        key, value = self.key.target.get_db_prep_value, self.output_field.get_db_prep_value
        pairs = self.values.items()
        return [key(pk, connection) for pk, _ in pairs], [value(each, connection) for _, each in pairs]
