"""The writer by itself: batches, failures and senders that leave. Takes about two seconds."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from foundation import loop, times
from foundation.database import run_db
from foundation.errors import Overloaded, Unavailable
from messaging.drafts import Draft, Outcome, Stored, as_message
from messaging.log.message_log import MessageLog
from messaging.services.writer import MessageWriter
from realtime.hub.hub import get_hub
from rooms.marks import Head, pending_marks
from rooms.models import Room
from rooms.topics import room_topic
from tests.kit.connections import Peer, connect
from tests.kit.waiting import until

ANSWER_SECONDS = 10.0  # for an answer that has to come at all


class HeldLog(MessageLog):
    """A log in memory. It stores a batch once it is released, and keeps the batches that it was given."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self.room, self.head = room, 0
        self.started, self.released = threading.Event(), threading.Event()
        self.batches: list[list[Draft]] = []
        self.failure: Exception | None = None

    def store(self, drafts: list[Draft]) -> list[Outcome]:
        self.batches.append(drafts)
        self.started.set()
        assert self.released.wait(ANSWER_SECONDS)
        if self.failure is not None:
            raise self.failure
        return [self._stored(draft) for draft in drafts]

    def _stored(self, draft: Draft) -> Stored:
        self.head += 1
        return Stored(as_message(draft, id=draft.id, seq=self.head), self.room, duplicate=False)

    async def wait_until_started(self) -> None:
        await until(self.started.is_set, "a batch is being stored")


class ForgetfulLog(HeldLog):
    """A log with a bug: it returns too few outcomes."""

    def store(self, drafts: list[Draft]) -> list[Outcome]:
        return super().store(drafts)[1:]


class PartialLog(HeldLog):
    """A log without transactions that fails after it has stored a message: the marks are pending."""

    def store(self, drafts: list[Draft]) -> list[Outcome]:
        pending_marks.add({self.room.pk: Head(1, uuid4(), times.now())}, {})
        raise Unavailable("away")


@dataclass
class Member:
    """A connection that is subscribed to a room."""

    room: Room
    peer: Peer

    def draft(self, content: str = "x", **fields: object) -> Draft:
        return Draft(room_id=self.room.pk, sender_id=uuid4(), content=content, **fields)  # type: ignore[arg-type]

    async def received(self) -> list[str]:
        """The contents of the messages that the room got."""
        await get_hub().flush()
        frames = [json.loads(payload) for payload in self.peer.payloads]
        assert {frame["event"] for frame in frames} <= {"message:receive"}
        return [frame["data"]["content"] for frame in frames]


@pytest.fixture
async def member() -> AsyncIterator[Member]:
    loop.adopt()
    room = Room()
    connection, peer = await connect(get_hub(), uuid4())
    get_hub().subscribe(connection, room_topic(room.pk))
    get_hub().note_head(room_topic(room.pk), 0)
    yield Member(room, peer)
    await loop.stop()


@pytest.fixture
def log(member: Member) -> Iterator[HeldLog]:
    log = HeldLog(member.room)
    yield log
    log.released.set()  # a thread that still waits would keep its place in the pool


async def test_append_when_the_queue_is_full_then_only_the_rest_is_stored(
    member: Member, log: HeldLog
) -> None:
    writer = MessageWriter(log, max_queue=2, max_batch=1)
    first = asyncio.create_task(writer.append(member.draft("0")))
    await log.wait_until_started()
    waiting = [asyncio.create_task(writer.append(member.draft(str(n)))) for n in (1, 2)]
    await until(lambda: not writer.accepts(), "the queue is full")
    with pytest.raises(Overloaded):
        await writer.append(member.draft("too much"))
    log.released.set()
    await asyncio.gather(first, *waiting)
    assert await member.received() == ["0", "1", "2"]
    assert writer.accepts()


