"""The leases of this process's sockets: taken, renewed and given back by one task, which also sweeps.

Knows the store and a clock; must not know sockets, rooms or how a change is told.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from foundation import loop
from foundation.redis.outage import REDIS_AWAY

from .announcer import Announcer
from .leases import Change, Intervals, Lease, Leaving, Socket
from .store import PresenceStore

logger = logging.getLogger(__name__)

SWEEP_LIMIT = 20
RELEASES_AT_ONCE = 500
# Wake this much after an end that Redis has told, or its clock may not be there yet.
MARGIN_SECONDS = 0.02


class Heartbeat:
    """All methods are called on the process's loop. What happens while Redis is away is made up for later.

    `sole` says that no other process shares the store: `stop` takes what a sweep elsewhere would find later.
    """

    def __init__(
        self,
        store: PresenceStore,
        announcer: Announcer,
        intervals: Intervals,
        *,
        max_sockets: int,
        sole: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._every = intervals
        self._max_sockets, self._sole = max_sockets, sole
        self._clock = clock
        self._leases: set[Lease] = set()
        self._leaving: list[Leaving] = []
        self._away = self._stopping = False
        self._sweep_at = self._no_sweep_before = self._check_at = clock()
        self._renew_at = self._sweep_at + intervals.renew_seconds
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def take(self, socket: Socket) -> Lease | None:
        """A lease for the socket; None when its user has too many. Without Redis everyone gets one."""
        self.start()
        lease = Lease(socket)
        if self._away:
            self._leases.add(lease)
            return lease
        asked_at = self._clock()
        try:
            acquired = await self._store.acquire(socket, max_sockets=self._max_sockets)
        except REDIS_AWAY as error:
            self._note_away(error)
            self._leases.add(lease)
            return lease
        except asyncio.CancelledError:
            self._leases.add(lease)
            self.give_back(lease)  # whether Redis took it or not
            raise
        if acquired is None:
            return None
        lease.held_until = asked_at + self._every.lease_seconds
        self._leases.add(lease)
        if acquired.came_online:
            self._tell(socket.user_id, True, acquired.at)
        return lease

    def give_back(self, lease: Lease) -> None:
        """Let the lease end; safe to repeat. Does not wait: the task tells Redis, until it has heard."""
        if lease in self._leases:
            self._leases.discard(lease)
            self._leaving.append(Leaving(lease, self._clock()))
            self._wake.set()

    def start(self) -> None:
        if self._task is None:
            self._task = loop.spawn(self._run(), name="presence-heartbeat")

    async def stop(self) -> None:
        """Give back all leases and tell what waits to be told, as far as Redis and database let it."""
        # asyncio.wait_for of Python 3.11, which redis-py uses, may swallow a cancellation; hence the flag.
        self._stopping = True
        await loop.cancel(self._task)
        try:
            for lease in tuple(self._leases):
                self.give_back(lease)
            while self._leaving:
                await self._release()
            while self._sole and await self._sweep(ahead_seconds=self._every.lease_seconds):
                pass
            await self._announcer.drain()
        except REDIS_AWAY as error:
            logger.warning("leases end by time, Redis is away: %s", error)
        finally:
            await self._announcer.stop()

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                await self._beat()
            except Exception as error:
                self._note_away(error)
            if not self._stopping:
                await self._pause()

    async def _beat(self) -> None:
        while self._leaving:
            await self._release()
        if self._away or self._clock() >= self._renew_at:
            await self._renew()
        if self._away:
            await self._store.ping()  # there may have been nothing to renew
            self._away = False
            # All processes lost it alike: the others get time to renew before what ran out is taken.
            self._no_sweep_before = self._clock() + self._every.renew_seconds
            logger.info("presence is kept again: Redis is back")
        if self._clock() >= self._check_at:
            if await self._has_lost_leases():
                await self._renew()
            self._check_at = self._clock() + self._every.sweep_seconds
        if self._clock() >= self._next_sweep() and not self._announcer.busy:
            await self._sweep()

    async def _pause(self) -> None:
        if self._away:
            await asyncio.sleep(self._every.retry_seconds)
            return
        seconds = max(MARGIN_SECONDS, min(self._renew_at, self._check_at, self._next_sweep()) - self._clock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _next_sweep(self) -> float:
        return max(self._sweep_at, self._no_sweep_before)

    async def _has_lost_leases(self) -> bool:
        """Whether a Redis was restarted or flushed. Looks at one lease of each shard: a cluster may lose some."""
        if self._sole:
            return False
        sample: dict[int, UUID] = {}
        for lease in self._leases:
            sample.setdefault(self._store.shard_of(lease.socket.user_id), lease.socket.user_id)
            if len(sample) == len(self._store.shards):
                break
        return not all((await self._store.states(sample.values())).values())

    async def _renew(self) -> None:
        leases, asked_at = list(self._leases), self._clock()
        renewed = await self._store.renew([lease.socket for lease in leases])
        for lease, found in zip(leases, renewed, strict=True):
            if lease.made_online(found, answered_at=self._clock()):
                self._tell(lease.socket.user_id, True, found.at)
            lease.held_until = asked_at + self._every.lease_seconds
        self._renew_at = asked_at + self._every.renew_seconds

    async def _release(self) -> None:
        batch, self._leaving = self._leaving[:RELEASES_AT_ONCE], self._leaving[RELEASES_AT_ONCE:]
        try:
            await self._store.release([leaving.as_release(self._every, self._clock()) for leaving in batch])
        except BaseException:
            for leaving in batch:
                leaving.tried = True
            self._leaving = batch + self._leaving
            raise
        self._sweep_at = min(self._sweep_at, self._clock() + self._every.grace_seconds + MARGIN_SECONDS)

    async def _sweep(self, *, ahead_seconds: float = 0) -> bool:
        """Take and tell whose leases have ended; False when there was nobody."""
        swept = await self._store.sweep(limit=SWEEP_LIMIT, ahead_seconds=ahead_seconds)
        for ended in swept.ended:
            self._tell(ended.user_id, False, ended.last_seen)
        wait_seconds = self._every.sweep_seconds
        if swept.next_seconds is not None:
            wait_seconds = min(wait_seconds, swept.next_seconds + MARGIN_SECONDS)
        self._sweep_at = self._clock() + wait_seconds
        return bool(swept.ended)

    def _tell(self, user_id: UUID, online: bool, at: datetime) -> None:
        self._announcer.add(Change(user_id, online, at))

    def _note_away(self, error: Exception) -> None:
        if not isinstance(error, REDIS_AWAY):
            logger.error("the presence heartbeat failed", exc_info=error)
        elif not self._away:
            logger.warning("presence is not kept until Redis is back: %s %s", type(error).__name__, error)
        self._away = True
        self._wake.set()
