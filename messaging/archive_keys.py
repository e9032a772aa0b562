"""The keys of archived messages, which keep their clientMessageIds in use. Synchronous, for `retention`."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from .archive_rows import batches
from .drafts import key_id
from .models import ArchivedKey, Message


def keep_keys(messages: Iterable[Message]) -> None:
    """Keep the keys of messages that go. Safe to repeat."""
    keys = [
        ArchivedKey(id=id_of_key(message), **key_columns(message))
        for message in messages
        if message.client_message_id
    ]
    for batch in batches(keys):
        ArchivedKey.objects.bulk_create(batch, ignore_conflicts=True)


def mark_keys_deleted(messages: Iterable[Message]) -> None:
    for message in messages:
        if message.client_message_id and message.deleted_at:
            ArchivedKey.objects.filter(pk=id_of_key(message)).update(deleted_at=message.deleted_at)


def forget_keys(messages: Iterable[Message]) -> None:
    """Delete the keys of messages that are back: the unique index of their clientMessageIds takes over."""
    for keys in batches([id_of_key(message) for message in messages if message.client_message_id]):
        ArchivedKey.objects.filter(pk__in=keys).delete()


def id_of_key(message: Any) -> UUID:
    """The id of the key of a message, or of a row with its columns, that has a clientMessageId."""
    assert message.client_message_id is not None
    return key_id((message.room_id, message.sender_id, message.client_message_id))


def key_columns(message: Any) -> dict[str, Any]:
    """What the key says of the message, or of a row with its columns."""
    return {
        "message_id": message.id,
        "seq": message.seq,
        "fingerprint": message.fingerprint,
        "created_at": message.created_at,
        "deleted_at": message.deleted_at,
    }
