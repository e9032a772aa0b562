"""Rules of the keys that keep the clientMessageIds of archived messages in use."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from messaging.archive_keys import id_of_key, key_columns
from messaging.drafts import key_id
from messaging.models import ArchivedKey, Message
from rooms.models import Room

from .paging import pages
from .rules import Options, Violation, rule

ARCHIVED_KEY = rule(
    "archived_key",
    "A key of an archived clientMessageId says the same as its message, as long as the database has that.",
    repair="Corrects the key by the message.",
)
STRAY_KEY = rule(
    "stray_key",
    "A key whose message is in the database is the one of that message's clientMessageId, and names a seq.",
)

# Those of `key_columns`, in its order.
COLUMNS = ("message_id", "seq", "fingerprint", "created_at", "deleted_at")
MESSAGE_COLUMNS = ("pk", "room_id", "sender_id", "client_message_id")


def check_keys_of(room: Room, page: list[Any], options: Options) -> Iterator[Violation]:
    """Compare the messages of a page with the keys of their clientMessageIds."""
    by_key = {id_of_key(row): row for row in page if row.client_message_id}
    broken = _differing(room, by_key)
    if broken:
        # A message may have been deleted since its row was read.
        time.sleep(options.lag_seconds)
        ids = [row.id for row in by_key.values()]
        by_key = {id_of_key(row): row for row in Message.objects.filter(pk__in=ids) if row.client_message_id}
        broken = _differing(room, by_key)
    for pk, row in broken.items():
        if options.repair:
            ArchivedKey.objects.filter(pk=pk).update(**key_columns(row))
        yield ARCHIVED_KEY.broken(f"archivedkey {pk}: differs from message {row.id}", repaired=options.repair)


def _differing(room: Room, by_key: dict[UUID, Any]) -> dict[UUID, Any]:
    differing = {}
    for pk, *values in ArchivedKey.objects.filter(pk__in=list(by_key)).values_list("pk", *COLUMNS):
        row = by_key[pk]
        wanted = key_columns(row)
        if row.seq < room.first_seq and values[-1] is None:
            # It was deleted while it was archived. The run that removes it from the database notes that.
            wanted["deleted_at"] = None
        if dict(zip(COLUMNS, values, strict=True)) != wanted:
            differing[pk] = row
    return differing


def check_archived_keys(options: Options) -> Iterator[Violation]:
    for page in pages(ArchivedKey.objects.all(), "pk", "message_id", "seq"):
        rows = Message.objects.filter(pk__in={message_id for _, message_id, _ in page}).order_by()
        present = {pk: parts for pk, *parts in rows.values_list(*MESSAGE_COLUMNS)}
        for pk, message_id, seq in page:
            parts = present.get(message_id)
            if seq < 1 or (parts and (parts[2] is None or key_id(tuple(parts)) != pk)):
                yield STRAY_KEY.broken(f"archivedkey {pk}: is no key of message {message_id}, seq {seq}")
