"""Drafts of messages and their outcomes: stored, a duplicate of an earlier message, or refused with an error.

Nothing here reads or writes the database.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from foundation import context, tracing
from foundation.errors import ChatError, Conflict
from foundation.ids import uuid7
from rooms.models import Room

from .models import ArchivedKey, Message


@dataclass(slots=True)
class Draft:
    """A message that has no seq yet."""

    room_id: UUID
    sender_id: UUID
    content: str
    # The other user, if the sender named the user and not the room: both hear of the room with its first message.
    to_user_id: UUID | None = None
    # The sender's membership. If it is given, the log checks the sender by primary key, which is faster.
    membership_id: UUID | None = None
    type: str = "text"
    client_message_id: str | None = None
    reply_to: UUID | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid7)
    # Whether the room has archived messages, one of which may have this clientMessageId.
    in_archived_room: bool = False
    request_id: str | None = field(default_factory=context.request_id.get)
    trace: str | None = field(default_factory=tracing.current)

    @property
    def key(self) -> tuple[UUID, UUID, str] | None:
        """(room, sender, clientMessageId), which a retry has in common; None if the client gave no id."""
        if self.client_message_id is None:
            return None
        return (self.room_id, self.sender_id, self.client_message_id)

    @property
    def fingerprint(self) -> str:
        """A digest that differs between a retry and another message with the same clientMessageId."""
        parts = [self.content, self.type, self.reply_to, self.meta]
        return hashlib.blake2b(msgspec.json.encode(parts, order="deterministic"), digest_size=16).hexdigest()

    def size_bytes(self) -> int:
        """A rough size, which bounds the bytes of a batch."""
        return len(self.content) * 2 + 512


@dataclass(slots=True)
class Stored:
    """The message of a draft. `duplicate` is true if an earlier send stored it."""

    message: Message
    room: Room
    duplicate: bool
    # The span of the commit. It is the parent of the delivery's span.
    trace: str | None = None


Outcome = Stored | ChatError


def as_message(draft: Draft, **columns: Any) -> Message:
    """The draft as an unsaved row; `columns` are the values that a draft does not have, such as seq."""
    return Message(
        room_id=draft.room_id,
        sender_id=draft.sender_id,
        client_message_id=draft.client_message_id,
        content=draft.content,
        type=draft.type,
        reply_to=draft.reply_to,
        meta=draft.meta,
        **columns,
    )


def archived_message(draft: Draft, key: ArchivedKey) -> Message:
    """An archived message as it was first sent, rebuilt from its retry. Its edits are only in the archive."""
    return as_message(
        draft,
        id=key.message_id,
        seq=key.seq,
        fingerprint=key.fingerprint,
        created_at=key.created_at,
        deleted_at=key.deleted_at,
    )


def key_id(key: tuple[UUID, UUID, str]) -> UUID:
    """The id of the ArchivedKey for (room, sender, clientMessageId)."""
    room_id, sender_id, client_message_id = key
    digest = hashlib.blake2b(room_id.bytes + sender_id.bytes + client_message_id.encode(), digest_size=16)
    return UUID(bytes=digest.digest())


def split_repeats(drafts: list[Draft]) -> tuple[list[Draft], list[tuple[Draft, Draft]]]:
    """Drafts to store, and (repeat, first) pairs of drafts that have the same key within the batch."""
    firsts, repeats, seen = [], [], dict[Any, Draft]()
    for draft in drafts:
        first = seen.get(draft.key) if draft.key is not None else None
        if first is not None:
            repeats.append((draft, first))
            continue
        if draft.key is not None:
            seen[draft.key] = draft
        firsts.append(draft)
    return firsts, repeats


def as_duplicate(draft: Draft, first: Outcome) -> Outcome:
    """The outcome of a draft whose key `first` has: a duplicate, or Conflict if the content differs."""
    if isinstance(first, ChatError):
        return first
    if first.message.fingerprint != draft.fingerprint:
        return Conflict(
            "This clientMessageId was used for another message. Give each message an id of its own.",
            fields={"clientMessageId": ["Used before with other content."]},
        )
    return Stored(first.message, first.room, duplicate=True)
