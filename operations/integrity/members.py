"""Rules of the members of a room: watermarks, owners of groups, and the two members of a direct room."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from accounts.models import User
from messaging.selectors import room_head
from rooms.models import Membership, Room
from rooms.services.owners import appoint_owner

from .logs import Log
from .paging import pages
from .rooms import pair_of
from .rules import Options, Violation, rule

WATERMARK = rule(
    "watermark",
    "0 ≤ read ≤ delivered ≤ the end of the log.",
    repair="Lowers or raises both to the nearest values that are possible.",
)
JOINED_SEQ = rule(
    "joined_seq",
    "0 ≤ `joined_seq` ≤ read: a member has read all when joining.",
    repair="Lowers or raises it to the nearest value that is possible.",
)
GROUP_OWNER = rule(
    "group_owner",
    "A group in which somebody is active has an active owner.",
    repair="Makes the member owner whom the server would choose.",
)
DIRECT_MEMBERS = rule(
    "direct_members",
    "The members of a direct room are the two users of its key.",
    repair="Adds a missing member, as the next message would. Leaves a stranger.",
)
DELETED_ROOM = rule("deleted_room", "A deleted room has no members.", repair="Removes them.")

Place = tuple[int, int, int]
COLUMNS = ("pk", "user_id", "joined_seq", "delivered_seq", "read_seq")


def check_members(room: Room, log: Log, options: Options) -> Iterator[Violation]:
    yield from _check_watermarks(room, log, options)
    if room.kind == Room.Kind.DIRECT:
        yield from _check_direct(room, options)
    elif room.deleted_at is not None:
        yield from _check_deleted(room, options)
    elif not is_managed(room.pk):
        # An owner may be changing, or being deactivated.
        time.sleep(options.lag_seconds)
        if not is_managed(room.pk):
            repaired = options.repair and bool(appoint_owner(room.pk))
            yield GROUP_OWNER.broken(f"room {room.pk}: no active member is owner", repaired=repaired)


def is_managed(room_id: UUID) -> bool:
    """Whether an active user is owner, or nobody is active."""
    members = Membership.objects.filter(room_id=room_id)
    return _is_anybody_active(members.filter(role=Membership.Role.OWNER)) or not _is_anybody_active(members)


def _is_anybody_active(members: Any) -> bool:
    return any(
        User.objects.filter(pk__in=[user_id for _, user_id in page], is_active=True).exists()
        for page in pages(members, "pk", "user_id")
    )


def _check_watermarks(room: Room, log: Log, options: Options) -> Iterator[Violation]:
    limit = max(log.head, room.last_seq)
    for page in pages(Membership.objects.filter(room_id=room.pk), *COLUMNS):
        places = {pk: place for pk, _, *place in page if None not in place}
        if any(_possible(place, limit) != tuple(place) for place in places.values()):
            # Messages may have come since the log was read, so its end is read after the watermarks.
            limit = max(limit, room_head(room=room))
        for pk, place in places.items():
            possible = _possible(place, limit)
            if possible == tuple(place):
                continue
            repaired = options.repair and _move(pk, place, possible)
            joined, delivered, read = place
            broken = WATERMARK if possible[1:] != (delivered, read) else JOINED_SEQ
            description = f"membership {pk}: joined {joined}, delivered {delivered}, read {read} of {limit}"
            yield broken.broken(description, repaired=repaired)


def _possible(place: Any, limit: int) -> Place:
    joined, delivered, read = place
    delivered = min(max(delivered, read, 0), limit)
    read = min(max(read, 0), delivered)
    return min(max(joined, 0), read), delivered, read


def _move(pk: UUID, place: Any, possible: Place) -> bool:
    """Only if they are unchanged: a running server moves them."""
    names = COLUMNS[2:]
    unchanged = Membership.objects.filter(pk=pk, **dict(zip(names, place, strict=True)))
    return bool(unchanged.update(**dict(zip(names, possible, strict=True))))


def _check_deleted(room: Room, options: Options) -> Iterator[Violation]:
    members = Membership.objects.filter(room_id=room.pk)
    if members.exists():
        if options.repair:
            members.delete()
        yield DELETED_ROOM.broken(f"room {room.pk}: is deleted and has members", repaired=options.repair)


def _check_direct(room: Room, options: Options) -> Iterator[Violation]:
    pair = pair_of(room)
    if pair is None:
        # That is named by the rule of the key.
        return
    if pair - _members(room):
        # Its members are stored after the room.
        time.sleep(options.lag_seconds)
    members = _members(room)
    for stranger in members - pair:
        yield DIRECT_MEMBERS.broken(
            f"room {room.pk}: {stranger} is a member of a direct room of two other users"
        )
    known = set(User.objects.filter(pk__in=pair).values_list("pk", flat=True))
    for absent in pair - members:
        repaired = options.repair and absent in known
        if repaired:
            Membership.create_at_head(room=room, user_id=absent)
        yield DIRECT_MEMBERS.broken(f"room {room.pk}: {absent} is missing", repaired=repaired)


def _members(room: Room) -> set[UUID]:
    return set(Membership.objects.filter(room_id=room.pk).values_list("user_id", flat=True))
