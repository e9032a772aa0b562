"""Holes in the topics' order, filled from the log: the layer may lose a message, the log does not.

Knows orders and a log to ask; must not know whose log it is, connections, or the layer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from . import loop, metrics
from .frames import Frame
from .ordering import TopicOrder

logger = logging.getLogger(__name__)

GRACE_SECONDS = 0.1  # another process's message is late far more often than lost
CHECK_SECONDS = 4.0
CHECK_TOPICS_AT_ONCE = 200
EXACT_TOPICS_EACH_CHECK = 100
FETCH_FRAMES_AT_ONCE = 200
FETCHES_AT_ONCE = 4
FETCH_TIMEOUT_SECONDS = 5.0
MAX_HOLE = 1_000  # more than that clients ask for themselves, by resume and history
EMPTY_FETCHES = 5


class TopicLog(Protocol):
    """What the frames with a seq are repaired from. Both may raise; they are asked again."""

    async def heads(self, topics: list[str]) -> dict[str, int]:
        """The highest seq of each topic that has a log, cheaply for many topics: after a crash it may be higher."""

    async def exact_heads(self, topics: list[str]) -> dict[str, int]:
        """The same by a look into each log."""

    async def frames(self, topic: str, first_seq: int, last_seq: int) -> list[Frame]:
        """The log's frames from `first_seq` to `last_seq`, in order."""


class Repairer:
    """`hand_on(topic, frames)` takes what became ready. One task for each topic with a hole, one for the check."""

    def __init__(
        self, log: TopicLog, orders: dict[str, TopicOrder], hand_on: Callable[[str, list[Frame]], None]
    ) -> None:
        self._log = log
        self._orders = orders
        self._hand_on = hand_on
        self._menders: dict[str, asyncio.Task[None]] = {}
        self._checker: asyncio.Task[None] | None = None
        self._fetches = asyncio.Semaphore(FETCHES_AT_ONCE)

    def start(self) -> None:
        if self._checker is None:
            self._checker = asyncio.create_task(self._check(), name="hub-head-check")

    async def stop(self) -> None:
        await loop.cancel(*self._menders.values(), self._checker)

    def mend(self, topic: str) -> None:
        """See to it that the hole in `topic` is filled, by a late message or from the log."""
        if topic not in self._menders:
            self._menders[topic] = asyncio.create_task(self._mend(topic), name="hub-mender")

    async def _mend(self, topic: str) -> None:
        empty = 0
        try:
            while (order := self._broken(topic)) is not None:
                position, head = order.position, order.head
                await asyncio.sleep(GRACE_SECONDS)
                if (order := self._broken(topic)) is None or order.position != position:
                    continue  # it was only late
                filled = await self._fill(topic, order, head)
                empty = 0 if filled else empty + 1
                if empty >= EMPTY_FETCHES:
                    logger.error("the log has no messages for a hole in %s", topic)
                    self._skip(topic)
        finally:
            del self._menders[topic]

    async def _fill(self, topic: str, order: TopicOrder, head: int) -> bool:
        """Fetch what follows the position up to `head`, with what came meanwhile: after an outage every second
        message of a busy room may be missing, and a fetch for each would never catch up. False for no progress."""
        position = order.position
        while (hole := order.hole) is not None and hole[0] <= head:
            if hole[1] - hole[0] >= MAX_HOLE:
                self._skip(topic)
                return True
            last_seq = min(head, hole[0] + FETCH_FRAMES_AT_ONCE - 1)
            try:
                async with self._fetches, asyncio.timeout(FETCH_TIMEOUT_SECONDS):
                    frames = await self._log.frames(topic, hole[0], last_seq)
            except Exception:
                logger.warning("a hole in %s could not be filled yet", topic, exc_info=True)
                await asyncio.sleep(CHECK_SECONDS / 2)
                return True  # it is the database that is away, not the messages
            if self._orders.get(topic) is not order:
                return True  # nobody listened any more, or somebody does anew
            self._hand_on(topic, order.fill(frames))
            if order.hole == hole:
                break
            metrics.REPAIRED.inc()
        return order.position != position

    def _broken(self, topic: str) -> TopicOrder | None:
        """The topic's order, while something is missing in it and somebody here listens."""
        order = self._orders.get(topic)
        return order if order is not None and order.hole is not None else None

    def _skip(self, topic: str) -> None:
        if (order := self._orders.get(topic)) is not None:
            self._hand_on(topic, order.skip())

    async def _check(self) -> None:
        """A lost last message leaves no hole to be seen: ask the log how far it reaches.

        What only a look into each log would show, a message whose process died before it told anyone, is looked for
        in some topics at each check, by turns: with ten thousand of them it would be all that a process does.
        """
        turn = 0
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            topics = [topic for topic, order in self._orders.items() if order.position is not None]
            turn = turn if turn < len(topics) else 0
            exact = topics[turn : turn + EXACT_TOPICS_EACH_CHECK]
            turn += EXACT_TOPICS_EACH_CHECK
            try:
                await self._compare(self._log.exact_heads, exact)
                if len(exact) < len(topics):
                    for start in range(0, len(topics), CHECK_TOPICS_AT_ONCE):
                        await self._compare(self._log.heads, topics[start : start + CHECK_TOPICS_AT_ONCE])
            except Exception:
                logger.warning("the log could not be asked for its heads", exc_info=True)

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
            self._hand_on(topic, order.note_head(head))
            if order.hole is not None:
                self.mend(topic)
