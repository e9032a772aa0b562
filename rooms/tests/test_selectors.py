"""The users who see each other's presence. Under a second."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from rooms.models import Membership, Room
from rooms.selectors import presence_peers


@pytest.mark.django_db
@pytest.mark.parametrize(("rooms_at_once", "queries"), [(500, 3), (1, 8)])
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
