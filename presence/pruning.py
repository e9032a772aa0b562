"""Finds and removes what dead processes leave behind, as a heartbeat would, for when there is none.

Knows the store and its keys; must not know who is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from . import keys
from .leases import Ended
from .store import PresenceStore

USERS_AT_ONCE = 500


@dataclass(slots=True)
class Pruned:
    """`ended`: users whose last lease ran out; a dry run does not know when they were last seen.

    `sockets`: how many leases of dead sockets each user had; `orphans`: times of leaving without a user.
    """

    ended: list[UUID] = field(default_factory=list)
    taken: list[Ended] = field(default_factory=list)
    sockets: dict[UUID, int] = field(default_factory=dict)
    orphans: list[UUID] = field(default_factory=list)


async def prune(store: PresenceStore, *, dry_run: bool) -> Pruned:
    """What was removed, or would be. The caller has to confirm and announce who is `taken`."""
    pruned = Pruned()
    for shard in store.shards:
        now_ms, ended = await store.expired(shard)
        pruned.ended += ended
        await _prune_sockets(store, shard, now_ms, dry_run, pruned)
    if not dry_run:
        while swept := (await store.sweep(limit=USERS_AT_ONCE)).ended:
            pruned.taken += swept
        pruned.ended = [user_id for user_id, _ in pruned.taken]
    for shard in store.shards:
        await _prune_left(store, shard, dry_run, pruned)
    return pruned


async def _prune_sockets(
    store: PresenceStore, shard: int, now_ms: int, dry_run: bool, pruned: Pruned
) -> None:
    members: Any = await store.redis.zrange(keys.online_key(shard), 0, -1)
    online = [UUID(user.decode()) for user in members]
    for users in _chunks(online):
        pipeline = store.redis.pipeline(transaction=False)
        for user_id in users:
            name = keys.sockets_key(shard, user_id)
            if dry_run:
                pipeline.zcount(name, "-inf", now_ms)
            else:
                pipeline.zremrangebyscore(name, "-inf", now_ms)
        counts = zip(users, await pipeline.execute(), strict=True)
        pruned.sockets |= {user_id: count for user_id, count in counts if count}


async def _prune_left(store: PresenceStore, shard: int, dry_run: bool, pruned: Pruned) -> None:
    names: Any = await store.redis.hkeys(keys.left_key(shard))
    left = [UUID(user.decode()) for user in names]
    for users in _chunks(left):
        pipeline = store.redis.pipeline(transaction=False)
        for user_id in users:
            pipeline.zscore(keys.online_key(shard), str(user_id))
            pipeline.zscore(keys.taken_key(shard), str(user_id))
        scores = await pipeline.execute()
        known = zip(users, scores[::2], scores[1::2], strict=True)
        orphans = [user_id for user_id, online, taken in known if online is None and taken is None]
        if orphans and not dry_run:
            await store.redis.hdel(keys.left_key(shard), *map(str, orphans))
        pruned.orphans += orphans


def _chunks(users: list[UUID]) -> Iterator[list[UUID]]:
    for start in range(0, len(users), USERS_AT_ONCE):
        yield users[start : start + USERS_AT_ONCE]
