"""Reads of presence while Redis is away."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from accounts.models import User
from foundation import loop
from presence import selectors
from presence.store import get_store
from tests.kit.heartbeats import a_socket
from tests.kit.redis_servers import RedisServer


@pytest.fixture
async def away(own_redis: RedisServer, settings: Any) -> AsyncIterator[RedisServer]:
    """The test's loop as the loop of a process, with a Redis that the test may stop."""
    settings.REDIS_URL = own_redis.url
    loop.adopt()
    yield own_redis
    await loop.stop()


@pytest.fixture
def user(transactional_db: Any) -> User:
    return User.objects.create_user(username="ann", email="ann@example.com")


async def test_reads_when_redis_is_away_then_everybody_is_offline(away: RedisServer, user: User) -> None:
    await get_store().acquire(a_socket(user.pk), max_sockets=1)
    shown = await selectors.user_presence(viewer_id=user.pk, user_id=user.pk)
    assert (shown.online, shown.devices) == (True, ["phone"])
    assert await selectors.online_users() == 1
    away.kill()
    shown = await selectors.user_presence(viewer_id=user.pk, user_id=user.pk)
    assert (shown.online, shown.last_seen, shown.devices) == (False, None, [])
    assert await selectors.online_users() == 0
