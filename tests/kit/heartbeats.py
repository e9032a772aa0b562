"""Presence in the process of the test: sockets, leases, and a heartbeat that records what it announces."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID

from foundation.ids import uuid7
from presence import keys
from presence.announcer import Announcer
from presence.heartbeat import Heartbeat
from presence.leases import Change, Ended, Intervals, Release, Socket
from presence.store import PresenceStore

from .waiting import until

SLACK = timedelta(seconds=1)

# Short, but long enough for a busy machine.
INTERVALS = Intervals(
    lease_seconds=1.5, renew_seconds=0.3, grace_seconds=0.3, sweep_seconds=0.1, retry_seconds=0.05
)


def a_socket(user_id: UUID | None = None, device_id: str = "phone") -> Socket:
    return Socket(user_id or uuid7(), device_id, str(uuid7()))


async def end_lease(store: PresenceStore, socket: Socket) -> None:
    """Moves the end of the socket's lease, and of its user's, to 1970."""
    shard = store.shard_of(socket.user_id)
    await store.redis.zadd(keys.sockets_key(shard, socket.user_id), {socket.member: 1000}, xx=True)
    await store.redis.zadd(keys.online_key(shard), {str(socket.user_id): 1000}, xx=True)


def release(socket: Socket, *, grace: float = 0.0, age: float = 0.0, restore: float = 0.0) -> Release:
    return Release(socket, grace_seconds=grace, age_seconds=age, restore_seconds=restore)


async def swept(store: PresenceStore) -> list[Ended]:
    return (await store.sweep(limit=100)).ended


class PresenceProcess:
    """The heartbeat of one server process. It appends announced changes to `told`, which processes may share."""

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
        """Ends it as SIGKILL would: no lease is released."""
        task = self.heartbeat._task
        while task is not None and not task.done():
            # Cancelled repeatedly, for the reason that Heartbeat.stop gives.
            task.cancel()
            await asyncio.wait([task], timeout=0.1)

    async def sentinel(self) -> None:
        """Connects and disconnects a user, and waits until both changes are announced.

        Changes are announced in order, so every earlier change has been announced too.
        """
        lease = await self.heartbeat.take(a_socket())
        assert lease is not None
        user_id = lease.socket.user_id

        async def told(*wanted: bool) -> bool:
            return [change.online for change in self.told if change.user_id == user_id] == list(wanted)

        # The first try may get a broken connection from the pool. A user who leaves before the next try is never
        # announced.
        await until(partial(told, True), "the sentinel is online")
        self.heartbeat.give_back(lease)
        await until(partial(told, True, False), "the sentinel is offline again")
        self.told[:] = [change for change in self.told if change.user_id != user_id]
