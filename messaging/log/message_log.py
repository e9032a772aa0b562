"""MessageLog: stores a batch of drafts, each with the next seq of its room, without gaps.

Runs in a database thread. The seq is taken optimistically (docs/decisions/0001).
"""

import random
import threading
import time
from uuid import UUID

from django.db import DatabaseError, IntegrityError, OperationalError, transaction

from foundation.database import close_unless_usable
from foundation.database_errors import WritesRefused, as_unavailable, is_refusal
from foundation.errors import ChatError, Conflict, NotFound, Unavailable
from messaging.drafts import (
    Draft,
    Outcome,
    Stored,
    archived_message,
    as_duplicate,
    as_message,
    key_id,
    split_repeats,
)
from messaging.models import ArchivedKey, Message
from rooms.permissions import require_may_write
from rooms.selectors import NO_ROOM

from .heads import KnownHeads
from .lookups import find_by_keys, read_write_access
from .marks import advance_marks

NOT_STORED = (
    "The server cannot store anything at the moment. The message was not stored; send it again later."
)
# How long a batch competes with other processes for the next seq of a room. The writer's own timeout is longer.
CONTENTION_SECONDS = 10.0
MAX_PAUSE_SECONDS = 0.05

# From the system's source, without a seed: processes forked from one parent must not pause for the same times.
_random = random.SystemRandom()


