"""Fixtures of the flows across processes."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.kit.servers import ChatServer, RedisServer

# Shorter than a deployment's, so that a crash is over in seconds; benchmarks/convergence.py measures the real ones.
SHORT_LEASES = {"PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1", "PRESENCE_GRACE_SECONDS": "4"}

Start = Callable[..., list[ChatServer]]


@contextlib.contextmanager
def processes(count: int, **env: str) -> Iterator[list[ChatServer]]:
    """Server processes over one database and whatever else `env` names."""
    servers = [ChatServer(**SHORT_LEASES, **env)]
    servers += [
        ChatServer(**SHORT_LEASES, **{"DATA_DIR": servers[0].env["DATA_DIR"], **env})
        for _ in range(count - 1)
    ]
    try:
        yield [server.start() for server in servers]
    finally:
        for server in reversed(servers):
            server.stop()


@pytest.fixture(scope="module")
def trio(redis_server: RedisServer) -> Iterator[list[ChatServer]]:
    """Three processes that are one chat."""
    with processes(3, REDIS_URL=redis_server.url) as servers:
        yield servers
