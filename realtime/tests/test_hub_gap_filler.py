"""GapFiller: missing frames come from the log, in order; a gap that the log cannot fill is given up."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from foundation import loop
from realtime.hub import gap_filler as module
from realtime.hub.gap_filler import EMPTY_FETCHES, MAX_GAP, GapFiller, Turn
from realtime.hub.ordering import TopicOrder
from realtime.hub.topic_orders import TopicOrders
from realtime.wire.frames import Frame
from tests.kit.waiting import until

pytestmark = pytest.mark.once  # the log is in memory


class Log:
    """A TopicLog in memory with the seqs 1 to `head`, except the `missing` ones; it raises the `errors` first."""

    def __init__(self) -> None:
        self.head = 0
        self.missing: set[int] = set()
        self.errors: list[Exception] = []
        self.fetches: list[tuple[int, int]] = []

    async def heads(self, topics: list[str]) -> dict[str, int]:
        return dict.fromkeys(topics, self.head)

    async def exact_heads(self, topics: list[str]) -> dict[str, int]:
        return dict.fromkeys(topics, self.head)

    async def frames(self, topic: str, first_seq: int, last_seq: int) -> list[Frame]:
        self.fetches.append((first_seq, last_seq))
        if self.errors:
            raise self.errors.pop()
        seqs = range(first_seq, min(last_seq, self.head) + 1)
        return [Frame(b"", seq=seq) for seq in seqs if seq not in self.missing]


class Filling:
    """A GapFiller with one topic, `room`, and the seqs that it delivered."""

    def __init__(self) -> None:
        self.log = Log()
        self.orders = TopicOrders()
        self.orders.open("room")
        self.delivered: list[int | None] = []
        self.filler = GapFiller(self.log, self.orders, self._deliver)
        self.order.note_head(0)

    @property
    def order(self) -> TopicOrder:
        order = self.orders.get("room")
        assert order is not None
        return order

    def _deliver(self, topic: str, frames: list[Frame]) -> None:
        self.delivered += [frame.seq for frame in frames]

    def receive(self, seq: int) -> None:
        """A frame comes from the layer; the log has everything up to there."""
        self.log.head = max(self.log.head, seq)
        self._deliver("room", self.order.accept(Frame(b"", seq=seq)))
        if self.order.has_gap:
            self.filler.fill("room")

    async def until_filled(self) -> None:
        await until(lambda: not self.order.has_gap, "the gap is filled")


@pytest.fixture
async def filling(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Filling]:
    loop.adopt()
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.001)
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.002)
    filling = Filling()
    yield filling
    await filling.filler.stop()


async def test_gap_when_frames_are_missing_then_they_come_from_the_log(filling: Filling) -> None:
    for seq in (1, 4, 6):
        filling.receive(seq)
    await filling.until_filled()
    assert filling.delivered == [1, 2, 3, 4, 5, 6]


async def test_gap_when_the_frame_was_only_late_then_nothing_is_fetched(filling: Filling) -> None:
    filling.receive(2)
    filling.receive(1)
    await until(lambda: not filling.filler._fillers, "the filler has ended")
    assert (filling.delivered, filling.log.fetches) == ([1, 2], [])


async def test_gap_when_the_log_fails_then_is_asked_again(
    filling: Filling, caplog: pytest.LogCaptureFixture
) -> None:
    filling.log.errors = [OSError("away")]
    filling.receive(2)
    await filling.until_filled()
    assert filling.delivered == [1, 2]
    assert "a gap in room could not be filled yet" in caplog.messages


async def test_gap_when_the_log_lacks_the_seq_then_is_given_up(
    filling: Filling, caplog: pytest.LogCaptureFixture
) -> None:
    filling.log.missing = {1}
    filling.receive(2)
    await filling.until_filled()
    assert filling.delivered == [2]
    assert len(filling.log.fetches) == EMPTY_FETCHES
    assert "the log has no messages for a gap in room" in caplog.messages


async def test_gap_when_larger_than_clients_may_ask_for_then_is_skipped(filling: Filling) -> None:
    filling.receive(MAX_GAP + 2)
    await filling.until_filled()
    assert (filling.delivered, filling.log.fetches) == ([MAX_GAP + 2], [])


async def test_gap_when_the_topic_loses_its_subscribers_then_filling_ends(filling: Filling) -> None:
    filling.receive(2)
    filling.orders.close("room")
    await until(lambda: not filling.filler._fillers, "the filler has ended")
    assert filling.delivered == []


async def test_check_when_the_last_frame_was_lost_then_it_is_fetched(filling: Filling) -> None:
    filling.receive(1)
    filling.log.head = 3
    filling.filler.start()
    await until(lambda: filling.delivered == [1, 2, 3], "the lost frames are delivered")


async def test_stop_when_a_fetch_waits_then_no_task_is_left(filling: Filling) -> None:
    filling.filler.start()
    filling.receive(2)
    await filling.filler.stop()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hub-")]


def test_turn_when_the_list_is_long_then_each_item_has_its_turn() -> None:
    turn, items = Turn(2), ["a", "b", "c", "d", "e"]
    assert [turn.of(items) for _ in range(4)] == [["a", "b"], ["c", "d"], ["e"], ["a", "b"]]
    # Topics come and go meanwhile.
    assert [turn.of(items[:2]), turn.of(items[:1]), turn.of([])] == [["a", "b"], ["a"], []]


async def test_check_when_topics_are_many_then_each_is_compared_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(module, "EXACT_TOPICS_EACH_CHECK", 1)
    monkeypatch.setattr(module, "CACHED_TOPICS_EACH_CHECK", 2)
    log, orders, delivered = Log(), TopicOrders(), set[str]()
    topics = [f"room {number}" for number in range(7)]
    for topic in topics:
        orders.open(topic)
        order = orders.get(topic)
        assert order is not None
        order.note_head(0)
    log.head = 1
    filler = GapFiller(log, orders, lambda topic, frames: delivered.add(topic) if frames else None)
    filler.start()
    try:
        await until(lambda: delivered == set(topics), "every topic was compared with its log")
    finally:
        await filler.stop()
