"""Coming, going, and telling others of it.

Knows the heartbeat and who is told; must not know requests or sockets.
"""

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
    """The heartbeat of this process; it starts with the first lease and is stopped with the loop."""
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
        sole=not settings.REDIS_URL,
    )
    loop.on_stop("presence", heartbeat.stop)
    return heartbeat


async def take_lease(*, user_id: UUID, device_id: str, connection_id: str) -> Lease | None:
    """Take a lease for a socket; None when its user has MAX_CONNECTIONS_USER others."""
    return await get_heartbeat().take(Socket(user_id, device_id, connection_id))


def end_lease(*, lease: Lease) -> None:
    """End the socket's lease; its user goes offline after the grace, unless another socket stays."""
    get_heartbeat().give_back(lease)


async def announce(changes: list[Change]) -> None:
    """Store when each was last seen, and tell their peers. Raises Unavailable; safe to repeat.

    Whoever has come back (or left) since is not announced: an older change must not have the last word. The
    user's own sockets are not told: they know.
    """
    await record_last_seen(seen={change.user_id: change.at for change in changes if not change.online})
    peers = await run_db(rooms.presence_peers, user_ids=[change.user_id for change in changes])
    # Last of all that can fail: once confirmed, no other process tells it.
    for change in await _ours_to_tell(changes):
        if addresses := [user_address(peer) for peer in peers[change.user_id]]:
            update = PresenceUpdate(
                user_id=change.user_id, online=change.online, last_seen=times.to_wire(change.at)
            )
            get_hub().send_to(addresses, PRESENCE_UPDATE.encode(update), droppable=True)


async def prune_presence(*, dry_run: bool) -> Pruned:
    """Remove what dead processes left behind, and tell whose presence ends with it; a dry run only looks."""
    pruned = await prune(get_store(), dry_run=dry_run)
    announcer = Announcer(announce)
    for user_id, last_seen in pruned.taken:
        announcer.add(Change(user_id, False, last_seen))
    await announcer.drain()
    await get_hub().flush()
    return pruned


async def _ours_to_tell(changes: list[Change]) -> list[Change]:
    states = await get_store().states(change.user_id for change in changes if change.online)
    confirmed = await get_store().confirm(change.user_id for change in changes if not change.online)
    return [change for change in changes if states.get(change.user_id) or change.user_id in confirmed]
