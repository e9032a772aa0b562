"""Checks the invariants of a live database, and repairs the violations that can be repaired without guessing.

Reads in pages, so memory stays bounded for a large log.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Session, User
from accounts.names import search_key
from foundation import times
from foundation.folded_field import stale
from foundation.folding import fold
from messaging.models import Message
from messaging.room_logs import advance_marks
from rooms.models import Membership, Room, direct_key

PAGE = 1000
# Where there are no transactions, head and watermarks are written within this time after their messages
# (messaging.mark_writer).
LAG_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant, for example `seq_dense`, and a description that names the row."""

    rule: str
    description: str
    repaired: bool = False


def check(*, repair: bool) -> Iterator[Violation]:
    """Yield all violations, room by room, and with `repair` repair the safe ones first.

    Safe are cached heads, watermarks and folded text, which follow from other columns, missing members of direct
    rooms, and rows that refer to nothing, which nobody sees. A hole in a log is reported and never filled.
    """
    for room in Room.objects.order_by("pk").iterator(PAGE):
        head, holes = _scan_log(room)
        yield from holes
        yield from _check_head(room, head, repair)
        yield from _check_watermarks(room, head, repair)
        if room.kind == Room.Kind.DIRECT:
            yield from _check_direct(room, repair)
    yield from _check_folded(repair)
    yield from _check_references(repair)


def _scan_log(room: Room) -> tuple[int, list[Violation]]:
    """The last seq of the log (0 if it is empty), and its holes. The log begins at first_seq: earlier messages are
    archived."""
    first, last = 0, room.first_seq - 1
    holes = []
    while page := list(
        Message.objects.filter(room_id=room.pk, seq__gt=last)
        .order_by("seq")
        .values_list("seq", flat=True)[:PAGE]
    ):
        for seq in page:
            if not first and seq != last + 1:
                # Messages may have been archived since the room was read.
                last = max(last, Room.objects.get(pk=room.pk).first_seq - 1)
            first = first or seq
            if seq > last + 1:
                holes.append(Violation("seq_dense", f"room {room.pk}: no message between {last} and {seq}"))
            last = seq
    return (last if first else 0), holes


def _check_head(room: Room, head: int, repair: bool) -> Iterator[Violation]:
    """The cached head may be behind the log for a moment, and for longer after a crash, but never ahead of it."""
    if head == 0 or room.last_seq == head or (room.last_seq < head and _catches_up(room, head)):
        return
    description = f"room {room.pk}: last_seq is {room.last_seq}, its log ends at {head}"
    if room.last_seq > head:
        # Lowering it could reuse a seq of a message that clients already have, so a human has to decide.
        yield Violation("head_hint", description)
        return
    if repair:
        advance_marks(room)
    yield Violation("head_hint", description, repaired=repair)


def _catches_up(room: Room, head: int) -> bool:
    """Whether the cached head reaches `head` within LAG_SECONDS of the message: the room may be in use."""
    written = Message.objects.filter(room_id=room.pk, seq=head).values_list("created_at", flat=True).first()
    if written is not None:
        time.sleep(max(0.0, LAG_SECONDS - (times.now() - written).total_seconds()))
    return Room.objects.filter(pk=room.pk, last_seq__gte=head).exists()


def _check_watermarks(room: Room, head: int, repair: bool) -> Iterator[Violation]:
    limit = max(head, room.last_seq)
    members = Membership.objects.filter(room_id=room.pk)
    for member in members.order_by("pk").iterator(PAGE):
        delivered = min(max(member.delivered_seq, member.read_seq, 0), limit)
        read = min(max(member.read_seq, 0), delivered)
        if (member.delivered_seq, member.read_seq) == (delivered, read):
            continue
        description = (
            f"membership {member.pk}: delivered {member.delivered_seq}, read {member.read_seq} of {limit}"
        )
        if repair:
            # Only if they are unchanged: a running server moves them.
            unchanged = members.filter(
                pk=member.pk, delivered_seq=member.delivered_seq, read_seq=member.read_seq
            )
            unchanged.update(delivered_seq=delivered, read_seq=read)
        yield Violation("watermark", description, repaired=repair)


def _check_direct(room: Room, repair: bool) -> Iterator[Violation]:
    try:
        pair = {UUID(part) for part in (room.direct_key or "").split(":")}
    except ValueError:
        pair = set()
    if not pair or room.direct_key != direct_key(min(pair, key=str), max(pair, key=str)):
        yield Violation("direct_key", f"room {room.pk}: {room.direct_key!r} names no pair of users")
        return
    members = set(Membership.objects.filter(room_id=room.pk).values_list("user_id", flat=True))
    for stranger in members - pair:
        yield Violation(
            "direct_members", f"room {room.pk}: {stranger} is a member of a direct room of two other users"
        )
    known = set(User.objects.filter(pk__in=pair).values_list("pk", flat=True))
    for missing in pair - members:
        # The next message of either user would add the member too.
        repaired = repair and missing in known
        if repaired:
            Membership.create_at_head(room=room, user_id=missing)
        yield Violation("direct_members", f"room {room.pk}: {missing} is missing", repaired=repaired)


def _check_folded(repair: bool) -> Iterator[Violation]:
    """A process of a release before the column, or before a change of the folding, writes other text."""
    for model, source, column, key in (
        (User, "display_name", "display_name_key", search_key),
        (Room, "name", "search_name", fold),
        (Message, "content", "search_text", fold),
    ):
        rows = model.objects.all()
        for pk in stale(rows, source=source, column=column, key=key, repair=repair):
            yield Violation(
                column, f"{model._meta.model_name} {pk}: not the folded {source}", repaired=repair
            )


def _check_references(repair: bool) -> Iterator[Violation]:
    """Rows that refer to a missing row. MongoDB has no foreign keys, so a crash may leave such rows."""
    for model, column, target in (
        (Membership, "room_id", Room),
        (Membership, "user_id", User),
        (Session, "user_id", User),
        (Message, "room_id", Room),
        (Message, "sender_id", User),
    ):
        # A message is never deleted.
        removable = model is not Message
        for page in _pages(model, column):
            wanted = {value for _, value in page}
            found = set(target.objects.filter(pk__in=wanted).values_list("pk", flat=True))
            for key, value in page:
                if value in found:
                    continue
                if repair and removable:
                    model.objects.filter(pk=key).delete()
                rule = f"{model._meta.model_name}_{column.removesuffix('_id')}"
                description = f"{model._meta.model_name} {key}: there is no {target._meta.model_name} {value}"
                yield Violation(rule, description, repaired=repair and removable)


def _pages(model: type, column: str) -> Iterator[list[tuple[UUID, UUID]]]:
    rows = model.objects.order_by("pk").values_list("pk", column)  # type: ignore[attr-defined]
    page = list(rows[:PAGE])
    while page:
        yield page
        page = list(rows.filter(pk__gt=page[-1][0])[:PAGE])
