"""Drainer: a bounded queue that one task works off in batches.

For work that costs little more for many items than for one: a commit, a round trip, a publish. Not for work that
repeats by time (heartbeats, audits) or belongs to one connection.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from . import loop
from .errors import Overloaded, Unavailable

logger = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 0.5

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# An item, and where its answer goes if someone waits for it.
_Entry = tuple[Item, asyncio.Future[Answer] | None]


class Interrupted(Unavailable):
    """The task ended before it had the answer: the item may have been worked off, or not."""


class Drainer(Generic[Item, Answer]):
    """While one batch is worked off, the items that arrive are joined into the next, in their order.

    `work(items)` returns one answer for each item, or None where there is nothing to answer. An exception among the
    answers is raised to the caller of that item's `ask`. If `work` raises, takes longer than `timeout_seconds` or
    returns a wrong number of answers, that is logged and raised to every caller of the batch. Without
    `timeout_seconds` the work has to be bounded by itself, for example because it tries again.

    A batch has at most `max_batch` items and ends with the item that reaches `max_batch_bytes`. The task is started
    on demand, since most of the time there is nothing to do, and runs in an empty context. All methods are called
    on the process's loop.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], Awaitable[Sequence[Answer | Exception] | None]],
        *,
        name: str,
        max_items: int,
        max_batch: int,
        timeout_seconds: float | None = None,
        max_batch_bytes: int | None = None,
        size_bytes: Callable[[Item], int] | None = None,
    ) -> None:
        self._work = work
        self._name = name
        self._max_items = max_items
        self._max_batch = max_batch
        self._timeout_seconds = timeout_seconds
        self._max_batch_bytes = max_batch_bytes
        self._size_bytes = size_bytes
        self._queue: deque[_Entry[Item, Answer]] = deque()
        self._in_flight: list[_Entry[Item, Answer]] = []
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    # --- putting in -----------------------------------------------------------------------------------------

    def accepts(self) -> bool:
        return not self._stopping and len(self._queue) < self._max_items

    def add(self, item: Item) -> bool:
        """Queue an item that needs no answer. False when it was refused: the queue is full or stopped."""
        return self._put(item, None)

    async def ask(self, item: Item, *, timeout_seconds: float | None = None) -> Answer:
        """Queue an item and wait for its answer; raises Overloaded when it was refused.

        TimeoutError after `timeout_seconds`, which include the wait for earlier batches. The item is worked off
        even if its caller has been cancelled or has timed out meanwhile.
        """
        running = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = running.create_future()
        if not self._put(item, answer):
            raise Overloaded
        if timeout_seconds is None:
            return await answer
        # For each message: asyncio.timeout would cost 4 us here, a timer 0.7.
        timer = running.call_later(timeout_seconds, _give, [(item, answer)], [TimeoutError()])
        try:
            return await answer
        finally:
            timer.cancel()

    def __len__(self) -> int:
        """How many items wait, without those of the batch under way."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        return self._task is None or self._task.done()

    # --- ending ---------------------------------------------------------------------------------------------

    async def join(self) -> None:
        """Wait until all that was put in so far is worked off."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Take no more items, and return when those that were taken are worked off.

        If this is cancelled, for example by a timeout, the callers that still wait get Interrupted.
        """
        self._stopping = True
        try:
            await self.join()
        finally:
            self._abandon()

    async def cancel(self) -> None:
        """Take no more items, interrupt the batch under way, and answer everyone who waits with Interrupted."""
        self._stopping = True
        self._abandon()
        # Until it has ended: asyncio.wait_for of Python 3.11, which redis-py uses, may swallow a cancellation.
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_AGAIN_SECONDS)

    # --- inside ---------------------------------------------------------------------------------------------

    def _put(self, item: Item, answer: asyncio.Future[Answer] | None) -> bool:
        if not self.accepts():
            return False
        self._queue.append((item, answer))
        if self.idle:
            self._task = loop.spawn(self._run(), name=self._name)
            self._task.add_done_callback(self._ended)
        return True

    async def _run(self) -> None:
        while self._queue:
            batch = self._in_flight = self._next_batch()
            answers: Sequence[Any] = [Interrupted()] * len(batch)  # in case the task is cancelled
            try:
                answers = await self._answers([item for item, _ in batch])
            finally:
                _give(batch, answers)
                self._in_flight = []

    def _next_batch(self) -> list[_Entry[Item, Answer]]:
        batch: list[_Entry[Item, Answer]] = []
        size_bytes = 0
        while self._queue and len(batch) < self._max_batch:
            entry = self._queue.popleft()
            batch.append(entry)
            if self._max_batch_bytes is not None and self._size_bytes is not None:
                size_bytes += self._size_bytes(entry[0])
                if size_bytes >= self._max_batch_bytes:
                    break
        return batch

    async def _answers(self, items: list[Item]) -> Sequence[Any]:
        """One answer for each item, whatever happens to the work; raises only when the task is cancelled."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answers = await self._work(items)
            if answers is None:
                return [None] * len(items)
            if len(answers) != len(items):
                raise ValueError(f"{len(answers)} answers for {len(items)} items")
            return answers
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            logger.error("%s: a batch of %d items failed", self._name, len(items), exc_info=error)
            # A CancelledError that nobody asked for comes from a library, and must not cancel the callers.
            return [error if isinstance(error, Exception) else Interrupted()] * len(items)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Answer what a task left behind that was cancelled, perhaps before its first step."""
        if (
            task is self._task
        ):  # else an item that came since has started another, which goes on with the queue
            self._abandon()

    def _abandon(self) -> None:
        """Answer everyone who waits with Interrupted, and end the task."""
        waiting = [*self._in_flight, *self._queue]
        self._queue.clear()
        _give(waiting, [Interrupted()] * len(waiting))
        if self._task is not None:
            self._task.cancel()


def _give(entries: Sequence[_Entry[Any, Any]], answers: Sequence[Any]) -> None:
    for (_, future), answer in zip(entries, answers, strict=True):
        if future is None or future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
