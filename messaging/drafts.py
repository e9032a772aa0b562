"""Drafts of messages, and what becomes of them: stored, a duplicate of what was, or refused.

Knows the shape of a row; must not read or write the database.
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
    """A message that has no place in the log yet."""

    room_id: UUID
    sender_id: UUID
    content: str
    membership_id: UUID | None = None  # where it is known, the batch's check is a look by key
    type: str = "text"
    client_message_id: str | None = None
    reply_to: UUID | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid7)
    in_archived_room: bool = False  # whether its clientMessageId may be that of an archived message
    request_id: str | None = field(default_factory=context.request_id.get)
    trace: str | None = field(default_factory=tracing.current)

    @property
    def key(self) -> tuple[UUID, UUID, str] | None:
        """What makes a retry the same message; None where the client gave no id."""
        if self.client_message_id is None:
            return None
        return (self.room_id, self.sender_id, self.client_message_id)

    @property
    def fingerprint(self) -> str:
        parts = [self.content, self.type, self.reply_to, self.meta]
        return hashlib.blake2b(msgspec.json.encode(parts, order="deterministic"), digest_size=16).hexdigest()

    def size_bytes(self) -> int:
        return len(self.content) * 2 + 512


@dataclass(slots=True)
class Stored:
    """Where a draft came to lie: its message, and whether an earlier send had put it there."""

    message: Message
    room: Room
    duplicate: bool
    trace: str | None = None  # of its storing, for its delivery to follow


Outcome = Stored | ChatError


def as_message(draft: Draft, **columns: Any) -> Message:
    """The draft as a row; `columns` are those that it does not have."""
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


def of_archived(draft: Draft, key: ArchivedKey) -> Message:
    """The archived message as it was first sent, told by its retry: what an edit made of it is in the archive."""
    return as_message(
        draft,
        id=key.message_id,
        seq=key.seq,
        fingerprint=key.fingerprint,
        created_at=key.created_at,
        deleted_at=key.deleted_at,
    )


def key_id(key: tuple[UUID, UUID, str]) -> UUID:
    """The ArchivedKey's id of (room, sender, clientMessageId)."""
    room_id, sender_id, client_message_id = key
    digest = hashlib.blake2b(room_id.bytes + sender_id.bytes + client_message_id.encode(), digest_size=16)
    return UUID(bytes=digest.digest())


def split_repeats(drafts: list[Draft]) -> tuple[list[Draft], list[tuple[Draft, Draft]]]:
    """Drafts to store, and (repeat, first) pairs of one client id within the batch."""
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
    if isinstance(first, ChatError):
        return first
    if first.message.fingerprint != draft.fingerprint:
        return Conflict(
            "This clientMessageId was used for another message. Give each message an id of its own.",
            fields={"clientMessageId": ["Used before with other content."]},
        )
    return Stored(first.message, first.room, duplicate=True)
