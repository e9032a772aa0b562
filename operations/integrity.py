"""The invariants of a live database: finds what breaks them, and mends what can be mended without guessing.

Knows every app's models; must not know who asks. Reads in pages, so that a large log costs time and not memory.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Session, User
from foundation import times
from messaging.models import Message
from messaging.room_logs import advance_marks
from rooms.models import Membership, Room, direct_key

PAGE = 1000
LAG_SECONDS = 1.0  # a writer's marks follow its messages sooner (messaging.mark_writer)


@dataclass(frozen=True, slots=True)
class Violation:
    """`rule` names the invariant, `what` the row; `repaired` says that it holds again."""

    rule: str
    what: str
    repaired: bool = False


def check(*, repair: bool) -> Iterator[Violation]:
    """Every violation, room by room. With `repair` the safe ones are mended: hints and watermarks, which follow
    from the log, and rows that point at nothing, which nobody sees. Holes in a log are named and never filled."""
    for room in Room.objects.order_by("pk").iterator(PAGE):
        head, holes = _scan_log(room)
        yield from holes
        yield from _check_head(room, head, repair)
        yield from _check_watermarks(room, head, repair)
        if room.kind == Room.Kind.DIRECT:
            yield from _check_direct(room, repair)
    yield from _check_pointers(repair)


def _scan_log(room: Room) -> tuple[int, list[Violation]]:
    """The log's last seq, and its holes. It begins at first_seq: retention takes away what comes before."""
    first, last = 0, room.first_seq - 1
    holes = []
    while page := list(
        Message.objects.filter(room_id=room.pk, seq__gt=last)
        .order_by("seq")
        .values_list("seq", flat=True)[:PAGE]
    ):
        for seq in page:
            if not first and seq != last + 1:  # archived since the room was read?
                last = max(last, Room.objects.get(pk=room.pk).first_seq - 1)
            first = first or seq
            if seq > last + 1:
                holes.append(Violation("seq_dense", f"room {room.pk}: nothing between {last} and {seq}"))
            last = seq
    return (last if first else 0), holes


def _check_head(room: Room, head: int, repair: bool) -> Iterator[Violation]:
    """The hint lags for a moment behind the log, and longer behind a writer that died; it may never be ahead."""
    if head == 0 or room.last_seq == head or (room.last_seq < head and _catches_up(room, head)):
        return
    what = f"room {room.pk}: last_seq is {room.last_seq}, its log ends at {head}"
    if room.last_seq > head:
        # Moving it down could give a seq to a second message that clients know by the first: a human decides.
        yield Violation("head_hint", what)
        return
    if repair:
        advance_marks(room)
    yield Violation("head_hint", what, repaired=repair)


def _catches_up(room: Room, head: int) -> bool:
    """Whether the hint of a room that is written to at this moment has come after."""
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
        what = f"membership {member.pk}: delivered {member.delivered_seq}, read {member.read_seq} of {limit}"
        if repair:
            # Only if they are still what was seen: they move while the server runs.
            seen = members.filter(pk=member.pk, delivered_seq=member.delivered_seq, read_seq=member.read_seq)
            seen.update(delivered_seq=delivered, read_seq=read)
        yield Violation("watermark", what, repaired=repair)


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
            "direct_members", f"room {room.pk}: {stranger} is a member of the direct room of two others"
        )
    known = set(User.objects.filter(pk__in=pair).values_list("pk", flat=True))
    for missing in pair - members:
        mend = repair and missing in known  # as the next message of either side would
        if mend:
            Membership.create_at_head(room=room, user_id=missing)
        yield Violation("direct_members", f"room {room.pk}: {missing} is missing", repaired=mend)


def _check_pointers(repair: bool) -> Iterator[Violation]:
    """Rows that point at nothing. MongoDB knows no foreign keys, so a crash may leave them."""
    for model, column, target in (
        (Membership, "room_id", Room),
        (Membership, "user_id", User),
        (Session, "user_id", User),
        (Message, "room_id", Room),
        (Message, "sender_id", User),
    ):
        harmless = model is not Message  # a message is never deleted for being odd
        for page in _pages(model, column):
            wanted = {value for _, value in page}
            found = set(target.objects.filter(pk__in=wanted).values_list("pk", flat=True))
            for key, value in page:
                if value in found:
                    continue
                if repair and harmless:
                    model.objects.filter(pk=key).delete()
                rule = f"{model._meta.model_name}_{column.removesuffix('_id')}"
                what = f"{model._meta.model_name} {key}: there is no {target._meta.model_name} {value}"
                yield Violation(rule, what, repaired=repair and harmless)


def _pages(model: type, column: str) -> Iterator[list[tuple[UUID, UUID]]]:
    rows = model.objects.order_by("pk").values_list("pk", column)  # type: ignore[attr-defined]
    page = list(rows[:PAGE])
    while page:
        yield page
        page = list(rows.filter(pk__gt=page[-1][0])[:PAGE])
