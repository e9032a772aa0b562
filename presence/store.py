"""The leases of sockets in Redis: who is online, and on which devices (docs/decisions/0003).

All times are those of Redis' clock.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zlib import crc32

from django.conf import settings
from redis.asyncio.client import Redis

from foundation import loop, times
from foundation.redis.client import get_redis

from . import keys
from .leases import Acquired, Ended, Release, Renewed, Socket, Swept
from .scripts import ANSWER_SECONDS, Call, run_scripts

SHARDS = 16
# On the in-process Redis a script takes 0.6 ms, and there are no nodes to spread shards over.
SHARDS_IN_PROCESS = 1
MAX_LEASES_PER_SCRIPT = 200


@loop.one_per_loop
def get_store() -> "PresenceStore":
    """The store over the process's Redis."""
    return PresenceStore(
        get_redis(),
        lease_seconds=settings.PRESENCE_LEASE_SECONDS,
        shards=SHARDS if settings.REDIS_URL else SHARDS_IN_PROCESS,
    )


class PresenceStore:
    """Each method is one round trip. It raises one of REDIS_AWAY if there is no answer.

    Each user belongs to one of `shards` shards. A script uses the keys of one shard only, as a cluster requires.
    """

    def __init__(self, redis: Redis, *, lease_seconds: float, shards: int) -> None:
        self.redis = redis
        self._lease_ms = _ms(lease_seconds)
        self.shards = range(shards)

    async def acquire(self, socket: Socket, *, max_sockets: int) -> Acquired | None:
        """Take a lease. If the user holds `max_sockets` others, the oldest one of the same device ends; None if
        there is none. Safe to repeat."""
        shard = self.shard_of(socket.user_id)
        names = [keys.sockets_key(shard, socket.user_id), *_shard_keys(shard)]
        arguments = [str(socket.user_id), socket.member, self._lease_ms, max_sockets, socket.device_id]
        ((now, sockets, came_online, replaced),) = await self._run([Call("acquire", names, arguments)])
        if sockets < 0:
            return None
        return Acquired(_time(now), sockets, bool(came_online), replaced.decode() or None)

    async def renew(self, sockets: Sequence[Socket]) -> list[Renewed]:
        """Renew leases, and create those that are missing. Returns an answer for each, in order. Safe to repeat."""
        parts = [
            (shard, places[start : start + MAX_LEASES_PER_SCRIPT])
            for shard, places in self._by_shard(socket.user_id for socket in sockets).items()
            for start in range(0, len(places), MAX_LEASES_PER_SCRIPT)
        ]
        calls = []
        for shard, places in parts:
            names = _shard_keys(shard)
            arguments: list[Any] = [self._lease_ms]
            for place in places:
                names.append(keys.sockets_key(shard, sockets[place].user_id))
                arguments += [str(sockets[place].user_id), sockets[place].member]
            calls.append(Call("renew", names, arguments))
        renewed: dict[int, Renewed] = {}
        for (_, places), (now, *answers) in zip(parts, await self._run(calls), strict=True):
            for index, place in enumerate(places):
                was_missing, count = answers[2 * index : 2 * index + 2]
                renewed[place] = Renewed(_time(now), bool(was_missing), count)
        return [renewed[place] for place in range(len(sockets))]

    async def release(self, releases: Sequence[Release]) -> None:
        """Release leases. Safe to repeat."""
        calls = []
        for socket, *seconds in releases:
            shard = self.shard_of(socket.user_id)
            names = [keys.sockets_key(shard, socket.user_id), *_shard_keys(shard)]
            calls.append(Call("release", names, [str(socket.user_id), socket.member, *map(_ms, seconds)]))
        await self._run(calls)

    async def has_lost(self, sockets: Iterable[Socket]) -> bool:
        """Whether Redis has lost leases. Looks at one of `sockets` in each shard: a cluster may lose some only."""
        sample: dict[int, UUID] = {}
        for socket in sockets:
            sample.setdefault(self.shard_of(socket.user_id), socket.user_id)
            if len(sample) == len(self.shards):
                break
        return not all((await self.states(sample.values())).values())

    async def sweep(self, *, limit: int, ahead_seconds: float = 0) -> Swept:
        """Take users whose leases have ended, at most twice `limit` in each shard.

        The caller has to `confirm` and announce them. After the time of a lease, another sweep takes those who were
        not confirmed. `ahead_seconds` includes leases that end within this time.
        """
        arguments = [limit, _ms(ahead_seconds), self._lease_ms]
        answers = await self._run([Call("sweep", _shard_keys(shard), arguments) for shard in self.shards])
        ended, waits = [], []
        for wait_ms, *taken in answers:
            if wait_ms >= 0:
                waits.append(wait_ms / 1000)
            for user, last_seen in zip(taken[::2], taken[1::2], strict=True):
                ended.append(Ended(UUID(user.decode()), _time(last_seen)))
        return Swept(ended, min(waits, default=None))

    async def confirm(self, user_ids: Iterable[UUID]) -> set[UUID]:
        """Return those of the users taken by a sweep whom the caller now has to announce as offline.

        Not safe to repeat: each user is returned once.
        """
        users = list(user_ids)
        shards = [self.shard_of(user_id) for user_id in users]
        calls = [
            Call("confirm", [keys.taken_key(shard), keys.left_key(shard)], [str(user_id)])
            for user_id, shard in zip(users, shards, strict=True)
        ]
        answers = await self._run(calls)
        return {user_id for user_id, confirmed in zip(users, answers, strict=True) if confirmed}

    async def states(self, user_ids: Iterable[UUID]) -> dict[UUID, bool]:
        """Whether each user is online."""
        users = list(dict.fromkeys(user_ids))
        parts = self._by_shard(users)
        calls = [
            Call("states", [keys.online_key(shard)], [str(users[i]) for i in places])
            for shard, places in parts.items()
        ]
        states: dict[UUID, bool] = {}
        for places, (_, *online) in zip(parts.values(), await self._run(calls), strict=True):
            states |= {users[place]: bool(flag) for place, flag in zip(places, online, strict=True)}
        return states

    async def devices(self, user_id: UUID) -> list[str]:
        """The ids of the devices on which the user is online, without duplicates."""
        names = [keys.sockets_key(self.shard_of(user_id), user_id)]
        (members,) = await self._run([Call("sockets", names, [])])
        return sorted({member.decode().rpartition(":")[0] for member in members})

    async def count(self) -> int:
        """The number of users online, including those who left and are not announced yet."""
        pipeline = self.redis.pipeline(transaction=False)
        for shard in self.shards:
            pipeline.zcard(keys.online_key(shard))
        async with asyncio.timeout(ANSWER_SECONDS):
            return sum(await pipeline.execute())

    async def expired(self, shard: int) -> tuple[int, list[UUID]]:
        """Redis' time in milliseconds, and the users of a shard whom a sweep would take."""
        ((now_ms, *users),) = await self._run([Call("expired", [keys.online_key(shard)], [])])
        return now_ms, [UUID(user.decode()) for user in users]

    async def ping(self) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            await self.redis.ping()

    async def _run(self, calls: Sequence[Call]) -> list[Any]:
        return await run_scripts(self.redis, calls)

    def shard_of(self, user_id: UUID) -> int:
        return crc32(user_id.bytes) % len(self.shards)

    def _by_shard(self, user_ids: Iterable[UUID]) -> dict[int, list[int]]:
        """The positions in `user_ids`, by shard."""
        places: dict[int, list[int]] = {}
        for place, user_id in enumerate(user_ids):
            places.setdefault(self.shard_of(user_id), []).append(place)
        return places


def _shard_keys(shard: int) -> list[str]:
    return [keys.online_key(shard), keys.left_key(shard), keys.taken_key(shard)]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _time(ms: int) -> datetime:
    return times.from_timestamp(ms / 1000)
