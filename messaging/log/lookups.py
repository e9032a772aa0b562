"""Queries that a batch of drafts needs: who may write, and which messages are stored already."""

from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from messaging.drafts import Draft, Stored, archived_message, key_id
from messaging.models import ArchivedKey, Message
from rooms.models import Membership, Room
from rooms.write_access import WriteAccess


def read_write_access(drafts: list[Draft]) -> dict[tuple[UUID, UUID], WriteAccess]:
    """Whether the senders may write, by (room id, sender id). Senders who are not members are left out.

    Reads by membership id where the draft has it. A second query, by room and user, finds those who left and were
    added again since.
    """
    accesses = _read(pk__in={draft.membership_id for draft in drafts if draft.membership_id})
    unknown = [draft for draft in drafts if (draft.room_id, draft.sender_id) not in accesses]
    if unknown:
        room_ids, sender_ids = {draft.room_id for draft in unknown}, {draft.sender_id for draft in unknown}
        accesses |= _read(room_id__in=room_ids, user_id__in=sender_ids)
    return accesses


def _read(**conditions: Any) -> dict[tuple[UUID, UUID], WriteAccess]:
    return {
        (room_id, user_id): WriteAccess(pk, muted_until, locked_at, first_seq)
        for room_id, user_id, pk, muted_until, locked_at, first_seq in _columns().filter(**conditions)
    }


@cache
def _columns() -> QuerySet[Membership, Any]:
    """Built once: naming the columns takes a third of this query's time, and every batch runs it."""
    return Membership.objects.order_by().values_list(
        "room_id", "user_id", "pk", "muted_until", "room__locked_at", "room__first_seq"
    )


def find_by_keys(keys: list[tuple[UUID, UUID, str]]) -> dict[tuple[UUID, UUID, str], Message]:
    """Messages by (room id, sender id, clientMessageId). May contain more keys than were asked for."""
    if not keys:
        return {}
    room_ids, sender_ids, client_ids = (set(part) for part in zip(*keys, strict=True))
    found = Message.objects.filter(
        room_id__in=room_ids, sender_id__in=sender_ids, client_message_id__in=client_ids
    )
    return {(m.room_id, m.sender_id, m.client_message_id): m for m in found if m.client_message_id}


def find_stored(draft: Draft) -> Stored | None:
    """The message that an earlier send of this draft has stored, also if it is archived now."""
    if draft.key is None:
        return None
    message = find_by_keys([draft.key]).get(draft.key)
    if message is None and (archived := ArchivedKey.objects.filter(pk=key_id(draft.key)).first()):
        message = archived_message(draft, archived)
    if message is None or message.fingerprint != draft.fingerprint:
        return None
    return Stored(message, Room.objects.get(pk=draft.room_id), duplicate=True)
