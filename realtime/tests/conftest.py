"""A hub of the test's own."""

from collections.abc import AsyncIterator

import pytest
from channels.layers import InMemoryChannelLayer

from foundation import loop
from realtime.hub.hub import Hub


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    loop.adopt()
    hub = Hub(InMemoryChannelLayer())
    yield hub
    await hub.stop()
