"""Sockets, leases, and a heartbeat that records its announcements, all in the process of the test."""

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
    """Move the end of the leases of the socket and of its user to 1970."""
    shard = store.shard_of(socket.user_id)
    await store.redis.zadd(keys.sockets_key(shard, socket.user_id), {socket.member: 1000}, xx=True)
    await store.redis.zadd(keys.online_key(shard), {str(socket.user_id): 1000}, xx=True)


def release(socket: Socket, *, grace: float = 0.0, age: float = 0.0, restore: float = 0.0) -> Release:
    return Release(socket, grace_seconds=grace, age_seconds=age, restore_seconds=restore)


async def swept(store: PresenceStore) -> list[Ended]:
    return (await store.sweep(limit=100)).ended


class PresenceProcess:
    """A heartbeat as in a server process. Announcements are appended to `announced`, which processes may share."""

    def __init__(
        self,
        store: PresenceStore,
        announced: list[Change],
        *,
        intervals: Intervals = INTERVALS,
        max_sockets: int = 10,
        only_process: bool = False,
    ) -> None:
        self.store = store
        self.announced = announced
        self.heartbeat = Heartbeat(
            store, Announcer(self._announce), intervals, max_sockets=max_sockets, only_process=only_process
        )

    async def _announce(self, changes: list[Change]) -> None:
        for change in changes:
            if change.online or await self.store.confirm([change.user_id]):
                self.announced.append(change)

    async def crash(self) -> None:
        """End as after kill -9: no lease is released."""
        task = self.heartbeat._task
        while task is not None and not task.done():
            # Repeated, because a cancellation may be swallowed: see Heartbeat.stop.
            task.cancel()
            await asyncio.wait([task], timeout=0.1)

    async def sentinel(self) -> None:
        """Let another user come and go, and wait for both announcements: all earlier ones were made before."""
        lease = await self.heartbeat.acquire(a_socket())
        assert lease is not None
        user_id = lease.socket.user_id

        async def was_announced(*wanted: bool) -> bool:
            return [change.online for change in self.announced if change.user_id == user_id] == list(wanted)

        # A broken connection may still be in the pool, and a user who leaves before the next try is not announced.
        await until(partial(was_announced, True), "the sentinel is online")
        self.heartbeat.release(lease)
        await until(partial(was_announced, True, False), "the sentinel is offline again")
        self.announced[:] = [change for change in self.announced if change.user_id != user_id]
