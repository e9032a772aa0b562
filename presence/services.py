"""Writes of presence: leases of sockets, and announcements of changes to the users who share a room."""

import logging
from uuid import UUID

from django.conf import settings

from accounts.services import record_last_seen
from accounts.topics import user_address
from foundation import loop, times
from foundation.database import run_db
from realtime.hub.hub import get_hub
from rooms import selectors as rooms

from .announcer import Announcer
from .events import PRESENCE_UPDATE, PresenceUpdate
from .heartbeat import Heartbeat
from .leases import Change, Intervals, Lease, Socket
from .pruning import Pruned, prune
from .store import get_store

logger = logging.getLogger(__name__)


@loop.one_per_loop
def get_heartbeat() -> Heartbeat:
    """The heartbeat of this process. It starts with the first lease and stops with the loop."""
    intervals = Intervals(
        lease_seconds=settings.PRESENCE_LEASE_SECONDS,
        renew_seconds=settings.PRESENCE_RENEW_SECONDS,
        grace_seconds=settings.PRESENCE_GRACE_SECONDS,
    )
    heartbeat = Heartbeat(
        get_store(),
        Announcer(announce),
        intervals,
        max_sockets=settings.MAX_CONNECTIONS_USER,
        only_process=not settings.REDIS_URL,
    )
    loop.on_stop("presence", heartbeat.stop)
    return heartbeat


async def acquire_lease(*, user_id: UUID, device_id: str, connection_id: str) -> Lease | None:
    """Take a lease for a socket. If its user has MAX_CONNECTIONS_USER others, the oldest one of the same device is
    closed, in any process; None if there is none. A phone whose network comes and goes leaves such sockets behind.
    """
    lease = await get_heartbeat().acquire(Socket(user_id, device_id, connection_id))
    if lease is not None and lease.replaced is not None:
        get_hub().send_control(
            [user_address(user_id)], "connection:replaced", {"connection_id": lease.replaced}
        )
    return lease


def release_lease(*, lease: Lease) -> None:
    """Release a socket's lease. Its user goes offline after the grace, unless another socket has a lease."""
    get_heartbeat().release(lease)


async def announce(changes: list[Change]) -> None:
    """Store when each user was last seen, and publish `presence:update` to their peers. Safe to repeat.

    A change is skipped if the user has returned (or left) since, so that the last event is never an old one. The
    user's own sockets get no event. Raises Unavailable.
    """
    await record_last_seen(seen={change.user_id: change.at for change in changes if not change.online})
    peers = await run_db(rooms.presence_peers, user_ids=[change.user_id for change in changes])
    # The last step that can fail: once confirmed, no other process announces the change.
    for change in await _confirm(changes):
        if addresses := [user_address(peer) for peer in peers[change.user_id]]:
            update = PresenceUpdate(
                user_id=change.user_id, online=change.online, last_seen=times.to_wire(change.at)
            )
            get_hub().send_to(addresses, PRESENCE_UPDATE.encode(update), droppable=True)


async def prune_presence(*, dry_run: bool) -> Pruned:
    """Remove leases of dead processes, and announce the users who go offline by that. A dry run only looks."""
    pruned = await prune(get_store(), dry_run=dry_run)
    announcer = Announcer(announce)
    for user_id, last_seen in pruned.taken:
        announcer.add(Change(user_id, False, last_seen))
    await announcer.drain()
    await get_hub().flush()
    return pruned


async def _confirm(changes: list[Change]) -> list[Change]:
    """The changes that still hold, and that no other process announces."""
    states = await get_store().states(change.user_id for change in changes if change.online)
    confirmed = await get_store().confirm(change.user_id for change in changes if not change.online)
    return [change for change in changes if states.get(change.user_id) or change.user_id in confirmed]
