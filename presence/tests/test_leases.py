"""Rules about leases: which renewals are announced, and how a lease is released."""

import pytest

from foundation import times
from presence.leases import Intervals, Lease, PendingRelease, Renewed
from tests.kit.heartbeats import a_socket

pytestmark = pytest.mark.once  # presence lives in Redis

INTERVALS = Intervals(lease_seconds=20, renew_seconds=8, grace_seconds=3)
HELD_UNTIL = 100.0


@pytest.mark.parametrize(
    ("held_until", "was_missing", "sockets", "answered_at", "announced"),
    [
        (HELD_UNTIL, False, 1, 99.0, False),
        (HELD_UNTIL, True, 1, 99.0, False),  # missing before its end: lost by Redis
        (HELD_UNTIL, True, 1, 100.0, True),  # missing after it: swept
        (HELD_UNTIL, False, 1, 101.0, False),  # ended but not swept: nothing was announced
        (None, True, 1, 99.0, True),
        (None, False, 1, 99.0, True),  # taken by a call whose answer was lost
        (None, False, 2, 99.0, False),
    ],
)
def test_came_online_when_renewed_then_only_if_announced_offline(
    held_until: float | None, was_missing: bool, sockets: int, answered_at: float, announced: bool
) -> None:
    lease = Lease(a_socket(), held_until)
    assert lease.came_online(Renewed(times.now(), was_missing, sockets), answered_at=answered_at) is announced


@pytest.mark.parametrize(
    ("held_until", "attempted", "grace", "restore"),
    [
        (HELD_UNTIL, False, 3, 20),
        (HELD_UNTIL, True, 20, 20),  # after an outage other processes renew first
        (85.0, False, 3, 0),  # it may have been swept
        (85.0, True, 20, 20),
        (None, False, 3, 0),  # never confirmed, so never announced
        (None, True, 20, 0),
    ],
)
def test_as_release_when_closed_then_grace_and_restoring_fit(
    held_until: float | None, attempted: bool, grace: float, restore: float
) -> None:
    pending = PendingRelease(Lease(a_socket(), held_until), at=88.0, attempted=attempted)
    release = pending.as_release(INTERVALS, now=90.0)
    assert release == (pending.lease.socket, grace, 2.0, restore)
