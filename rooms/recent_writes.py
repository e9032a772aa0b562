"""Which rooms any process wrote to in the last minute. Where marks follow their messages, the rows of these rooms
may be behind their logs, and those of all others are not (docs/decisions/0014).

A key with an expiry for each such room, in Redis. With one process, or where marks are in the same commit as their
messages, it is not used.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterable
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from redis.asyncio.client import Redis

from foundation import loop
from foundation.redis.client import get_redis
from foundation.redis.outage import REDIS_AWAY, Outage, get_outage

from .marks import marks_follow

# The part in braces puts all keys into one slot of a cluster, so that one command may read many.
KEY = "{{rooms:written}}:{}"
# Long enough for marks to be written also while the database fails for a moment.
KEPT_SECONDS = 60
ANNOUNCE_AGAIN_SECONDS = 20.0
ANSWER_SECONDS = 2.0
MAX_ANNOUNCED = 10_000

Answer = TypeVar("Answer")


def are_needed() -> bool:
    """Whether marks of other processes may be missing in the rooms' rows."""
    return bool(settings.REDIS_URL) and marks_follow()


class RecentWrites:
    """While Redis is away it finds nothing: then a room may look older than it is until its marks are written.

    Belongs to the process's loop.
    """

    def __init__(self, redis: Redis, outage: Outage) -> None:
        self._redis = redis
        self._outage = outage
        self._announced: dict[UUID, float] = {}

    async def announce(self, room_ids: set[UUID]) -> None:
        """Call before messages of these rooms are told to anybody. Never raises; mostly there is nothing to do."""
        now = time.monotonic()
        new = [room_id for room_id in room_ids if self._announced.get(room_id, 0.0) <= now]
        if not new or self._outage.lasts():
            return
        pipeline = self._redis.pipeline(transaction=False)
        for room_id in new:
            pipeline.set(KEY.format(room_id), 1, ex=KEPT_SECONDS)
        if await self._answer(pipeline.execute()) is None:
            # It may have lost what was announced before.
            self._announced.clear()
            return
        if len(self._announced) > MAX_ANNOUNCED:
            self._announced.clear()
        self._announced |= dict.fromkeys(new, now + ANNOUNCE_AGAIN_SECONDS)

    async def among(self, room_ids: Iterable[UUID]) -> set[UUID]:
        """Those of the rooms that were written to lately."""
        wanted = list(room_ids)
        if not wanted or self._outage.lasts():
            return set()
        found = await self._answer(self._redis.mget([KEY.format(room_id) for room_id in wanted]))
        if found is None:
            return set()
        return {room_id for room_id, value in zip(wanted, found, strict=True) if value is not None}

    async def _answer(self, call: Awaitable[Answer]) -> Answer | None:
        """The answer of Redis, None while it is away."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await call
        except REDIS_AWAY as error:
            self._outage.began(error)
            return None
        self._outage.ended()
        return answer


@loop.one_per_loop
def get_recent_writes() -> RecentWrites:
    return RecentWrites(get_redis(), get_outage())