class MessageLog:
    """Numbers a batch after the heads it knows. The unique index of (room, seq) refuses a seq that another process
    took first; then the heads are read again."""

    def __init__(self) -> None:
        self._known = KnownHeads()
        self._lock = threading.Lock()

    def store(self, drafts: list[Draft]) -> list[Outcome]:
        """Store the drafts and return their outcomes in the same order. Safe to repeat with the same drafts.

        Raises the database's errors; after a refusal (`is_refusal`) nothing is stored. One batch at a time: when
        the writer stops waiting for a batch, its thread still works on it.
        """
        outcomes: dict[UUID, Outcome] = {}
        with self._lock:
            self._check_senders(drafts, outcomes)
            try:
                self._store([draft for draft in drafts if draft.id not in outcomes], outcomes)
            except DatabaseError as error:
                if not is_refusal(error):
                    raise
                # It refused to read, after it may have stored some.
                raise OperationalError("It is not known which messages are stored.") from error
        return [outcomes[draft.id] for draft in drafts]

    def _store(self, drafts: list[Draft], outcomes: dict[UUID, Outcome]) -> None:
        firsts, repeats = split_repeats(drafts)
        self._insert_all(self._resolve_archived(firsts, outcomes), outcomes)
        # A clientMessageId that is stored already may come first with other content, and then with the same.
        refused = [draft for draft, first in repeats if isinstance(outcomes[first.id], Conflict)]
        if refused:
            self._resolve_stored(refused, outcomes)
        for draft, first in repeats:
            if draft.id not in outcomes:
                outcomes[draft.id] = as_duplicate(draft, outcomes[first.id])

    def _check_senders(self, drafts: list[Draft], outcomes: dict[UUID, Outcome]) -> None:
        """Refuse drafts whose senders are not members (any more), or may not write. One query for the batch."""
        accesses = read_write_access(drafts)
        for draft in drafts:
            try:
                access = accesses.get((draft.room_id, draft.sender_id))
                if access is None:
                    raise NotFound(NO_ROOM)
                require_may_write(access)
                draft.membership_id = access.membership_id
                draft.in_archived_room = access.first_seq > 1
            except ChatError as error:
                outcomes[draft.id] = error

    def _insert_all(self, pending: list[Draft], outcomes: dict[UUID, Outcome]) -> None:
        """Insert the drafts in their order, and try again while other processes take the seqs first.

        Without a lock to wait for, a large batch would lose every time to small ones, which are built faster. So
        each loss halves the number of drafts that is tried next, and each win doubles it. With one draft, both
        sides have the same chance.
        """
        gives_up_at = time.monotonic() + CONTENTION_SECONDS
        losses = 0
        lost_at: dict[UUID, int] | None = None
        while pending:
            part = pending[: max(1, len(pending) >> max(0, losses - 1))]
            try:
                heads = self._insert(part, outcomes, reread_heads=losses > 0)
            except DatabaseError as error:
                self._refuse(pending, outcomes, error)
                return
            if heads is None:
                pending, losses, lost_at = pending[len(part) :], max(0, losses - 1), None
                continue
            missing = self._resolve_stored(part, outcomes)
            if heads == lost_at and len(missing) == len(part):
                raise IntegrityError("A key is taken, and not because another process was faster.")
            pending, losses, lost_at = missing + pending[len(part) :], losses + 1, heads
            if time.monotonic() > gives_up_at:
                outcomes |= {draft.id: Unavailable("The room is too busy. Try again.") for draft in pending}
                return
            if losses > 1:
                time.sleep(_random.uniform(0, min(MAX_PAUSE_SECONDS, 0.001 * 2**losses)))

    def _insert(
        self, drafts: list[Draft], outcomes: dict[UUID, Outcome], *, reread_heads: bool
    ) -> dict[UUID, int] | None:
        """Try once. Returns None, or the heads it numbered from if a key was taken: then any part may be stored.

        `reread_heads` reads the heads within the transaction. On SQLite that holds the write lock by then, so no
        process can be faster a second time. Heads read earlier would be old by the time the lock is free.
        MongoDB has no transaction here: an ordered insert stops at the taken key and keeps what came before. Of
        each room that is a prefix of the new messages, so no seq is ever there without those below it.
        """
        room_ids = {draft.room_id for draft in drafts}
        messages = [as_message(draft, id=draft.id, fingerprint=draft.fingerprint) for draft in drafts]
        heads: dict[UUID, int] = {}
        try:
            with transaction.atomic():
                if reread_heads:
                    self._known.forget(room_ids)
                self._known.load(room_ids)
                heads = {room_id: self._known[room_id].seq for room_id in room_ids}
                self._known.number(messages)
                Message.objects.bulk_create(messages)
                advance_marks(drafts, messages)
        except IntegrityError:
            self._known.forget(room_ids)
            return heads
        for message in messages:
            known = self._known[message.room_id]
            known.seq, known.at = message.seq, message.created_at
            outcomes[message.pk] = Stored(message, known.room, duplicate=False)
        return None

    def _refuse(self, drafts: list[Draft], outcomes: dict[UUID, Outcome], error: DatabaseError) -> None:
        """Give outcomes after the database refused to write: without transactions some may be stored."""
        if not isinstance(as_unavailable(error), WritesRefused):
            raise error
        close_unless_usable(error)
        outcomes |= {draft.id: WritesRefused(NOT_STORED) for draft in self._resolve_stored(drafts, outcomes)}

    def _resolve_archived(self, drafts: list[Draft], outcomes: dict[UUID, Outcome]) -> list[Draft]:
        """Give an outcome to drafts whose clientMessageId an archived message has; returns the others.

        Queries only for rooms that have an archive.
        """
        ids = {draft.id: key_id(draft.key) for draft in drafts if draft.key and draft.in_archived_room}
        keys = ArchivedKey.objects.in_bulk(list(ids.values())) if ids else {}
        if not keys:
            return drafts
        self._known.load({draft.room_id for draft in drafts})
        new = []
        for draft in drafts:
            if key := keys.get(ids.get(draft.id)):
                first = Stored(archived_message(draft, key), self._known[draft.room_id].room, duplicate=True)
                outcomes[draft.id] = as_duplicate(draft, first)
            else:
                new.append(draft)
        return new

    def _resolve_stored(self, drafts: list[Draft], outcomes: dict[UUID, Outcome]) -> list[Draft]:
        """Give an outcome to drafts that are in the log; returns the others."""
        ids = [draft.id for draft in drafts]
        by_id = {message.pk: message for message in Message.objects.filter(pk__in=ids)}
        by_key = find_by_keys([draft.key for draft in drafts if draft.key is not None])
        advance_marks(drafts, list(by_id.values()))
        self._known.load({draft.room_id for draft in drafts})
        missing = []
        for draft in drafts:
            room = self._known[draft.room_id].room
            if message := by_id.get(draft.id):
                # An earlier attempt of this batch stored it.
                outcomes[draft.id] = Stored(message, room, duplicate=False)
            elif draft.key is not None and (message := by_key.get(draft.key)):
                outcomes[draft.id] = as_duplicate(draft, Stored(message, room, duplicate=True))
            else:
                missing.append(draft)
        return missing
