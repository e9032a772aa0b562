"""The log by itself: batches and races that no client can bring about. Takes about two seconds."""

from uuid import UUID, uuid4

import pytest

from accounts.models import User
from foundation.errors import Conflict, Muted, NotFound
from foundation.times import from_timestamp
from messaging.drafts import Draft, Outcome, Stored
from messaging.log.message_log import MessageLog
from messaging.models import Message
from rooms.marks import pending_marks
from rooms.models import Membership, Room


@pytest.fixture
def room() -> Room:
    return Room.objects.create(name="x")


def join(room: Room, name: str, **fields: object) -> UUID:
    user = User.objects.create(username=name, username_key=name, email=f"{name}@example.com")
    Membership.objects.create(room=room, user=user, **fields)
    return user.pk


def of(room: Room, sender_id: UUID, content: str, client_message_id: str | None = None) -> Draft:
    return Draft(room_id=room.pk, sender_id=sender_id, content=content, client_message_id=client_message_id)


def shown(outcomes: list[Outcome]) -> list[object]:
    return [
        (outcome.message.seq, outcome.duplicate) if isinstance(outcome, Stored) else type(outcome)
        for outcome in outcomes
    ]


@pytest.mark.django_db
def test_batch_when_a_client_id_repeats_then_stores_one(room: Room) -> None:
    ann, ben = join(room, "ann"), join(room, "ben")
    batch = [
        of(room, ann, "a", "k"), of(room, ann, "a", "k"), of(room, ann, "b", "k"), of(room, ben, "b", "k"),
        of(room, ann, "a"), of(room, ann, "a"),
    ]  # fmt: skip
    assert shown(MessageLog().store(batch)) == [
        (1, False), (1, True), Conflict, (2, False), (3, False), (4, False),
    ]  # fmt: skip
    assert Message.objects.filter(room=room).count() == 4


@pytest.mark.django_db
def test_batch_when_it_repeats_a_stored_message_then_compares_each(
    room: Room,
) -> None:
    ann = join(room, "ann")
    log = MessageLog()
    log.store([of(room, ann, "a", "k")])
    again = [of(room, ann, "b", "k"), of(room, ann, "a", "k"), of(room, ann, "new"), of(room, ann, "b", "k")]
    assert shown(log.store(again)) == [Conflict, (1, True), (2, False), Conflict]


@pytest.mark.django_db
def test_batch_when_some_may_not_write_then_the_rest_has_no_gap(room: Room) -> None:
    ann = join(room, "ann")
    muted = join(room, "ben", muted_until=from_timestamp(4_000_000_000))
    stranger = uuid4()
    batch = [of(room, stranger, "x"), of(room, ann, "one"), of(room, muted, "x"), of(room, ann, "two")]
    assert shown(MessageLog().store(batch)) == [NotFound, (1, False), Muted, (2, False)]


@pytest.mark.django_db
def test_log_when_another_process_was_faster_then_continues_after_it(room: Room) -> None:
    ann = join(room, "ann")
    one, other = MessageLog(), MessageLog()
    assert shown(one.store([of(room, ann, "1")])) == [(1, False)]
    assert shown(other.store([of(room, ann, "2", "k"), of(room, ann, "3")])) == [(2, False), (3, False)]
    assert shown(one.store([of(room, ann, "4"), of(room, ann, "2", "k"), of(room, ann, "5")])) == [
        (4, False), (2, True), (5, False),
    ]  # fmt: skip
    assert list(Message.objects.filter(room=room).order_by("seq").values_list("seq", flat=True)) == [
        1,
        2,
        3,
        4,
        5,
    ]
    pending_marks.write()
    room.refresh_from_db()
    assert room.last_seq == 5


@pytest.mark.django_db
def test_log_when_the_cached_head_is_behind_then_reads_the_log(room: Room) -> None:
    ann = join(room, "ann")
    MessageLog().store([of(room, ann, "1"), of(room, ann, "2")])
    Room.objects.filter(pk=room.pk).update(last_seq=0)
    assert shown(MessageLog().store([of(room, ann, "3")])) == [(3, False)]


@pytest.mark.django_db
def test_batch_when_stored_twice_then_is_in_the_log_once(room: Room) -> None:
    ann = join(room, "ann")
    log, batch = MessageLog(), [of(room, join(room, "ben"), "1"), of(room, ann, "2", "k")]
    first = log.store(batch)
    assert [one.message.pk for one in log.store(batch) if isinstance(one, Stored)] == [
        one.message.pk for one in first if isinstance(one, Stored)
    ]
    assert Message.objects.filter(room=room).count() == 2


@pytest.mark.django_db
def test_batch_when_the_clock_went_back_then_times_do_not(room: Room) -> None:
    """For a room alone and for several: their ends are read by different queries."""
    ann = join(room, "ann")
    rooms = [room, Room.objects.create(name="y"), Room.objects.create(name="z")]
    later = from_timestamp(4_000_000_000)
    for one in rooms:
        if one != room:
            Membership.objects.create(room=one, user_id=ann)
        MessageLog().store([of(one, ann, "written when the clock was fast")])
        Message.objects.filter(room=one).update(created_at=later)
    # Behind its cached head, as a crash of a process leaves a room where there are no transactions.
    Room.objects.filter(pk=rooms[2].pk).update(last_seq=0)
    Room.objects.exclude(pk=rooms[2].pk).update(last_activity_at=later)
    log = MessageLog()
    log.store([of(room, ann, "1"), of(room, ann, "2")])
    log.store([of(one, ann, "3") for one in rooms])
    log.store([of(one, ann, "4") for one in rooms])
    times = Message.objects.order_by("room", "seq").values_list("created_at", flat=True)
    assert list(times) == [later] * 11
