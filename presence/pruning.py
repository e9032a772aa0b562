"""Removes leases of dead processes, as the heartbeat of a running process does, and orphaned entries."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from . import keys
from .leases import Ended
from .store import PresenceStore

MAX_USERS = 500


@dataclass(slots=True)
class Pruned:
    """What was removed, or would be in a dry run.

    `ended` are users whose last lease has ended; `taken` has the times they were last seen, and is empty in a dry
    run. `sockets` is the number of ended leases of each user. `orphans` are users of whom only the time of leaving
    is left.
    """

    ended: list[UUID] = field(default_factory=list)
    taken: list[Ended] = field(default_factory=list)
    sockets: dict[UUID, int] = field(default_factory=dict)
    orphans: list[UUID] = field(default_factory=list)


async def prune(store: PresenceStore, *, dry_run: bool) -> Pruned:
    """Remove, or with `dry_run` only look. The caller has to confirm and announce the users in `taken`."""
    pruned = Pruned()
    for shard in store.shards:
        now_ms, ended = await store.expired(shard)
        pruned.ended += ended
        await _prune_sockets(store, shard, now_ms, dry_run, pruned)
    if not dry_run:
        while swept := (await store.sweep(limit=MAX_USERS)).ended:
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
    for start in range(0, len(users), MAX_USERS):
        yield users[start : start + MAX_USERS]
