"""Marks that are written after their messages: merged, never moved down, never lost. About a second."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from foundation import times
from rooms.marks import MAX_ROWS, Head, PendingMarks
from rooms.models import Membership, Room

NOW = times.from_timestamp(4_000_000_000)


@pytest.fixture
def memberships() -> list[Membership]:
    rooms = [Room(name=f"room {number}") for number in range(3)]
    Room.objects.bulk_create(rooms)
    user = User.objects.create_user(username="ann", email="ann@example.com")
    return Membership.objects.bulk_create([Membership(room=room, user=user) for room in rooms])


def reached(seq: int) -> Head:
    return Head(seq, uuid4(), NOW + timedelta(seconds=seq))


def shown(membership: Membership) -> tuple[int, int, int]:
    member = Membership.objects.select_related("room").get(pk=membership.pk)
    return member.room.last_seq, member.delivered_seq, member.read_seq


@pytest.mark.django_db
def test_marks_when_of_many_batches_then_are_merged_and_never_move_down(
    memberships: list[Membership],
) -> None:
    pending = PendingMarks()
    for seq in (5, 9, 7):
        for membership in memberships:
            pending.add({membership.room_id: reached(seq)}, {membership.pk: seq})
    with CaptureQueriesContext(connection) as captured:
        pending.write()
    assert len(captured) == 2
    assert [shown(membership) for membership in memberships] == [(9, 9, 9)] * 3
    assert Room.objects.get(pk=memberships[0].room_id).last_activity_at == NOW + timedelta(seconds=9)
    pending.add({m.room_id: reached(8) for m in memberships}, {m.pk: 8 for m in memberships})
    pending.add({memberships[0].room_id: reached(10)}, {})
    pending.write()
    assert [shown(membership) for membership in memberships] == [(10, 9, 9), (9, 9, 9), (9, 9, 9)]
    with CaptureQueriesContext(connection) as captured:
        pending.write()
    assert len(captured) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 2])
def test_marks_when_of_an_earlier_message_then_the_last_id_stays(
    memberships: list[Membership], count: int
) -> None:
    """Another process has written the head of a later message first."""
    later, earlier = reached(9), reached(8)
    for head in (later, earlier):
        pending = PendingMarks()
        pending.add({member.room_id: head for member in memberships[:count]}, {})
        pending.write()
    for member in memberships[:count]:
        room = Room.objects.get(pk=member.room_id)
        assert (room.last_seq, room.last_message_id) == (9, later.message_id)


@pytest.mark.django_db
def test_marks_when_more_than_one_statement_takes_then_all_are_written(memberships: list[Membership]) -> None:
    pending = PendingMarks()
    strangers = {uuid4(): 3 for _ in range(MAX_ROWS)}
    pending.add({}, strangers | {membership.pk: 3 for membership in memberships})
    pending.write()
    assert [shown(membership) for membership in memberships] == [(0, 3, 3)] * 3


@pytest.mark.django_db(transaction=True)
def test_marks_when_the_database_is_away_then_are_kept(memberships: list[Membership]) -> None:
    pending, membership = PendingMarks(), memberships[0]
    pending.add({membership.room_id: reached(2)}, {membership.pk: 2})

    def away(*args: object) -> None:
        raise OperationalError("away")

    with connection.execute_wrapper(away), pytest.raises(OperationalError):
        pending.write()
    pending.add({membership.room_id: reached(3)}, {})
    pending.write()
    assert shown(membership) == (3, 2, 2)


@pytest.mark.django_db(transaction=True)
def test_marks_when_another_thread_writes_them_then_a_reader_waits(
    memberships: list[Membership],
) -> None:
    pending, membership = PendingMarks(), memberships[0]
    pending.add({membership.room_id: reached(2)}, {membership.pk: 2})
    writing, go_on, seen = threading.Event(), threading.Event(), []

    def hold(execute, *args):
        writing.set()
        assert go_on.wait(20)
        return execute(*args)

    def write() -> None:
        with connection.execute_wrapper(hold):
            pending.write()
        connection.close()

    def read() -> None:
        pending.write()
        seen.append(shown(membership))
        connection.close()

    writer, reader = threading.Thread(target=write), threading.Thread(target=read)
    writer.start()
    assert writing.wait(20)
    # The writer has taken the marks, and has not written them yet.
    assert not pending
    reader.start()
    go_on.set()
    writer.join(20)
    reader.join(20)
    assert seen == [(2, 2, 2)]
