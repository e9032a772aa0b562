"""Announces changes of presence: many users in one batch, each user's changes in order, with retries.

What an announcement does is a function that the Announcer gets.
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

MAX_USERS = 50
MAX_CHANGES = 20_000
RETRY_SECONDS = 1.0
ANNOUNCE_SECONDS = 30.0


class Announcer:
    """Keeps each change until it is announced, because the store returns it to one process only.

    `announce` gets changes of distinct users and has to be safe to repeat. While Redis or the database is away, it
    is called again every `retry_seconds`.
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
            self._announce_batch, name="presence-announcer", max_items=MAX_CHANGES, max_batch=MAX_USERS
        )

    @property
    def busy(self) -> bool:
        """More than one batch is waiting: other processes should sweep meanwhile."""
        return len(self._drainer) > MAX_USERS

    def add(self, change: Change) -> None:
        """Have the change announced. Does not wait.

        If MAX_CHANGES others are waiting, the change is dropped and an error is logged.
        """
        if not self._drainer.add(change):
            logger.error("too many presence changes wait: one of user %s is dropped", change.user_id)

    async def drain(self) -> None:
        """Wait until all added changes are announced."""
        await self._drainer.join()

    async def stop(self) -> None:
        """Stop without announcing the changes that still wait."""
        await self._drainer.cancel()

    async def _announce_batch(self, changes: list[Change]) -> None:
        for batch in _of_distinct_users(changes):
            while batch := await self._try(batch):  # noqa: ASYNC110  # a retry, and no event to wait for
                await asyncio.sleep(self._retry_seconds)

    async def _try(self, batch: list[Change]) -> list[Change]:
        """Announce a batch. Returns the changes to try again."""
        try:
            async with asyncio.timeout(self._announce_seconds):
                await self._announce(batch)
        except (Unavailable, *REDIS_AWAY) as error:
            logger.warning("presence of %d users is announced later: %s", len(batch), error)
            return batch
        except Exception:
            if len(batch) > 1:
                # One change may be at fault, and the others have to be announced.
                return [again for change in batch for again in await self._try([change])]
            logger.exception("presence of user %s could not be announced", batch[0].user_id)
        return []


def _of_distinct_users(changes: list[Change]) -> Iterator[list[Change]]:
    """Split into parts of distinct users, so that two changes of one user keep their order."""
    part: dict[UUID, Change] = {}
    for change in changes:
        if change.user_id in part:
            yield list(part.values())
            part = {}
        part[change.user_id] = change
    yield list(part.values())
