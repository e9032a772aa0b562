"""Who may write where, as this process knows it: asked of the database once, and forgotten when it changes.

A hint that spares a query for each message; the writer asks the database again with each batch, so a change
whose event was lost lets nothing through. Knows memberships and the hub; must not know messages.
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

NOTICE = "rooms:standing"
MAX_STANDINGS = 100_000
TTL_SECONDS = 60.0


class Standing(NamedTuple):
    """What a member's right to write hangs on."""

    membership_id: UUID
    muted_until: datetime | None
    locked_at: datetime | None  # the room's
    first_seq: int = 1  # of the room's log when this was read: what comes before it is archived

    @classmethod
    def of(cls, membership: Membership) -> "Standing":
        room = membership.room
        return cls(membership.pk, membership.muted_until, room.locked_at, room.first_seq)

    def may_write(self) -> bool:
        return self.locked_at is None and (self.muted_until is None or self.muted_until <= times.now())


@loop.one_per_loop
def get_standings() -> "Standings":
    """The standings of this process; they listen to the process's hub."""
    standings = Standings()
    get_hub().listen(NOTICE, standings.forget)
    get_hub().on_loss(standings.forget_all)
    return standings


def tell_standing_changed(*, room_id: UUID, user_ids: Iterable[UUID] | None = None) -> None:
    """Have every process forget what it knows of these members, or of all in the room; called after the write."""
    names = None if user_ids is None else [str(user_id) for user_id in user_ids]
    get_hub().notify(NOTICE, {"room_id": str(room_id), "user_ids": names})


class Standings:
    """Lives on the process's loop. Of too many the longest unused are forgotten."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[UUID, UUID], tuple[Standing, float]] = OrderedDict()
        self._changes = 0

    async def require(self, *, room_id: UUID, user_id: UUID) -> Standing:
        """The member's standing. NotFound for strangers; only who may write is remembered."""
        key, now = (room_id, user_id), self._clock()
        known = self._known.get(key)
        if known is not None and now < known[1]:
            self._known.move_to_end(key)
            return known[0]
        changes = self._changes
        membership = await run_db(selectors.require_member, room_id=room_id, user_id=user_id)
        standing = Standing.of(membership)
        if changes == self._changes and standing.may_write():  # else it may have changed since it was read
            self._known[key] = (standing, now + TTL_SECONDS)
            while len(self._known) > MAX_STANDINGS:
                self._known.popitem(last=False)
        return standing

    def forget(self, changed: dict[str, Any]) -> None:
        self._changes += 1
        room_id, user_ids = UUID(changed["room_id"]), changed["user_ids"]
        if user_ids is None:
            keys = [key for key in self._known if key[0] == room_id]
        else:
            keys = [(room_id, UUID(user_id)) for user_id in user_ids]
        for key in keys:
            self._known.pop(key, None)

    def forget_all(self) -> None:
        self._changes += 1
        self._known.clear()
