"""Heads of rooms and watermarks of members, moved up for a whole batch of messages in one statement each.

Part of the services, for the writer alone; never down, whatever order processes come in. Safe to repeat.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, Case, DateTimeField, F, UUIDField, Value, When
from django.db.models.functions import Greatest

from .models import Membership, Room


def advance_heads(heads: Mapping[UUID, tuple[int, UUID]], at: datetime) -> None:
    """Move the hints of rooms, by id, up to the (seq, id) of messages stored at `at`."""
    last_ids: list[Any] = [When(pk=pk, then=Value(last, UUIDField())) for pk, (_, last) in heads.items()]
    Room.objects.filter(pk__in=list(heads)).update(
        last_seq=_raised("last_seq", {pk: seq for pk, (seq, _) in heads.items()}),
        last_message_id=Case(*last_ids, default=F("last_message_id"), output_field=UUIDField()),
        last_activity_at=Greatest(F("last_activity_at"), Value(at, output_field=DateTimeField())),
    )


def mark_own_read(seqs: Mapping[UUID, int]) -> None:
    """Move both watermarks of memberships, by id, up to their members' own last messages."""
    Membership.objects.filter(pk__in=list(seqs)).update(
        delivered_seq=_raised("delivered_seq", seqs), read_seq=_raised("read_seq", seqs)
    )


def _raised(name: str, values: Mapping[UUID, int]) -> Greatest:
    cases: list[Any] = [When(pk=pk, then=Value(value)) for pk, value in values.items()]
    return Greatest(F(name), Case(*cases, default=F(name), output_field=BigIntegerField()))
