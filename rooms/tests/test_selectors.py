"""The users who see each other's presence, and the rooms of a user in parts. About a second."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from foundation import times
from rooms.models import Membership, Room
from rooms.selectors import (
    peers_among,
    presence_peers,
    recent_room_ids,
    room_heads,
    room_ids_after,
)


@pytest.mark.django_db
@pytest.mark.parametrize(("rooms_at_once", "queries"), [(500, 4), (1, 9)])
def test_presence_peers_when_asked_for_many_then_queries_are_bounded(
    django_assert_num_queries: Callable[[int], Any],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    rooms_at_once: int,
    queries: int,
) -> None:
    monkeypatch.setattr("rooms.selectors.MAX_ROOMS_AT_ONCE", rooms_at_once)
    settings.PRESENCE_ROOM_LIMIT = 3
    ann, ben, cleo, dan, eve = (
        User.objects.create_user(username=name, email=f"{name}@example.com")
        for name in ("ann", "ben", "cleo", "dan", "eve")
    )
    for people in ((ann, ben), (ann, cleo, dan), (ann, ben, cleo, dan), (dan,)):
        room = Room.objects.create(name="room")
        Membership.objects.bulk_create([Membership(room=room, user=person) for person in people])
    # The members of a room that is too large are not read.
    with django_assert_num_queries(queries):
        peers = presence_peers(user_ids=[ann.pk, ben.pk, dan.pk, eve.pk])
    assert peers == {
        ann.pk: {ben.pk, cleo.pk, dan.pk},
        ben.pk: {ann.pk},
        dan.pk: {ann.pk, cleo.pk},
        eve.pk: set(),
    }


@pytest.mark.django_db
def test_presence_peers_when_rooms_are_many_then_the_recent_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rooms.selectors.MAX_PRESENCE_ROOMS", 2)
    ann, *others = make_users(4)
    for number, other in enumerate(others):
        make_room(number, ann, other)
    assert presence_peers(user_ids=[ann.pk, others[0].pk]) == {
        ann.pk: {others[1].pk, others[2].pk},
        others[0].pk: {ann.pk},
    }


@pytest.mark.django_db
def test_peers_when_they_share_a_room_then_only_these_are_found() -> None:
    ann, ben, cleo, dan = make_users(4)
    make_room(0, ann, ben)
    make_room(1, ben, cleo)
    assert peers_among(user_id=ann.pk, user_ids=[ben.pk, cleo.pk, dan.pk]) == {ben.pk}
    assert peers_among(user_id=ann.pk, user_ids=[ann.pk, cleo.pk]) == {ann.pk}
    assert peers_among(user_id=dan.pk, user_ids=[dan.pk, ben.pk]) == {dan.pk}


@pytest.mark.django_db
def test_rooms_when_read_in_parts_then_all_come_and_no_other() -> None:
    ann, ben = make_users(2)
    mine = [make_room(number, ann) for number in range(7)]
    foreign = make_room(9, ben)
    recent = [room.pk for room in reversed(mine)]
    assert recent_room_ids(user_id=ann.pk, limit=3) == recent[:3]
    assert recent_room_ids(user_id=ann.pk, limit=100) == recent
    parts, after = [], None
    while part := room_ids_after(user_id=ann.pk, after=after, limit=3):
        parts.append(len(part))
        assert set(part) <= set(recent)
        after = part[-1]
    assert parts == [3, 3, 1]
    heads = room_heads(user_id=ann.pk, room_ids=[mine[0].pk, mine[6].pk, foreign.pk])
    assert heads == {mine[0].pk: 0, mine[6].pk: 6}


def make_users(count: int) -> list[User]:
    return [User.objects.create_user(username=f"user{n}", email=f"u{n}@example.com") for n in range(count)]


def make_room(number: int, *people: User) -> Room:
    """A room with a head and a time of activity that grow with its number."""
    active = times.now() + timedelta(seconds=number)
    room = Room.objects.create(name=f"room {number}", last_seq=number, last_activity_at=active)
    Membership.objects.bulk_create([Membership(room=room, user=person) for person in people])
    return room
