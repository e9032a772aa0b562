"""Fixtures for flows across server processes."""

from collections.abc import Iterator

import pytest

from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer, chat_servers


@pytest.fixture(scope="module")
def pair(redis_server: RedisServer) -> Iterator[list[ChatServer]]:
    """Two server processes over one database and one Redis."""
    with chat_servers(2, REDIS_URL=redis_server.url) as servers:
        yield servers


@pytest.fixture(scope="module")
def trio(redis_server: RedisServer) -> Iterator[list[ChatServer]]:
    """Three server processes over one database and one Redis."""
    with chat_servers(3, REDIS_URL=redis_server.url) as servers:
        yield servers
