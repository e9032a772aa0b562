"""The writer and the log by themselves: what no client can bring about. About two seconds."""

import asyncio
import logging
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from accounts.models import User
from foundation.errors import Conflict, Muted, NotFound, Overloaded, Unavailable
from foundation.times import from_timestamp
from messaging.drafts import Draft, Outcome, Stored
from messaging.log import MessageLog
from messaging.models import Message
from messaging.writer import MessageWriter
from rooms.marks import pending_marks
from rooms.models import Membership, Room
from tests.kit.waiting import until

ANSWER_SECONDS = 10.0  # for an answer that has to come at all


def draft(content: str = "x") -> Draft:
    return Draft(room_id=uuid4(), sender_id=uuid4(), content=content)


def stored_as(one: Draft, *, duplicate: bool = False) -> Stored:
    return Stored(Message(id=one.id, content=one.content), Room(), duplicate=duplicate)


class Store:
    """Stores when it is let go; keeps the batches it was given."""

    def __init__(self) -> None:
        self.started, self.go = asyncio.Event(), asyncio.Event()
        self.batches: list[list[Draft]] = []
        self.failure: Exception | None = None

    async def __call__(self, drafts: list[Draft]) -> list[Outcome]:
        self.batches.append(drafts)
        self.started.set()
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        return [stored_as(one) for one in drafts]


async def test_append_when_the_queue_is_full_then_is_overloaded_and_the_rest_is_stored() -> None:
    store, told = Store(), list[Stored]()
    writer = MessageWriter(store, told.extend, max_queue=2, max_batch=1)
    first = asyncio.create_task(writer.append(draft("0")))
    await store.started.wait()
    waiting = [asyncio.create_task(writer.append(draft(str(n)))) for n in (1, 2)]
    await until(lambda: not writer.accepts(), "the queue is full")
    with pytest.raises(Overloaded):
        await writer.append(draft("too much"))
    store.go.set()
    await asyncio.gather(first, *waiting)
    assert [one.message.content for one in told] == ["0", "1", "2"]
    assert writer.accepts()


async def test_append_when_a_batch_is_under_way_then_the_next_holds_all_that_came_meanwhile() -> None:
    store = Store()
    writer = MessageWriter(store, lambda batch: None)
    tasks = [asyncio.create_task(writer.append(draft("0")))]
    await store.started.wait()
    tasks += [asyncio.create_task(writer.append(draft(str(n)))) for n in range(1, 6)]
    await asyncio.sleep(0)
    store.go.set()
    await asyncio.gather(*tasks)
    assert [[one.content for one in batch] for batch in store.batches] == [["0"], ["1", "2", "3", "4", "5"]]


@pytest.mark.parametrize("failure", [RuntimeError("x"), TimeoutError(), Unavailable("away")])
async def test_append_when_the_store_fails_then_is_unavailable_and_nothing_is_told(
    failure: Exception,
) -> None:
    store, told = Store(), list[Stored]()
    writer = MessageWriter(store, told.extend)
    store.failure = failure
    store.go.set()
    results = await asyncio.gather(*(writer.append(draft()) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert told == []
    store.failure = None
    assert (await writer.append(draft("after"))).message.content == "after"
    assert [one.message.content for one in told] == ["after"]


async def test_append_when_the_store_hangs_then_is_unavailable_after_the_timeout() -> None:
    writer = MessageWriter(Store(), lambda batch: None, store_timeout_seconds=0.05)
    with pytest.raises(Unavailable, match="not known"):
        await writer.append(draft())


async def test_append_when_the_sender_has_gone_then_the_room_is_told_all_the_same() -> None:
    store, told = Store(), list[Stored]()
    writer = MessageWriter(store, told.extend)
    gone = asyncio.create_task(writer.append(draft("said")))
    await store.started.wait()
    gone.cancel()
    store.go.set()
    await writer.stop()
    assert [one.message.content for one in told] == ["said"]
    with pytest.raises(Overloaded):
        await writer.append(draft("after the stop"))


class BrokenFilter(logging.Filter):
    """A log filter with a bug, as an operator may configure one. It raises for the record of a stored batch."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno == logging.INFO:
            raise RuntimeError("a bug in a filter")
        return True


@pytest.fixture
def broken_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    logger, broken = logging.getLogger("messaging.writer"), BrokenFilter()
    logger.addFilter(broken)
    with caplog.at_level(logging.INFO, "messaging.writer"):
        yield
    logger.removeFilter(broken)


@pytest.mark.usefixtures("broken_log")
async def test_append_when_the_batch_cannot_be_logged_then_sender_and_room_hear() -> None:
    store, told = Store(), list[Stored]()
    writer = MessageWriter(store, told.extend)
    store.go.set()
    async with asyncio.timeout(ANSWER_SECONDS):
        answers = await asyncio.gather(*(writer.append(draft(str(n))) for n in range(2)))
    assert [one.message.content for one in answers] == ["0", "1"]
    assert [one.message.content for one in told] == ["0", "1"]


async def test_append_when_the_store_gives_too_few_outcomes_then_is_unavailable() -> None:
    async def forgetful(drafts: list[Draft]) -> list[Outcome]:
        return [stored_as(one) for one in drafts[1:]]

    writer = MessageWriter(forgetful, lambda batch: None)
    async with asyncio.timeout(ANSWER_SECONDS):
        results = await asyncio.gather(*(writer.append(draft()) for _ in range(2)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 2


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
def test_batch_with_repeats_of_one_client_id_then_stores_one_and_judges_each_repeat(room: Room) -> None:
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
def test_batch_with_a_false_and_a_true_repeat_of_a_stored_message_then_each_gets_its_own_answer(
    room: Room,
) -> None:
    ann = join(room, "ann")
    log = MessageLog()
    log.store([of(room, ann, "a", "k")])
    again = [of(room, ann, "b", "k"), of(room, ann, "a", "k"), of(room, ann, "new"), of(room, ann, "b", "k")]
    assert shown(log.store(again)) == [Conflict, (1, True), (2, False), Conflict]


@pytest.mark.django_db
def test_batch_with_strangers_and_muted_then_stores_the_rest_without_a_hole(room: Room) -> None:
    ann = join(room, "ann")
    muted = join(room, "ben", muted_until=from_timestamp(4_000_000_000))
    stranger = uuid4()
    batch = [of(room, stranger, "x"), of(room, ann, "one"), of(room, muted, "x"), of(room, ann, "two")]
    assert shown(MessageLog().store(batch)) == [NotFound, (1, False), Muted, (2, False)]


@pytest.mark.django_db
def test_log_when_another_process_was_faster_then_goes_on_behind_it(room: Room) -> None:
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
def test_log_when_the_rooms_hint_lags_behind_then_goes_by_the_log(room: Room) -> None:
    ann = join(room, "ann")
    MessageLog().store([of(room, ann, "1"), of(room, ann, "2")])
    Room.objects.filter(pk=room.pk).update(last_seq=0)
    assert shown(MessageLog().store([of(room, ann, "3")])) == [(3, False)]


@pytest.mark.django_db
def test_batch_that_got_in_before_its_answer_was_lost_then_is_found_and_not_stored_twice(room: Room) -> None:
    ann = join(room, "ann")
    log, batch = MessageLog(), [of(room, join(room, "ben"), "1"), of(room, ann, "2", "k")]
    first = log.store(batch)
    assert [one.message.pk for one in log.store(batch) if isinstance(one, Stored)] == [
        one.message.pk for one in first if isinstance(one, Stored)
    ]
    assert Message.objects.filter(room=room).count() == 2
