"""Reads of rooms and memberships: keyword-only and synchronous; async code calls them through `run_db`.

Before a selector reads heads or watermarks to show them, it calls `write_marks`, so that a client that has received
a message finds it counted, at any process. `require_member` does not, because it runs for each message. What runs
for each connect (`recent_room_ids`, `room_heads`, `user_memberships`) writes only the marks of this process.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, QuerySet

from foundation import loop
from foundation.errors import NotFound

from . import recent_writes
from .log import get_room_log
from .marks import marks_follow, pending_marks
from .models import Membership, Room

MAX_ROOMS_AT_ONCE = 500
# Whoever comes or goes is announced in so many rooms. More are possible only with a higher MAX_ROOMS_USER.
MAX_PRESENCE_ROOMS = 1000

NO_ROOM = "There is no such room, or you are not a member of it."


def write_marks(*, room_ids: Iterable[UUID]) -> None:
    """Bring the heads and watermarks of these rooms up to their logs, before they are read to be shown.

    Marks of this process are written; those that other processes may not have written yet are taken from the logs.
    """
    pending_marks.write()
    if not recent_writes.are_needed():
        return
    # A list, because a query must not run on the loop.
    if written := loop.call(recent_writes.get_recent_writes().among(list(room_ids))):
        for room in Room.objects.filter(pk__in=list(written)):
            get_room_log().advance_marks(room)


def require_member(*, room_id: UUID, user_id: UUID) -> Membership:
    """The user's membership, with its room. NotFound for strangers, exactly as for a room that does not exist."""
    membership = Membership.objects.select_related("room").filter(room_id=room_id, user_id=user_id).first()
    if membership is None:
        raise NotFound(NO_ROOM)
    return membership


def require_shown_member(*, room_id: UUID, user_id: UUID) -> Membership:
    """As `require_member`, with the true head and watermarks, to show them or to decide by them.

    Where marks are written after their messages, those of other processes may be missing: this reads the log
    itself.
    """
    pending_marks.write()
    membership = require_member(room_id=room_id, user_id=user_id)
    if marks_follow() and get_room_log().advance_marks(membership.room):
        return require_member(room_id=room_id, user_id=user_id)
    return membership


def get_membership(*, room_id: UUID, user_id: UUID) -> Membership:
    """Any member of a room, with the user. The caller has checked that the room may be seen."""
    write_marks(room_ids=[room_id])
    membership = Membership.objects.select_related("user").filter(room_id=room_id, user_id=user_id).first()
    if membership is None:
        raise NotFound("There is no such member in this room.")
    return membership


def user_memberships(*, user_id: UUID, room_ids: Iterable[UUID] | None = None) -> dict[UUID, Membership]:
    """The user's memberships by room id, with their rooms: all, or only those in `room_ids`."""
    pending_marks.write()
    memberships = Membership.objects.select_related("room").filter(user_id=user_id)
    if room_ids is not None:
        memberships = memberships.filter(room_id__in=list(room_ids))
    return {membership.room_id: membership for membership in memberships}


def recent_room_ids(*, user_id: UUID, limit: int) -> list[UUID]:
    """The user's rooms, the most recently active first. Writes only the marks of this process."""
    pending_marks.write()
    memberships = Membership.objects.filter(user_id=user_id).order_by("-room__last_activity_at", "-room_id")
    return list(memberships.values_list("room_id", flat=True)[:limit])


def room_ids_after(*, user_id: UUID, after: UUID | None, limit: int) -> list[UUID]:
    """The next of all rooms of the user, by their ids."""
    memberships = Membership.objects.filter(user_id=user_id).order_by("room_id")
    if after is not None:
        memberships = memberships.filter(room_id__gt=after)
    return list(memberships.values_list("room_id", flat=True)[:limit])


def room_heads(*, user_id: UUID, room_ids: Iterable[UUID]) -> dict[UUID, int]:
    """The heads of those rooms of which the user is a member. Writes only the marks of this process."""
    pending_marks.write()
    memberships = Membership.objects.filter(user_id=user_id, room_id__in=list(room_ids)).order_by()
    return dict(memberships.values_list("room_id", "room__last_seq"))


