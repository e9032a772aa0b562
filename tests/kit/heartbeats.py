"""Sockets, leases and a heartbeat that records what it tells, all in the process of the test."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID

from foundation.ids import uuid7
from presence import keys
from presence.announcer import Announcer
from presence.events import Change
from presence.heartbeat import Heartbeat
from presence.leases import Ended, Intervals, Release, Socket
from presence.store import PresenceStore

from .waiting import until

SLACK = timedelta(seconds=1)

# Short, but long enough for a machine that does something else for a moment.
INTERVALS = Intervals(
    lease_seconds=1.5, renew_seconds=0.3, grace_seconds=0.3, sweep_seconds=0.1, retry_seconds=0.05
)


def a_socket(user_id: UUID | None = None, device_id: str = "phone") -> Socket:
    return Socket(user_id or uuid7(), device_id, str(uuid7()))


async def end_lease(store: PresenceStore, socket: Socket) -> None:
    """Have the socket's lease, and its user's, end in 1970."""
    shard = store.shard_of(socket.user_id)
    await store.redis.zadd(keys.sockets_key(shard, socket.user_id), {socket.member: 1000}, xx=True)
    await store.redis.zadd(keys.online_key(shard), {str(socket.user_id): 1000}, xx=True)


def release(socket: Socket, *, grace: float = 0.0, age: float = 0.0, restore: float = 0.0) -> Release:
    return Release(socket, grace_seconds=grace, age_seconds=age, restore_seconds=restore)


async def swept(store: PresenceStore) -> list[Ended]:
    return (await store.sweep(limit=100)).ended


class PresenceProcess:
    """A heartbeat as a server process has one. What it tells goes to `told`, which processes may share."""

    def __init__(
        self,
        store: PresenceStore,
        told: list[Change],
        *,
        intervals: Intervals = INTERVALS,
        max_sockets: int = 10,
        sole: bool = False,
    ) -> None:
        self.store = store
        self.told = told
        self.heartbeat = Heartbeat(
            store, Announcer(self._tell), intervals, max_sockets=max_sockets, sole=sole
        )

    async def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            if change.online or await self.store.confirm([change.user_id]):
                self.told.append(change)

    async def crash(self) -> None:
        """End as by -9: nothing is given back."""
        task = self.heartbeat._task
        while task is not None and not task.done():
            task.cancel()  # again and again: see Heartbeat.stop
            await asyncio.wait([task], timeout=0.1)

    async def sentinel(self) -> None:
        """Let a user come and go, and wait until both were told: what was to be told before has been."""
        lease = await self.heartbeat.take(a_socket())
        assert lease is not None
        user_id = lease.socket.user_id

        async def told(*wanted: bool) -> bool:
            return [change.online for change in self.told if change.user_id == user_id] == list(wanted)

        # A connection that broke with Redis may still have been in the pool; who leaves before the next is silent.
        await until(partial(told, True), "the sentinel is online")
        self.heartbeat.give_back(lease)
        await until(partial(told, True, False), "the sentinel is offline again")
        self.told[:] = [change for change in self.told if change.user_id != user_id]
