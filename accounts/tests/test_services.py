"""Services of users in cases that no client can cause."""

from datetime import timedelta

from accounts import services
from accounts.models import User
from foundation import loop, times


def test_last_seen_when_recorded_out_of_order_then_only_moves_up(user: User) -> None:
    now = times.now()
    for moment in (now, now - timedelta(minutes=1), now + timedelta(minutes=1), now):
        loop.call(services.record_last_seen(seen={user.pk: moment}))
    user.refresh_from_db()
    assert user.last_seen == now + timedelta(minutes=1)