async def test_append_when_a_batch_is_under_way_then_the_next_has_all_others(
    member: Member, log: HeldLog
) -> None:
    writer = MessageWriter(log)
    tasks = [asyncio.create_task(writer.append(member.draft("0")))]
    await log.wait_until_started()
    tasks += [asyncio.create_task(writer.append(member.draft(str(n)))) for n in range(1, 6)]
    await asyncio.sleep(0)  # one turn of the loop, in which the tasks begin
    log.released.set()
    await asyncio.gather(*tasks)
    assert [[one.content for one in batch] for batch in log.batches] == [["0"], ["1", "2", "3", "4", "5"]]


@pytest.mark.parametrize("failure", [RuntimeError("x"), TimeoutError(), Unavailable("away")])
async def test_append_when_the_log_fails_then_is_unavailable_and_unpublished(
    member: Member, log: HeldLog, failure: Exception
) -> None:
    writer = MessageWriter(log)
    log.failure = failure
    log.released.set()
    results = await asyncio.gather(*(writer.append(member.draft()) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert await member.received() == []
    log.failure = None
    assert (await writer.append(member.draft("after"))).message.content == "after"
    assert await member.received() == ["after"]


async def test_append_when_the_log_fails_in_between_then_marks_are_written(transactional_db: Any) -> None:
    # Without a connection there is no hub, whose check of the heads writes pending marks too.
    loop.adopt()
    room = Room()
    await run_db(room.save)
    with pytest.raises(Unavailable):
        await MessageWriter(PartialLog(room)).append(Draft(room.pk, uuid4(), "x"))
    await until(lambda: not pending_marks, "the marks are written")
    await loop.stop()


async def test_append_when_the_log_hangs_then_is_unavailable_after_the_timeout(
    member: Member, log: HeldLog
) -> None:
    writer = MessageWriter(log, store_timeout_seconds=0.05)
    with pytest.raises(Unavailable, match="not known"):
        await writer.append(member.draft())


async def test_append_when_the_sender_has_gone_then_the_room_gets_the_message(
    member: Member, log: HeldLog
) -> None:
    writer = MessageWriter(log)
    gone = asyncio.create_task(writer.append(member.draft("said")))
    await log.wait_until_started()
    gone.cancel()
    log.released.set()
    await writer.stop()
    assert await member.received() == ["said"]
    with pytest.raises(Overloaded):
        await writer.append(member.draft("after the stop"))


class BrokenFilter(logging.Filter):
    """A log filter with a bug, as an operator may configure one. It raises for the record of a stored batch."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno == logging.INFO:
            raise RuntimeError("a bug in a filter")
        return True


@pytest.fixture
def broken_filter(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    logger, broken = logging.getLogger("messaging.services.writer"), BrokenFilter()
    logger.addFilter(broken)
    with caplog.at_level(logging.INFO, logger.name):
        yield
    logger.removeFilter(broken)


@pytest.mark.usefixtures("broken_filter")
async def test_append_when_logging_fails_then_sender_and_room_get_the_message(
    member: Member, log: HeldLog, caplog: pytest.LogCaptureFixture
) -> None:
    writer = MessageWriter(log)
    log.released.set()
    async with asyncio.timeout(ANSWER_SECONDS):
        answers = await asyncio.gather(*(writer.append(member.draft(str(n))) for n in range(2)))
    assert [one.message.content for one in answers] == ["0", "1"]
    assert await member.received() == ["0", "1"]
    assert "a batch could not be counted, traced or logged" in caplog.messages


async def test_append_when_publishing_fails_then_the_sender_gets_the_message(
    member: Member, log: HeldLog, caplog: pytest.LogCaptureFixture
) -> None:
    writer = MessageWriter(log)
    log.released.set()
    async with asyncio.timeout(ANSWER_SECONDS):
        answer = await writer.append(member.draft("x", meta={"not JSON": object()}))
    assert answer.message.content == "x"
    assert "a stored batch could not be published" in caplog.messages
    assert await member.received() == []


async def test_append_when_outcomes_are_too_few_then_is_unavailable(member: Member) -> None:
    log = ForgetfulLog(member.room)
    writer = MessageWriter(log)
    log.released.set()
    async with asyncio.timeout(ANSWER_SECONDS):
        results = await asyncio.gather(
            *(writer.append(member.draft()) for _ in range(2)), return_exceptions=True
        )
    assert [type(result) for result in results] == [Unavailable] * 2
