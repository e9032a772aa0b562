"""Drainer: a bounded queue whose items one task handles in batches.

For work that costs little more for many items than for one: a commit, a round trip, a publish. Not for work that
repeats by time (heartbeats, reconcilers) or belongs to one connection.
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

# An item, and the future of its answer if somebody waits for it.
_Entry = tuple[Item, asyncio.Future[Answer] | None]


class Interrupted(Unavailable):
    """The task ended before it had the answer. The item may have been handled or not."""


class Drainer(Generic[Item, Answer]):
    """While one batch is handled, the items that arrive form the next one, in their order.

    `work(items)` returns one answer for each item, or None if no item has an answer. An exception among the
    answers is raised to the caller of that item's `ask`. If `work` raises, takes longer than `timeout_seconds` or
    returns a wrong number of answers, the error is logged and raised to every caller of the batch. Without
    `timeout_seconds` the work has to limit its own time.

    A batch has at most `max_batch` items and ends with the item that reaches `max_batch_bytes`. The task is
    started when an item arrives, and runs in an empty context. All methods are called on the process's loop.
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

    def accepts(self) -> bool:
        return not self._stopping and len(self._queue) < self._max_items

    def add(self, item: Item) -> bool:
        """Queue an item that needs no answer. Returns False if the queue is full or stopped."""
        return self._put(item, None)

    async def ask(self, item: Item, *, timeout_seconds: float | None = None) -> Answer:
        """Queue an item and wait for its answer. Raises Overloaded if the queue is full or stopped.

        Raises TimeoutError after `timeout_seconds`, which include the wait for earlier batches. The item is
        handled even if its caller was cancelled or timed out meanwhile.
        """
        running = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = running.create_future()
        if not self._put(item, answer):
            raise Overloaded
        if timeout_seconds is None:
            return await answer
        # This runs for each message. asyncio.timeout costs 4 us here, a timer 0.7 us.
        timer = running.call_later(timeout_seconds, _give, [(item, answer)], [TimeoutError()])
        try:
            return await answer
        finally:
            timer.cancel()

    def __len__(self) -> int:
        """The number of waiting items, without those of the current batch."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        return self._task is None or self._task.done()

    async def join(self) -> None:
        """Wait until all items that were added so far are handled."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Accept no more items, and return when the queued ones are handled.

        If this is cancelled, for example by a timeout, the callers that still wait get Interrupted.
        """
        self._stopping = True
        try:
            await self.join()
        finally:
            self._abandon()

    async def cancel(self) -> None:
        """Accept no more items, interrupt the current batch, and answer all waiting callers with Interrupted."""
        self._stopping = True
        self._abandon()
        # Repeated, because asyncio.wait_for of Python 3.11, which redis-py uses, can swallow a cancellation.
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_AGAIN_SECONDS)

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
            # The answers if the task is cancelled.
            answers: Sequence[Any] = [Interrupted()] * len(batch)
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
        """One answer for each item, even if the work fails. Raises only if the task is cancelled."""
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
            # This CancelledError comes from a library and not from our task: it must not cancel the callers.
            return [error if isinstance(error, Exception) else Interrupted()] * len(items)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Answer the items of a task that was cancelled, perhaps before its first step."""
        # An item that arrived since may have started another task, which goes on with the queue.
        if task is self._task:
            self._abandon()

    def _abandon(self) -> None:
        """Answer all waiting callers with Interrupted, and end the task."""
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
