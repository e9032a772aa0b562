"""Rules of the columns of a room that follow from its log, and of direct rooms."""

import time
from collections.abc import Iterator
from uuid import UUID

from accounts.keys import CLOCK_SKEW
from foundation import times
from foundation.folding import fold
from messaging.models import Message
from messaging.room_logs import advance_marks
from rooms.models import Room, direct_key

from .logs import Log
from .rules import Options, Violation, rule

SEARCH_NAME = rule("search_name", "The `search_name` of a room is its folded name.", repair="Folds the name.")
ROOM_HEAD = rule(
    "room_head",
    "`last_seq` is the end of the room's log; it may be behind for a moment, or after a crash, and never ahead.",
    repair="Moves it up. Not down: clients may have had a message with that seq.",
)
LAST_MESSAGE = rule(
    "last_message",
    "`last_message_id` is the message of `last_seq`, or nothing.",
    repair="Sets it to that message.",
)
ROOM_ACTIVITY = rule(
    "room_activity",
    "`last_activity_at` is the time of the latest message; the writer gives no message an earlier time.",
    repair="Sets it to that time, or to that of the creation where nobody has written.",
)
FIRST_SEQ = rule(
    "first_seq", "`first_seq` is at least 1, and not beyond the last message, which is never archived."
)
DIRECT_KEY = rule(
    "direct_key",
    "A direct room has the ordered pair of its users as its key and is never deleted; a group has no key.",
)


def check_room(room: Room, log: Log, options: Options) -> Iterator[Violation]:
    yield from _check_name(room, options)
    yield from _check_head(room, log, options)
    yield from _check_activity(room, log, options)
    # The last message is never archived. That a whole log is lost is named by the rule of the head.
    highest = log.head or (room.first_seq if room.last_seq else 1)
    if not 1 <= room.first_seq <= highest:
        yield FIRST_SEQ.broken(f"room {room.pk}: first_seq is {room.first_seq}, its log ends at {log.head}")
    is_direct = room.kind == Room.Kind.DIRECT
    wrong = (pair_of(room) is None or room.deleted_at) if is_direct else room.direct_key is not None
    if wrong:
        deleted = ", and it is deleted" if room.deleted_at else ""
        yield DIRECT_KEY.broken(f"room {room.pk}: the key of a {room.kind} is {room.direct_key!r}{deleted}")


def pair_of(room: Room) -> set[UUID] | None:
    """The users of a direct room by its key; None for a key that names no ordered pair."""
    try:
        pair = {UUID(part) for part in (room.direct_key or "").split(":")}
    except ValueError:
        return None
    return pair if room.direct_key == direct_key(min(pair, key=str), max(pair, key=str)) else None


def _check_name(room: Room, options: Options) -> Iterator[Violation]:
    # A process of a release before the column writes none.
    if room.name is not None and room.search_name != fold(room.name):
        if options.repair:
            Room.objects.filter(pk=room.pk, name=room.name).update(search_name=room.name)
        yield SEARCH_NAME.broken(f"room {room.pk}: not the folded name", repaired=options.repair)


def _check_head(room: Room, log: Log, options: Options) -> Iterator[Violation]:
    if room.last_seq > log.head:
        description = f"its log ends at {log.head}" if log.head else "its log is empty"
        yield ROOM_HEAD.broken(f"room {room.pk}: last_seq is {room.last_seq}, {description}")
        return
    if room.last_message_id is not None and room.last_message_id != log.cached_id:
        if options.repair:
            present = Room.objects.filter(pk=room.pk, last_seq=room.last_seq)
            present.update(last_message_id=log.cached_id)
        description = (
            f"room {room.pk}: last_message_id is not message {room.last_seq}: {room.last_message_id}"
        )
        yield LAST_MESSAGE.broken(description, repaired=options.repair)
    if room.last_seq < log.head and not _catches_up(room, log.head, options.lag_seconds):
        if options.repair:
            advance_marks(room)
        description = f"room {room.pk}: last_seq is {room.last_seq}, its log ends at {log.head}"
        yield ROOM_HEAD.broken(description, repaired=options.repair)


def _catches_up(room: Room, head: int, lag_seconds: float) -> bool:
    """Whether the cached head reaches `head` within `lag_seconds` of the message: the room may be in use."""
    written = Message.objects.filter(room_id=room.pk, seq=head).values_list("created_at", flat=True).first()
    if written is not None:
        age = (times.now() - written).total_seconds()
        time.sleep(min(lag_seconds, max(0.0, lag_seconds - age)))
    return Room.objects.filter(pk=room.pk, last_seq__gte=head).exists()


def _check_activity(room: Room, log: Log, options: Options) -> Iterator[Violation]:
    """The writer relies on the lower bound; a time far above the upper one would be given to all new messages."""
    if log.cached_at is None and room.last_seq:
        return
    latest = log.cached_at or room.created_at
    earliest = latest if log.cached_at else room.last_activity_at
    if not earliest <= room.last_activity_at <= max(log.latest_at or latest, room.created_at) + CLOCK_SKEW:
        if options.repair:
            present = Room.objects.filter(pk=room.pk, last_seq=room.last_seq)
            present.update(last_activity_at=latest)
        description = f"room {room.pk}: last_activity_at is {times.to_wire(room.last_activity_at)}"
        yield ROOM_ACTIVITY.broken(
            f"{description}, its last message of {times.to_wire(latest)}", repaired=options.repair
        )
