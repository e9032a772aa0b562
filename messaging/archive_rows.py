"""The rows of archived messages: read as lines, deleted, and put back. Synchronous, for `retention`."""

from collections.abc import Iterator
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from foundation.server_clock import DatabaseNow

from .archive_lines import encode_line
from .models import Message, MessageRevision

T = TypeVar("T")

BATCH = 500


def load_rows(room_id: UUID, first_seq: int, last_seq: int) -> dict[Message, bytes]:
    """The messages in the database, in order, each with the line that an archive would have for it."""
    chunk = Message.objects.filter(room_id=room_id, seq__gte=first_seq, seq__lte=last_seq)
    messages = list(chunk.order_by("seq"))
    revisions: dict[UUID, list[MessageRevision]] = {}
    for ids in batches([message.pk for message in messages]):
        kept = MessageRevision.objects.filter(message_id__in=ids).order_by("message_id", "version")
        for revision in kept:
            revisions.setdefault(revision.message_id, []).append(revision)
    return {message: encode_line(message, revisions.get(message.pk, ())) for message in messages}


def delete_rows(ids: list[UUID]) -> None:
    """Delete archived messages, given in the order of their seqs, so that the rest has no gap after a kill.

    A kill between the two statements leaves revisions without messages. So revisions are deleted for all ids, even
    for those whose messages are deleted already. The plain QuerySet is needed, because that of revisions refuses
    to delete.
    """
    with transaction.atomic():
        messages: QuerySet[Message] = QuerySet(Message).filter(pk__in=ids)
        messages._raw_delete(messages.db)
        revisions: QuerySet[MessageRevision] = QuerySet(MessageRevision).filter(message_id__in=ids)
        revisions._raw_delete(revisions.db)


def insert_rows(rows: list[tuple[Message, list[MessageRevision]]]) -> None:
    ids = [message.pk for message, _ in rows]
    present = set(Message.objects.filter(pk__in=ids).values_list("pk", flat=True))
    kept = set(MessageRevision.objects.filter(message_id__in=ids).values_list("pk", flat=True))
    with transaction.atomic():
        Message.objects.bulk_create([message for message, _ in rows if message.pk not in present])
        MessageRevision.objects.bulk_create([one for _, some in rows for one in some if one.pk not in kept])


def stamp_changes(room_id: UUID, first_seq: int, last_seq: int) -> None:
    """Give the edits and deletions of these messages the present time, so that the next resume repeats them."""
    changed = Message.objects.filter(room_id=room_id, changed_at__isnull=False)
    # In parts, because all changes of one time are in one reply.
    for start in range(first_seq, last_seq + 1, BATCH):
        part = changed.filter(seq__gte=start, seq__lt=min(start + BATCH, last_seq + 1))
        part.update(changed_at=DatabaseNow())


def batches(items: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
