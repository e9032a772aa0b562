"""The heartbeat of a process: a task that renews and releases the leases of its sockets, and sweeps ended ones."""

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
from .leases import Change, Intervals, Lease, PendingRelease, Socket
from .store import PresenceStore

logger = logging.getLogger(__name__)

SWEEP_LIMIT = 20
MAX_RELEASES = 500
# Wake this much after the end of a lease, or Redis' clock may not have reached it.
MARGIN_SECONDS = 0.02


class Heartbeat:
    """All methods are called on the process's loop. While Redis is away, leases and releases are kept for later.

    `only_process` says that no other process uses the store. Then `stop` announces the users who go offline, since
    no other process can sweep them later.
    """

    def __init__(
        self,
        store: PresenceStore,
        announcer: Announcer,
        intervals: Intervals,
        *,
        max_sockets: int,
        only_process: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._every = intervals
        self._max_sockets, self._only_process = max_sockets, only_process
        self._clock = clock
        self._leases: set[Lease] = set()
        self._pending: list[PendingRelease] = []
        self._away = self._stopping = False
        self._sweep_at = self._no_sweep_before = self._check_at = clock()
        self._renew_at = self._sweep_at + intervals.renew_seconds
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def acquire(self, socket: Socket) -> Lease | None:
        """Take a lease for the socket; None if its user has too many elsewhere. Without Redis all get one."""
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
            # Redis may have taken the lease or not.
            self._leases.add(lease)
            self.release(lease)
            raise
        if acquired is None:
            return None
        lease.held_until = asked_at + self._every.lease_seconds
        lease.replaced = acquired.replaced
        self._leases.add(lease)
        if acquired.came_online:
            self._announce(socket.user_id, True, acquired.at)
        return lease

    def release(self, lease: Lease) -> None:
        """Release the lease; safe to repeat. Does not wait: the task sends it to Redis until that has answered."""
        if lease in self._leases:
            self._leases.discard(lease)
            self._pending.append(PendingRelease(lease, self._clock()))
            self._wake.set()

    def start(self) -> None:
        """Start the task; safe to repeat."""
        if self._task is None:
            self._task = loop.spawn(self._run(), name="presence-heartbeat")

    async def stop(self) -> None:
        """Release all leases and announce all waiting changes, if Redis and database allow it."""
        # asyncio.wait_for of Python 3.11, which redis-py uses, may swallow a cancellation; hence the flag.
        self._stopping = True
        await loop.cancel(self._task)
        try:
            for lease in tuple(self._leases):
                self.release(lease)
            while self._pending:
                await self._send_releases()
            while self._only_process and await self._sweep(ahead_seconds=self._every.lease_seconds):
                pass
            await self._announcer.drain()
        except REDIS_AWAY as error:
            logger.warning("Redis is away, so leases stay until they end: %s", error)
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
        while self._pending:
            await self._send_releases()
        if self._away or self._clock() >= self._renew_at:
            await self._renew()
        if self._away:
            # There may have been no lease to renew.
            await self._store.ping()
            self._away = False
            # All processes lost Redis at once. They need time to renew before ended leases are swept.
            self._no_sweep_before = self._clock() + self._every.renew_seconds
            logger.info("Redis is back, leases are renewed again")
        if self._clock() >= self._check_at:
            # Alone with its store, a process has an in-process Redis, which loses nothing.
            if not self._only_process and await self._store.has_lost(lease.socket for lease in self._leases):
                await self._renew()
            self._check_at = self._clock() + self._every.sweep_seconds
        if self._clock() >= self._next_sweep() and not self._announcer.busy:
            await self._sweep()

    async def _pause(self) -> None:
        if self._away:
            await asyncio.sleep(self._every.retry_seconds)
            return
        next_at = min(self._renew_at, self._check_at, self._next_sweep())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(MARGIN_SECONDS, next_at - self._clock())):
                await self._wake.wait()

    def _next_sweep(self) -> float:
        return max(self._sweep_at, self._no_sweep_before)

    async def _renew(self) -> None:
        leases, asked_at = list(self._leases), self._clock()
        renewed = await self._store.renew([lease.socket for lease in leases])
        for lease, found in zip(leases, renewed, strict=True):
            if lease.came_online(found, answered_at=self._clock()):
                self._announce(lease.socket.user_id, True, found.at)
            lease.held_until = asked_at + self._every.lease_seconds
        self._renew_at = asked_at + self._every.renew_seconds

    async def _send_releases(self) -> None:
        batch, self._pending = self._pending[:MAX_RELEASES], self._pending[MAX_RELEASES:]
        try:
            await self._store.release([pending.as_release(self._every, self._clock()) for pending in batch])
        except BaseException:
            for pending in batch:
                pending.attempted = True
            self._pending = batch + self._pending
            raise
        self._sweep_at = min(self._sweep_at, self._clock() + self._every.grace_seconds + MARGIN_SECONDS)

    async def _sweep(self, *, ahead_seconds: float = 0) -> bool:
        """Sweep users whose leases have ended, and announce them. Returns whether there were any."""
        swept = await self._store.sweep(limit=SWEEP_LIMIT, ahead_seconds=ahead_seconds)
        for ended in swept.ended:
            self._announce(ended.user_id, False, ended.last_seen)
        wait_seconds = self._every.sweep_seconds
        if swept.next_seconds is not None:
            wait_seconds = min(wait_seconds, swept.next_seconds + MARGIN_SECONDS)
        self._sweep_at = self._clock() + wait_seconds
        return bool(swept.ended)

    def _announce(self, user_id: UUID, online: bool, at: datetime) -> None:
        self._announcer.add(Change(user_id, online, at))

    def _note_away(self, error: Exception) -> None:
        if not isinstance(error, REDIS_AWAY):
            logger.error("the presence heartbeat failed", exc_info=error)
        elif not self._away:
            logger.warning("Redis is away, leases are not renewed: %s %s", type(error).__name__, error)
        self._away = True
        self._wake.set()
