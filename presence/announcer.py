"""Announces changes in their order for each user, many users together, again while the database is away.

Knows a queue and a function that announces; must not know Redis, rooms or who is told.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from realtime import loop
from realtime.errors import Unavailable
from realtime.outage import REDIS_AWAY

from .events import Change

logger = logging.getLogger(__name__)

USERS_AT_ONCE = 50
MAX_WAITING = 20_000
RETRY_SECONDS = 1.0


class Announcer:
    """`add` never waits. A change is kept until it is announced, since a store may give it to nobody else.

    `announce` takes changes of distinct users, is safe to repeat, and costs little more for many than for one.
    """

    def __init__(
        self, announce: Callable[[list[Change]], Awaitable[None]], *, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._announce = announce
        self._retry_seconds = retry_seconds
        self._waiting: deque[Change] = deque()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def busy(self) -> bool:
        """It has more than it tells at once: other processes should take what else there is."""
        return len(self._waiting) > USERS_AT_ONCE

    def add(self, change: Change) -> None:
        if len(self._waiting) >= MAX_WAITING:
            logger.error("too many presence changes wait; one of %s is not told", change.user_id)
            return
        self._waiting.append(change)
        if self._task is None:
            self._task = loop.spawn(self._run(), name="presence-announcer")

    async def drain(self) -> None:
        """Wait until all that was added is announced."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        self._stopping = True  # a call to Redis may swallow the cancellation, see Heartbeat.stop
        await loop.cancel(self._task)

    async def _run(self) -> None:
        try:
            while self._waiting and not self._stopping:
                if again := await self._try(self._next_batch()):
                    self._waiting.extendleft(reversed(again))
                    await asyncio.sleep(0 if self._stopping else self._retry_seconds)
        finally:
            self._task = None

    def _next_batch(self) -> list[Change]:
        """The oldest changes, of distinct users: two of the same user keep their order."""
        batch = [self._waiting.popleft()]
        users = {batch[0].user_id}
        while self._waiting and len(batch) < USERS_AT_ONCE and self._waiting[0].user_id not in users:
            users.add(self._waiting[0].user_id)
            batch.append(self._waiting.popleft())
        return batch

    async def _try(self, batch: list[Change]) -> list[Change]:
        """Those that are worth another try."""
        try:
            await self._announce(batch)
        except (Unavailable, *REDIS_AWAY) as error:
            logger.warning("presence of %d users is told later: %s", len(batch), error)
            return batch
        except Exception:
            if len(batch) > 1:  # one of them is at fault; the others are to be told
                return [again for change in batch for again in await self._try([change])]
            logger.exception("presence of %s could not be told", batch[0].user_id)
        return []
