"""Announces changes in their order for each user, many users together, again while the database is away.

Knows a queue and a function that announces; must not know Redis, rooms or who is told.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from uuid import UUID

from foundation.drainer import Drainer
from foundation.errors import Unavailable
from foundation.redis.outage import REDIS_AWAY

from .leases import Change

logger = logging.getLogger(__name__)

USERS_AT_ONCE = 50
MAX_WAITING = 20_000
RETRY_SECONDS = 1.0
ANNOUNCE_SECONDS = 30.0


class Announcer:
    """`add` never waits. A change is kept until it is announced, since a store may give it to nobody else.

    `announce` takes changes of distinct users, is safe to repeat, and costs little more for many than for one.
    """

    def __init__(
        self,
        announce: Callable[[list[Change]], Awaitable[None]],
        *,
        retry_seconds: float = RETRY_SECONDS,
        announce_seconds: float = ANNOUNCE_SECONDS,
    ) -> None:
        self._announce = announce
        self._retry_seconds = retry_seconds
        self._announce_seconds = announce_seconds
        self._drainer: Drainer[Change, None] = Drainer(
            self._tell, name="presence-announcer", max_items=MAX_WAITING, max_batch=USERS_AT_ONCE
        )

    @property
    def busy(self) -> bool:
        """It has more than it tells at once: other processes should take what else there is."""
        return len(self._drainer) > USERS_AT_ONCE

    def add(self, change: Change) -> None:
        if not self._drainer.add(change):
            logger.error("too many presence changes wait; one of %s is not told", change.user_id)

    async def drain(self) -> None:
        """Wait until all that was added is announced."""
        await self._drainer.join()

    async def stop(self) -> None:
        """End without announcing what still waits."""
        await self._drainer.cancel()

    async def _tell(self, changes: list[Change]) -> None:
        for batch in _of_distinct_users(changes):
            while batch := await self._try(batch):  # noqa: ASYNC110  # a retry, and no event to wait for
                await asyncio.sleep(self._retry_seconds)

    async def _try(self, batch: list[Change]) -> list[Change]:
        """Those that are worth another try."""
        try:
            async with asyncio.timeout(self._announce_seconds):
                await self._announce(batch)
        except (Unavailable, *REDIS_AWAY) as error:
            logger.warning("presence of %d users is told later: %s", len(batch), error)
            return batch
        except Exception:
            if len(batch) > 1:  # one of them is at fault; the others are to be told
                return [again for change in batch for again in await self._try([change])]
            logger.exception("presence of %s could not be told", batch[0].user_id)
        return []


def _of_distinct_users(changes: list[Change]) -> Iterator[list[Change]]:
    """Parts of distinct users, so that two changes of one user keep their order."""
    part: dict[UUID, Change] = {}
    for change in changes:
        if change.user_id in part:
            yield list(part.values())
            part = {}
        part[change.user_id] = change
    yield list(part.values())
