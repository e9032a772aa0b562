"""Rules of single messages: their state, their folded text, and what they refer to. One page of a log at a time."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import UUID

from accounts.models import User
from foundation import times
from foundation.folding import fold
from foundation.server_clock import DatabaseNow
from messaging.models import Message, MessageRevision
from messaging.services.content import MESSAGE_TYPE
from rooms.models import Room

from .keys import check_keys_of
from .references import REFERENCE, missing
from .rules import Options, Violation, rule
from .values import Values

SEARCH_TEXT = rule(
    "search_text", "The `search_text` of a message is its folded text.", repair="Folds the text."
)
MESSAGE_SHAPE = rule(
    "message_shape", "The type of a message is a small word, and its fingerprint 32 hexadecimal digits."
)
TOMBSTONE = rule(
    "tombstone",
    "A deleted message has no text and no `meta`, and says who deleted it; another message says nothing of "
    "that.",
)
EDITED = rule("edited", "A message says who edited it if and only if it says when.")
MESSAGE_VERSION = rule(
    "message_version", "A message has version 1, and a later one if and only if it was edited or deleted."
)
CHANGED_AT = rule(
    "changed_at",
    "A message has a `changed_at` if and only if it was edited or deleted, and not before that.",
    repair="Gives a change the present time, so that the next resume repeats it; clears it where nothing changed.",
)
REPLY = rule("reply", "A reply is to an earlier message of its room, which may be archived.")
REVISION_GAP = rule("revision_gap", "Of a message with version n the versions 1 to n-1 are kept.")

FINGERPRINT = re.compile(r"[0-9a-f]{32}")
VALUES = Values(Message, Message._meta.concrete_fields)


def check_messages(room: Room, page: list[Any], options: Options) -> Iterator[Violation]:
    """`page` has rows with all columns of Message, in the order of their seqs."""
    now = times.now()
    for row in page:
        problems = list(VALUES.check(row, now))
        yield from problems
        if not problems:
            yield from _check_state(row, options)
    yield from _check_users(page)
    yield from _check_replies(room, page)
    yield from _check_revisions(page)
    if room.first_seq > 1:
        yield from check_keys_of(room, page, options)


def _check_state(row: Any, options: Options) -> Iterator[Violation]:
    if row.search_text != fold(row.content):
        if options.repair:
            # Unless the text has changed meanwhile.
            Message.objects.filter(pk=row.id, content=row.content).update(search_text=row.content)
        yield SEARCH_TEXT.broken(f"message {row.id}: not the folded text", repaired=options.repair)
    if not MESSAGE_TYPE.fullmatch(row.type) or not FINGERPRINT.fullmatch(row.fingerprint):
        yield MESSAGE_SHAPE.broken(f"message {row.id}: type {row.type!r}, fingerprint {row.fingerprint!r}")
    if row.deleted_at is None and (row.deleted_by_id or row.delete_reason):
        yield TOMBSTONE.broken(f"message {row.id}: is not deleted, and says by whom or why")
    if row.deleted_at is not None and (row.content or row.meta or row.deleted_by_id is None):
        yield TOMBSTONE.broken(f"message {row.id}: is deleted, and has text or meta, or not by whom")
    if (row.edited_at is None) != (row.edited_by_id is None):
        yield EDITED.broken(
            f"message {row.id}: edited_at {times.to_wire(row.edited_at)}, by {row.edited_by_id}"
        )
    changes = [at for at in (row.edited_at, row.deleted_at) if at is not None]
    if row.version < 1 + len(changes) or (row.version > 1 and not changes):
        yield MESSAGE_VERSION.broken(
            f"message {row.id}: version {row.version}, {len(changes)} kinds of changes"
        )
    if (row.changed_at is None) != (not changes) or (changes and row.changed_at < max(changes)):
        yield _changed_at(row, bool(changes), options)


def _changed_at(row: Any, changed: bool, options: Options) -> Violation:
    if options.repair:
        present = Message.objects.filter(pk=row.id, version=row.version)
        present.update(changed_at=DatabaseNow() if changed else None)
    description = f"message {row.id}: changed_at is {times.to_wire(row.changed_at)}"
    return CHANGED_AT.broken(description, repaired=options.repair)


def _check_users(page: list[Any]) -> Iterator[Violation]:
    columns = ("sender_id", "edited_by_id", "deleted_by_id")
    absent = missing(User, {getattr(row, column) for row in page for column in columns} - {None})
    for row in page if absent else ():
        for column in columns:
            if getattr(row, column) in absent:
                yield REFERENCE.broken(f"message {row.id}: {column} names no user: {getattr(row, column)}")


def _check_replies(room: Room, page: list[Any]) -> Iterator[Violation]:
    replies = [row for row in page if row.reply_to is not None]
    if not replies:
        return
    targets = Message.objects.filter(pk__in={row.reply_to for row in replies})
    found = {pk: (room_id, seq) for pk, room_id, seq in targets.values_list("pk", "room_id", "seq")}
    # Read after the messages: rows are removed only after this has moved up.
    first_seq = Room.objects.filter(pk=room.pk).values_list("first_seq", flat=True).first() or room.first_seq
    for row in replies:
        room_id, seq = found.get(row.reply_to, (room.pk, 0 if first_seq > 1 else row.seq))
        if room_id != room.pk or seq >= row.seq:
            yield REPLY.broken(
                f"message {row.id}: reply_to names no earlier message of its room: {row.reply_to}"
            )


def _check_revisions(page: list[Any]) -> Iterator[Violation]:
    changed = [row for row in page if row.version is not None and row.version > 1]
    if not changed:
        return
    kept: dict[UUID, set[int]] = {}
    rows = MessageRevision.objects.filter(message_id__in=[row.id for row in changed]).order_by()
    for message_id, version in rows.values_list("message_id", "version"):
        kept.setdefault(message_id, set()).add(version)
    for row in changed:
        have = kept.get(row.id, set())
        lacking = next(version for version in count(1) if version not in have)
        if lacking < row.version:
            yield REVISION_GAP.broken(f"message {row.id}: version {lacking} of {row.version} is not kept")
