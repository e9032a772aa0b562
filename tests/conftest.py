"""Fixtures of the flows across processes."""

from collections.abc import Iterator

import pytest

from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer, chat_servers


@pytest.fixture(scope="module")
def trio(redis_server: RedisServer) -> Iterator[list[ChatServer]]:
    """Three processes that are one chat."""
    with chat_servers(3, REDIS_URL=redis_server.url) as servers:
        yield servers
