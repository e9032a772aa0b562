"""MessageLog: puts a batch of drafts into their rooms' logs, each with the next seq, none twice.

Knows the ORM; runs in a database thread, one batch of a process at a time. Must not know who waits for it.
"""

import random
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from foundation import times
from foundation.errors import ChatError, Conflict, NotFound, Unavailable
from rooms.marks import Head, marks_follow, move_up, pending_marks
from rooms.models import Membership, Room
from rooms.permissions import require_may_write
from rooms.selectors import NO_ROOM
from rooms.write_access import Standing

from .drafts import Draft, Outcome, Stored, as_duplicate, as_message, key_id, of_archived, split_repeats
from .models import ArchivedKey, Message

# How long a batch fights with other processes for a room's next seq; the writer gives up on a store a bit later.
CONTENTION_SECONDS = 10.0
MAX_PAUSE_SECONDS = 0.05
MAX_KNOWN_ROOMS = 50_000

_random = random.SystemRandom()  # processes that were forked alike must not pause alike


@dataclass(slots=True)
class RoomHead:
    """A room, of which only what never changes is used, and how far its log reaches for all that is known."""

    room: Room
    seq: int


class MessageLog:
    """Takes the next seq optimistically and finds out from the unique index when another process was faster."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, RoomHead] = OrderedDict()
        self._lock = threading.Lock()

    def store(self, drafts: list[Draft]) -> list[Outcome]:
        """The outcome of each draft, in their order. Raises what the database raises when it is away.

        One at a time: a batch that the writer gave up waiting for may still be at work in its thread.
        """
        with self._lock:
            return self._store(drafts)

    def _store(self, drafts: list[Draft]) -> list[Outcome]:
        outcomes: dict[UUID, Outcome] = {}
        self._admit(drafts, outcomes)
        firsts, repeats = split_repeats([draft for draft in drafts if draft.id not in outcomes])
        self._insert_all(self._settle_archived(firsts, outcomes), outcomes)
        # The first may differ from what was stored before and be refused, and its repeat be the true one.
        refused = [draft for draft, first in repeats if isinstance(outcomes[first.id], Conflict)]
        if refused:
            self._settle_known(refused, outcomes)
        for draft, first in repeats:
            if draft.id not in outcomes:
                outcomes[draft.id] = as_duplicate(draft, outcomes[first.id])
        return [outcomes[draft.id] for draft in drafts]

    def _admit(self, drafts: list[Draft], outcomes: dict[UUID, Outcome]) -> None:
        """Refuse senders who are not, or no longer, members, or muted: one query for the whole batch."""
        standings = read_standings(drafts)
        for draft in drafts:
            try:
                standing = standings.get((draft.room_id, draft.sender_id))
                if standing is None:
                    raise NotFound(NO_ROOM)
                require_may_write(standing)
                draft.membership_id = standing.membership_id
                draft.in_archived_room = standing.first_seq > 1
            except ChatError as error:
                outcomes[draft.id] = error

    def _insert_all(self, pending: list[Draft], outcomes: dict[UUID, Outcome]) -> None:
        """Insert in order until all are in, however often another process is faster.

        Where the database has no lock to wait for, a large batch would lose for ever to small ones that are quicker
        to build, so each loss halves what is tried next, and a win doubles it: of one message the chance is even.
        """
        gives_up_at = time.monotonic() + CONTENTION_SECONDS
        losses = 0
        lost_at: dict[UUID, int] | None = None
        while pending:
            part = pending[: max(1, len(pending) >> max(0, losses - 1))]
            heads = self._insert(part, outcomes, afresh=losses > 0)
            if heads is None:
                pending, losses, lost_at = pending[len(part) :], max(0, losses - 1), None
                continue
            missing = self._settle_known(part, outcomes)
            if heads == lost_at and len(missing) == len(part):
                raise IntegrityError("A key is taken, and not because another process was faster.")
            pending, losses, lost_at = missing + pending[len(part) :], losses + 1, heads
            if time.monotonic() > gives_up_at:
                outcomes |= {draft.id: Unavailable("The room is too busy. Try again.") for draft in pending}
                return
            if losses > 1:
                time.sleep(_random.uniform(0, min(MAX_PAUSE_SECONDS, 0.001 * 2**losses)))

    def _insert(
        self, drafts: list[Draft], outcomes: dict[UUID, Outcome], *, afresh: bool
    ) -> dict[UUID, int] | None:
        """One attempt; the heads it went by when a key was taken, and then nothing is known of what was stored.

        `afresh` reads the heads within the transaction. On SQLite that has the write lock by then, so nobody can
        be faster a second time; read before it, they would be old when the lock is got at last.
        MongoDB has no transaction here: an ordered insert stops at the taken key and leaves what came before
        it, which is a whole prefix of each room's new messages, so a later seq is never there without an earlier.
        """
        room_ids = {draft.room_id for draft in drafts}
        now = times.now()
        messages = [
            as_message(draft, id=draft.id, fingerprint=draft.fingerprint, created_at=now) for draft in drafts
        ]
        heads: dict[UUID, int] = {}
        try:
            with transaction.atomic():
                if afresh:
                    self._forget(room_ids)
                self._learn(room_ids)
                heads = {room_id: self._known[room_id].seq for room_id in room_ids}
                _number(messages, dict(heads))
                Message.objects.bulk_create(messages)
                _advance(drafts, messages)
        except IntegrityError:
            self._forget(room_ids)
            return heads
        for message in messages:
            known = self._known[message.room_id]
            known.seq = message.seq
            outcomes[message.pk] = Stored(message, known.room, duplicate=False)
        while len(self._known) > MAX_KNOWN_ROOMS:
            self._known.popitem(last=False)
        return None

    def _forget(self, room_ids: set[UUID]) -> None:
        for room_id in room_ids:
            self._known.pop(room_id, None)

    def _learn(self, room_ids: set[UUID]) -> None:
        """Read the rooms that are not known, and how far their logs reach."""
        for room_id in room_ids & self._known.keys():
            self._known.move_to_end(room_id)
        if unknown := room_ids - self._known.keys():
            rooms = list(Room.objects.filter(pk__in=unknown))
            heads = read_heads(rooms)
            self._known |= {room.pk: RoomHead(room, heads[room.pk]) for room in rooms}

    def _settle_archived(self, drafts: list[Draft], outcomes: dict[UUID, Outcome]) -> list[Draft]:
        """Drafts whose clientMessageId no archived message has; asked only in rooms that have an archive."""
        ids = {draft.id: key_id(draft.key) for draft in drafts if draft.key and draft.in_archived_room}
        keys = ArchivedKey.objects.in_bulk(list(ids.values())) if ids else {}
        if not keys:
            return drafts
        self._learn({draft.room_id for draft in drafts})
        fresh = []
        for draft in drafts:
            if key := keys.get(ids.get(draft.id)):
                known = Stored(of_archived(draft, key), self._known[draft.room_id].room, duplicate=True)
                outcomes[draft.id] = as_duplicate(draft, known)
            else:
                fresh.append(draft)
        return fresh

    def _settle_known(self, drafts: list[Draft], outcomes: dict[UUID, Outcome]) -> list[Draft]:
        """Drafts that are not in the log yet; the others get their outcome."""
        by_id = {
            message.pk: message for message in Message.objects.filter(pk__in=[draft.id for draft in drafts])
        }
        by_key = find_by_keys([draft.key for draft in drafts if draft.key is not None])
        _advance(drafts, list(by_id.values()))
        self._learn({draft.room_id for draft in drafts})
        missing = []
        for draft in drafts:
            if message := by_id.get(draft.id):  # an earlier attempt of this very batch got it in
                outcomes[draft.id] = Stored(message, self._known[draft.room_id].room, duplicate=False)
            elif draft.key is not None and (message := by_key.get(draft.key)):
                outcomes[draft.id] = as_duplicate(
                    draft, Stored(message, self._known[draft.room_id].room, duplicate=True)
                )
            else:
                missing.append(draft)
        return missing


def _number(messages: list[Message], heads: dict[UUID, int]) -> None:
    """Give each message the next seq of its room; `heads` is moved along."""
    for message in messages:
        message.seq = heads[message.room_id] = heads[message.room_id] + 1


def read_heads(rooms: list[Room]) -> dict[UUID, int]:
    """The highest seq of each room: its hint, or what lies beyond it.

    A read of an index for each room: in one query, an OR of all, a database may scan the log instead.
    """
    heads = {}
    for room in rooms:
        beyond = Message.objects.filter(room_id=room.pk, seq__gt=room.last_seq)
        heads[room.pk] = max(beyond.values_list("seq", flat=True), default=room.last_seq)
    return heads


def read_standings(drafts: list[Draft]) -> dict[tuple[UUID, UUID], Standing]:
    """Whether the senders may write, by (room, sender): by key, and by names for those who came back since."""
    standings = _standings(pk__in={draft.membership_id for draft in drafts if draft.membership_id})
    unknown = [draft for draft in drafts if (draft.room_id, draft.sender_id) not in standings]
    if unknown:
        room_ids, sender_ids = {draft.room_id for draft in unknown}, {draft.sender_id for draft in unknown}
        standings |= _standings(room_id__in=room_ids, user_id__in=sender_ids)
    return standings


def _standings(**names: Any) -> dict[tuple[UUID, UUID], Standing]:
    return {
        (room_id, user_id): Standing(pk, muted_until, locked_at, first_seq)
        for room_id, user_id, pk, muted_until, locked_at, first_seq in _standing_rows().filter(**names)
    }


@cache
def _standing_rows() -> QuerySet[Membership, Any]:
    """Made once: naming the columns costs a third of this query, and each batch asks it."""
    return Membership.objects.order_by().values_list(
        "room_id", "user_id", "pk", "muted_until", "room__locked_at", "room__first_seq"
    )


def find_by_keys(keys: list[tuple[UUID, UUID, str]]) -> dict[tuple[UUID, UUID, str], Message]:
    """Messages by (room, sender, clientMessageId)."""
    if not keys:
        return {}
    room_ids, sender_ids, client_ids = (set(part) for part in zip(*keys, strict=True))
    found = Message.objects.filter(
        room_id__in=room_ids, sender_id__in=sender_ids, client_message_id__in=client_ids
    )
    return {(m.room_id, m.sender_id, m.client_message_id): m for m in found if m.client_message_id}


def _advance(drafts: list[Draft], messages: list[Message]) -> None:
    """Move the rooms' hints, and the senders' watermarks: whoever writes has read what is above.

    Within the transaction where there is one; else behind the answer, since a crash between the two would leave
    the same either way.
    """
    messages = sorted(messages, key=lambda message: message.seq)
    heads = {message.room_id: Head(message.seq, message.pk, message.created_at) for message in messages}
    seqs = {message.pk: message.seq for message in messages}
    own_read = {
        draft.membership_id: seqs[draft.id] for draft in drafts if draft.id in seqs and draft.membership_id
    }
    advance = pending_marks.add if marks_follow() else move_up
    advance(heads, own_read)
