"""What a renewal found is told or not, and how a lease is given back: rules over plain values."""

import pytest

from foundation import times
from presence.leases import Intervals, Lease, Leaving, Renewed
from tests.kit.heartbeats import a_socket

pytestmark = pytest.mark.once  # presence lives in Redis

INTERVALS = Intervals(lease_seconds=20, renew_seconds=8, grace_seconds=3)
HELD_UNTIL = 100.0


@pytest.mark.parametrize(
    ("held_until", "was_gone", "sockets", "answered_at", "told"),
    [
        (HELD_UNTIL, False, 1, 99.0, False),
        (HELD_UNTIL, True, 1, 99.0, False),  # gone before its end: lost by Redis
        (HELD_UNTIL, True, 1, 100.0, True),  # gone after it: swept
        (HELD_UNTIL, False, 1, 101.0, False),  # ended but not swept: nobody was told
        (None, True, 1, 99.0, True),
        (None, False, 1, 99.0, True),  # taken by a call whose answer was lost
        (None, False, 2, 99.0, False),
    ],
)
def test_made_online_when_renewed_then_as_the_lease_and_redis_have_it(
    held_until: float | None, was_gone: bool, sockets: int, answered_at: float, told: bool
) -> None:
    lease = Lease(a_socket(), held_until)
    assert lease.made_online(Renewed(times.now(), was_gone, sockets), answered_at=answered_at) is told


@pytest.mark.parametrize(
    ("held_until", "tried", "grace", "restore"),
    [
        (HELD_UNTIL, False, 3, 20),
        (HELD_UNTIL, True, 20, 20),  # after an outage others renew first
        (85.0, False, 3, 0),  # it may have been swept, rightly
        (85.0, True, 20, 20),
        (None, False, 3, 0),  # never confirmed, so never told
        (None, True, 20, 0),
    ],
)
def test_as_release_when_given_back_then_grace_and_restoring_fit_what_is_known(
    held_until: float | None, tried: bool, grace: float, restore: float
) -> None:
    leaving = Leaving(Lease(a_socket(), held_until), at=88.0, tried=tried)
    release = leaving.as_release(INTERVALS, now=90.0)
    assert release == (leaving.lease.socket, grace, 2.0, restore)
