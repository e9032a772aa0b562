"""Leases of sockets in Redis: who is online, on which devices. All times are Redis' own.

Knows the scripts in lua/; must not know sockets, rooms or who is told (docs/decisions/0003).
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID
from zlib import crc32

from django.conf import settings
from redis.asyncio.client import Redis

from foundation import loop, times
from foundation.redis.client import get_redis

from . import keys
from .leases import Acquired, Ended, Release, Renewed, Socket, Swept

SHARDS = 16
LEASES_A_SCRIPT = 200
ANSWER_SECONDS = 2.0


@loop.one_per_loop
def get_store() -> "PresenceStore":
    """The store over the process's Redis."""
    return PresenceStore(
        get_redis(),
        lease_seconds=settings.PRESENCE_LEASE_SECONDS,
        # One process shares nothing, and fakeredis takes 0.6 ms for each script.
        shards=SHARDS if settings.REDIS_URL else 1,
    )


class PresenceStore:
    """Every call is one round trip, and raises one of REDIS_AWAY when there is no answer.

    A script touches the keys of one shard, which lie in one slot of a cluster.
    """

    def __init__(self, redis: Redis, *, lease_seconds: float, shards: int = SHARDS) -> None:
        self.redis = redis
        self._lease_ms = _ms(lease_seconds)
        self.shards = range(shards)

    async def acquire(self, socket: Socket, *, max_sockets: int) -> Acquired | None:
        """Take a lease; None when the user holds `max_sockets` others. Safe to repeat."""
        shard = self.shard_of(socket.user_id)
        names = [keys.sockets_key(shard, socket.user_id), *_shard_keys(shard)]
        arguments = [str(socket.user_id), socket.member, self._lease_ms, max_sockets]
        ((now, sockets, came_online),) = await self._run([("acquire", names, arguments)])
        return None if sockets < 0 else Acquired(_time(now), sockets, bool(came_online))

    async def renew(self, sockets: Sequence[Socket]) -> list[Renewed]:
        """Renew leases, each answered in its place; one that is gone is made anew."""
        parts = [
            (shard, places[start : start + LEASES_A_SCRIPT])
            for shard, places in self._by_shard(socket.user_id for socket in sockets).items()
            for start in range(0, len(places), LEASES_A_SCRIPT)
        ]
        calls = []
        for shard, places in parts:
            names = _shard_keys(shard)
            arguments: list[Any] = [self._lease_ms]
            for place in places:
                names.append(keys.sockets_key(shard, sockets[place].user_id))
                arguments += [str(sockets[place].user_id), sockets[place].member]
            calls.append(("renew", names, arguments))
        renewed: dict[int, Renewed] = {}
        for (_, places), (now, *answers) in zip(parts, await self._run(calls), strict=True):
            for index, place in enumerate(places):
                was_gone, count = answers[2 * index : 2 * index + 2]
                renewed[place] = Renewed(_time(now), bool(was_gone), count)
        return [renewed[place] for place in range(len(sockets))]

    async def release(self, releases: Sequence[Release]) -> None:
        """Give leases back; safe to repeat."""
        calls = []
        for socket, *seconds in releases:
            shard = self.shard_of(socket.user_id)
            names = [keys.sockets_key(shard, socket.user_id), *_shard_keys(shard)]
            calls.append(("release", names, [str(socket.user_id), socket.member, *map(_ms, seconds)]))
        await self._run(calls)

    async def sweep(self, *, limit: int, ahead_seconds: float = 0) -> Swept:
        """Take users whose leases have ended, at most twice `limit` of each shard.

        They are the caller's to `confirm` and announce; after a lease others take who was not confirmed.
        """
        calls = [
            ("sweep", _shard_keys(shard), [limit, _ms(ahead_seconds), self._lease_ms])
            for shard in self.shards
        ]
        ended, waits = [], []
        for wait_ms, *taken in await self._run(calls):
            if wait_ms >= 0:
                waits.append(wait_ms / 1000)
            for user, last_seen in zip(taken[::2], taken[1::2], strict=True):
                ended.append(Ended(UUID(user.decode()), _time(last_seen)))
        return Swept(ended, min(waits, default=None))

    async def confirm(self, user_ids: Iterable[UUID]) -> set[UUID]:
        """Which of the users who were taken are to be announced offline, now and by the caller."""
        users = list(user_ids)
        calls = []
        for user_id in users:
            shard = self.shard_of(user_id)
            calls.append(("confirm", [keys.taken_key(shard), keys.left_key(shard)], [str(user_id)]))
        return {
            user_id for user_id, confirmed in zip(users, await self._run(calls), strict=True) if confirmed
        }

    async def states(self, user_ids: Iterable[UUID]) -> dict[UUID, bool]:
        """Whether each user is online."""
        users = list(dict.fromkeys(user_ids))
        parts = self._by_shard(users)
        calls = [
            ("states", [keys.online_key(shard)], [str(users[i]) for i in places])
            for shard, places in parts.items()
        ]
        states: dict[UUID, bool] = {}
        for places, (_, *online) in zip(parts.values(), await self._run(calls), strict=True):
            states |= {users[place]: bool(flag) for place, flag in zip(places, online, strict=True)}
        return states

    async def devices(self, user_id: UUID) -> list[str]:
        """The ids of the devices that the user is online with, each once."""
        names = [keys.sockets_key(self.shard_of(user_id), user_id)]
        (members,) = await self._run([("sockets", names, [])])
        return sorted({member.decode().rpartition(":")[0] for member in members})

    async def count(self) -> int:
        """How many users are online, those included whose end is not announced yet."""
        pipeline = self.redis.pipeline(transaction=False)
        for shard in self.shards:
            pipeline.zcard(keys.online_key(shard))
        async with asyncio.timeout(ANSWER_SECONDS):
            return sum(await pipeline.execute())

    async def expired(self, shard: int) -> tuple[int, list[UUID]]:
        """Now in Redis' milliseconds, and the users of a shard whom a sweep would take."""
        ((now_ms, *users),) = await self._run([("expired", [keys.online_key(shard)], [])])
        return now_ms, [UUID(user.decode()) for user in users]

    async def ping(self) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            await self.redis.ping()

    async def _run(self, calls: Sequence[tuple[str, list[str], list[Any]]]) -> list[Any]:
        """Run scripts in one pipeline.

        By EVAL: the texts are short, a Redis that restarted needs no second try, and a cluster's pipeline has
        nothing else.
        """
        if not calls:
            return []
        pipeline = self.redis.pipeline(transaction=False)
        for script, names, arguments in calls:
            pipeline.eval(_text(script), len(names), *names, *arguments)
        async with asyncio.timeout(ANSWER_SECONDS):
            return await pipeline.execute()

    def _by_shard(self, user_ids: Iterable[UUID]) -> dict[int, list[int]]:
        """The places of `user_ids` that belong to each shard."""
        places: dict[int, list[int]] = {}
        for place, user_id in enumerate(user_ids):
            places.setdefault(self.shard_of(user_id), []).append(place)
        return places

    def shard_of(self, user_id: UUID) -> int:
        return crc32(user_id.bytes) % len(self.shards)


@cache
def _text(script: str) -> str:
    return Path(__file__).with_name("lua").joinpath(f"{script}.lua").read_text()


def _shard_keys(shard: int) -> list[str]:
    return [keys.online_key(shard), keys.left_key(shard), keys.taken_key(shard)]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _time(ms: int) -> datetime:
    return times.from_timestamp(ms / 1000)
