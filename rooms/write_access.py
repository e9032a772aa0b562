"""Which members may write in which rooms, cached by this process.

The cache saves a query for each message. It is a hint: the writer reads the database again for each batch, so a
change whose notice was lost lets no message through.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from foundation import loop, times
from foundation.database import run_db
from realtime.hub.hub import get_hub

from . import selectors
from .models import Membership

# Processes of the previous release listen to this name and send it, so it stays as it is.
NOTICE = "rooms:standing"
MAX_CACHED = 100_000
TTL_SECONDS = 60.0


class WriteAccess(NamedTuple):
    """What decides whether a member may write. `locked_at` and `first_seq` are the room's."""

    membership_id: UUID
    muted_until: datetime | None
    locked_at: datetime | None
    # When this was read; messages before it are archived.
    first_seq: int = 1

    @classmethod
    def of(cls, membership: Membership) -> "WriteAccess":
        room = membership.room
        return cls(membership.pk, membership.muted_until, room.locked_at, room.first_seq)

    def may_write(self) -> bool:
        return self.locked_at is None and (self.muted_until is None or self.muted_until <= times.now())


@loop.one_per_loop
def get_write_access_cache() -> "WriteAccessCache":
    """The cache of this process, which listens to the hub for changes."""
    cache = WriteAccessCache()
    on_write_access_changed(cache.forget)
    get_hub().on_loss(cache.forget_all)
    return cache


def forget_write_access(*, room_id: UUID, user_ids: Iterable[UUID] | None = None) -> None:
    """Make every process forget the write access of these members, or of all members; called after the write."""
    names = None if user_ids is None else [str(user_id) for user_id in user_ids]
    get_hub().notify(NOTICE, {"room_id": str(room_id), "user_ids": names})


def on_write_access_changed(listener: Callable[[dict[str, Any]], None]) -> None:
    """Have `listener` called in this process with each notice: `{"room_id": "..", "user_ids": [".."] or None}`.

    None stands for all members.
    """
    get_hub().listen(NOTICE, listener)


class WriteAccessCache:
    """Used on the process's loop only. When it is full, the entries that were unused for longest are dropped."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cached: OrderedDict[tuple[UUID, UUID], tuple[WriteAccess, float]] = OrderedDict()
        self._changes = 0

    async def require(self, *, room_id: UUID, user_id: UUID) -> WriteAccess:
        """The member's access, from the cache or the database. NotFound for strangers.

        Only members who may write are cached, so an unmuted member may write at once.
        """
        key, now = (room_id, user_id), self._clock()
        cached = self._cached.get(key)
        if cached is not None and now < cached[1]:
            self._cached.move_to_end(key)
            return cached[0]
        changes = self._changes
        membership = await run_db(selectors.require_member, room_id=room_id, user_id=user_id)
        access = WriteAccess.of(membership)
        # A notice that came during the read may be about what was read: then nothing is cached.
        if changes == self._changes and access.may_write():
            self._cached[key] = (access, now + TTL_SECONDS)
            while len(self._cached) > MAX_CACHED:
                self._cached.popitem(last=False)
        return access

    def forget(self, changed: dict[str, Any]) -> None:
        """Drop the entries that a notice names: `{"room_id": "..", "user_ids": [".."] or None for all}`."""
        self._changes += 1
        room_id, user_ids = UUID(changed["room_id"]), changed["user_ids"]
        if user_ids is None:
            keys = [key for key in self._cached if key[0] == room_id]
        else:
            keys = [(room_id, UUID(user_id)) for user_id in user_ids]
        for key in keys:
            self._cached.pop(key, None)

    def forget_all(self) -> None:
        self._changes += 1
        self._cached.clear()