def rooms_of_users(*, user_ids: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """The room ids of each user, in one query for all users."""
    rooms: dict[UUID, set[UUID]] = {user_id: set() for user_id in user_ids}
    members = Membership.objects.filter(user_id__in=list(rooms))
    for user_id, room_id in members.values_list("user_id", "room_id"):
        rooms[user_id].add(room_id)
    return rooms


def user_rooms(*, user_id: UUID) -> QuerySet[Room]:
    """The user's rooms. Not by a join, which might follow the index of activity through the rooms of all users."""
    mine = Membership.objects.filter(user_id=user_id).order_by()
    write_marks(room_ids=mine.values_list("room_id", flat=True))
    return Room.objects.filter(pk__in=mine.values("room_id"))


def room_members(*, room_id: UUID) -> list[Membership]:
    write_marks(room_ids=[room_id])
    return list(Membership.objects.select_related("user").filter(room_id=room_id).order_by("joined_at", "pk"))


def member_ids(*, room_id: UUID) -> list[UUID]:
    return list(Membership.objects.filter(room_id=room_id).values_list("user_id", flat=True))


def direct_peer(*, room: Room, user_id: UUID) -> UUID:
    """The other user of a direct room; the user itself in a room with oneself."""
    assert room.direct_key is not None
    one, other = (UUID(part) for part in room.direct_key.split(":"))
    return other if one == user_id else one


def peers_among(*, user_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of `user_ids` that share a room with the user, or are the user."""
    wanted = set(user_ids)
    # Not by the list of the user's rooms: there may be thousands.
    mine = Membership.objects.filter(room_id=OuterRef("room_id"), user_id=user_id)
    shared = Membership.objects.filter(Exists(mine), user_id__in=list(wanted)).order_by()
    return set(shared.values_list("user_id", flat=True)) | ({user_id} & wanted)


def presence_peers(*, user_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """The users who see each user's presence: those in a common room of at most PRESENCE_ROOM_LIMIT members.

    Looks at the MAX_PRESENCE_ROOMS most recently active rooms of a user. Takes two queries for all users, one for
    each who has more rooms, and two for every MAX_ROOMS_AT_ONCE of their rooms.
    """
    many = {user_id for user_id, n in room_counts(user_ids=user_ids).items() if n > MAX_PRESENCE_ROOMS}
    rooms = rooms_of_users(user_ids=[user_id for user_id in user_ids if user_id not in many])
    for user_id in many:
        rooms[user_id] = set(recent_room_ids(user_id=user_id, limit=MAX_PRESENCE_ROOMS))
    room_ids = list(set().union(*rooms.values()))
    members: dict[UUID, set[UUID]] = {}
    for start in range(0, len(room_ids), MAX_ROOMS_AT_ONCE):
        sizes = member_counts(room_ids=room_ids[start : start + MAX_ROOMS_AT_ONCE])
        small = [room_id for room_id, size in sizes.items() if size <= settings.PRESENCE_ROOM_LIMIT]
        memberships = Membership.objects.filter(room_id__in=small).order_by()
        for room_id, user_id in memberships.values_list("room_id", "user_id"):
            members.setdefault(room_id, set()).add(user_id)
    return {
        user_id: set().union(*(members.get(room_id, ()) for room_id in of_user)) - {user_id}
        for user_id, of_user in rooms.items()
    }


def get_room(*, room_id: UUID) -> Room:
    """Any room, whoever its members are; for callers that may see all rooms."""
    write_marks(room_ids=[room_id])
    room = Room.objects.filter(pk=room_id).first()
    if room is None:
        raise NotFound("There is no such room.")
    return room


def member_counts(*, room_ids: Iterable[UUID]) -> dict[UUID, int]:
    """The number of members of each room, in one query; without empty rooms."""
    sizes = Membership.objects.filter(room_id__in=list(room_ids)).values_list("room_id").order_by("room_id")
    return dict(sizes.annotate(size=Count("pk")))


def room_counts(*, user_ids: Iterable[UUID]) -> dict[UUID, int]:
    """The number of rooms of each user, in one query; without users who have none."""
    rooms = Membership.objects.filter(user_id__in=list(user_ids)).values_list("user_id").order_by("user_id")
    return dict(rooms.annotate(rooms=Count("pk")))


def count_members(*, room_id: UUID) -> int:
    return Membership.objects.filter(room_id=room_id).count()
