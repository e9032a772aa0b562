"""The stop order names exactly the objects that a process stops."""

import pytest

from accounts.session_reconciler import get_session_reconciler
from chatproject.apps import STOP_ORDER
from chatproject.routing import get_socket_io
from foundation import loop
from foundation.limits.shared import get_rate_limiter
from foundation.redis.client import get_redis
from foundation.server_clock import get_server_clock
from messaging.mark_writer import get_mark_writer
from messaging.services.writer import get_writer
from operations.health import get_readiness
from operations.metrics_page import get_page
from presence.services import get_heartbeat
from realtime.hub.hub import get_hub
from rooms.membership_reconciler import get_membership_reconciler

pytestmark = pytest.mark.once  # nothing here uses the database


async def test_stop_order_when_all_objects_exist_then_names_exactly_them() -> None:
    loop.adopt()
    getters = (
        get_redis,
        get_server_clock,
        get_rate_limiter,
        get_hub,
        get_heartbeat,
        get_mark_writer,
        get_writer,
        get_socket_io,
        get_page,
        get_readiness,
    )
    for get in getters:
        get()
    get_membership_reconciler().start()
    get_session_reconciler().start()
    assert sorted(loop._stoppers) == sorted(STOP_ORDER)
    await loop.stop()
    assert not loop._stoppers
    assert not get_writer().accepts()
