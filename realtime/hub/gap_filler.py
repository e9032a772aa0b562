"""GapFiller: fetches frames that the channel layer lost from the topics' logs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from foundation import loop
from realtime import metrics
from realtime.wire.frames import Frame

from .ordering import TopicOrder
from .topic_orders import TopicOrders

logger = logging.getLogger(__name__)

# A message of another process is late far more often than lost.
GRACE_SECONDS = 0.1
CHECK_SECONDS = 4.0
CHECK_TOPICS_AT_ONCE = 200
EXACT_TOPICS_EACH_CHECK = 100
CACHED_TOPICS_EACH_CHECK = 10_000
FETCH_FRAMES_AT_ONCE = 200
FETCHES_AT_ONCE = 4
FETCH_TIMEOUT_SECONDS = 5.0
# Clients fill larger gaps themselves, by `resume` and history.
MAX_GAP = 1_000
# After this many fetches in a row without progress a gap is given up.
EMPTY_FETCHES = 5


class TopicLog(Protocol):
    """The source of missing frames. Each method may raise, and is called again later."""

    async def heads(self, topics: list[str]) -> dict[str, int]:
        """The highest seq of each topic that has a log, from the cached column. After a crash the true head may be
        higher."""

    async def exact_heads(self, topics: list[str]) -> dict[str, int]:
        """The same, read from each log itself."""

    async def frames(self, topic: str, first_seq: int, last_seq: int) -> list[Frame]:
        """The log's frames from `first_seq` to `last_seq`, in order."""


class Turn:
    """Gives out a list `size` items at a time, and begins again at its end. The list may change meanwhile."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._start = 0

    def of(self, items: list[str]) -> list[str]:
        start = self._start if self._start < len(items) else 0
        self._start = start + self._size
        return items[start : self._start]


class GapFiller:
    """`deliver(topic, frames)` gets frames that are ready. Each topic with a gap has a task of its own; one more
    compares positions with the logs' heads every CHECK_SECONDS."""

    def __init__(
        self, log: TopicLog, orders: TopicOrders, deliver: Callable[[str, list[Frame]], None]
    ) -> None:
        self._log = log
        self._orders = orders
        self._deliver = deliver
        self._fillers: dict[str, asyncio.Task[None]] = {}
        self._checker: asyncio.Task[None] | None = None
        self._fetches = asyncio.Semaphore(FETCHES_AT_ONCE)

    def start(self) -> None:
        if self._checker is None:
            self._checker = loop.spawn(self._check(), name="hub-head-check")

    async def stop(self) -> None:
        await loop.cancel(*self._fillers.values(), self._checker)

    def fill(self, topic: str) -> None:
        """Fill the gap in `topic`, by a late message or from the log; returns at once."""
        if topic not in self._fillers:
            self._fillers[topic] = loop.spawn(self._fill(topic), name="hub-gap-filler")

    async def _fill(self, topic: str) -> None:
        empty = 0
        try:
            while (order := self._order_with_gap(topic)) is not None:
                position, head = order.position, order.head
                await asyncio.sleep(GRACE_SECONDS)
                if (order := self._order_with_gap(topic)) is None or order.position != position:
                    # The message was only late.
                    continue
                filled = await self._fetch(topic, order, head)
                empty = 0 if filled else empty + 1
                if empty >= EMPTY_FETCHES:
                    logger.error("the log has no messages for a gap in %s", topic)
                    self._skip(topic)
        finally:
            del self._fillers[topic]

    async def _fetch(self, topic: str, order: TopicOrder, head: int) -> bool:
        """Fetch everything after the position up to `head`. False if that brought no progress.

        Messages that have come meanwhile are fetched too. After an outage every second message of a busy room may
        be missing, and one fetch for each gap would never catch up.
        """
        position = order.position
        while (gap := order.gap) is not None and gap[0] <= head:
            if gap[1] - gap[0] >= MAX_GAP:
                self._skip(topic)
                return True
            last_seq = min(head, gap[0] + FETCH_FRAMES_AT_ONCE - 1)
            try:
                async with self._fetches, asyncio.timeout(FETCH_TIMEOUT_SECONDS):
                    frames = await self._log.frames(topic, gap[0], last_seq)
            except Exception:
                logger.warning("a gap in %s could not be filled yet", topic, exc_info=True)
                await asyncio.sleep(CHECK_SECONDS / 2)
                # The database is away. That says nothing about the messages.
                return True
            if self._orders.get(topic) is not order:
                # The topic has lost its subscribers meanwhile, and may have new ones.
                return True
            self._deliver(topic, order.fill(frames))
            if order.gap == gap:
                break
            metrics.REPAIRED.inc()
        return order.position != position

    def _order_with_gap(self, topic: str) -> TopicOrder | None:
        """The topic's order, while it has a gap and a subscriber."""
        order = self._orders.get(topic)
        return order if order is not None and order.has_gap else None

    def _skip(self, topic: str) -> None:
        if (order := self._orders.get(topic)) is not None:
            self._deliver(topic, order.skip())

    async def _check(self) -> None:
        """Compare positions with the heads of the logs, because the loss of the last message leaves no gap.

        A process may die before it updates the cached head, and then only the log itself shows the message. Each
        check reads the logs of some topics, in turn: reading ten thousand of them would take all of its time. The
        cached heads are read in turn as well, of more topics.
        """
        exact_turn, cached_turn = Turn(EXACT_TOPICS_EACH_CHECK), Turn(CACHED_TOPICS_EACH_CHECK)
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            topics = self._orders.with_position()
            exact, cached = exact_turn.of(topics), cached_turn.of(topics)
            try:
                await self._compare(self._log.exact_heads, exact)
                if len(exact) < len(topics):
                    for start in range(0, len(cached), CHECK_TOPICS_AT_ONCE):
                        await self._compare(self._log.heads, cached[start : start + CHECK_TOPICS_AT_ONCE])
            except Exception:
                logger.warning("the heads of the logs could not be read", exc_info=True)

    async def _compare(
        self, ask: Callable[[list[str]], Awaitable[dict[str, int]]], topics: list[str]
    ) -> None:
        async with asyncio.timeout(FETCH_TIMEOUT_SECONDS):
            heads = await ask(topics)
        for topic, head in heads.items():
            self._note_head(topic, head)

    def _note_head(self, topic: str, head: int) -> None:
        order = self._orders.get(topic)
        if order is not None:
            self._deliver(topic, order.note_head(head))
            if order.has_gap:
                self.fill(topic)
