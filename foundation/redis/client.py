"""The process's Redis client: for the Redis of REDIS_URL, or without that for a Redis inside this process.

Both have the same commands and run the same Lua, so presence and limits need no second implementation.
"""

from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.asyncio.client import Redis

from foundation import loop

from .address import RedisAddress


@loop.one_per_loop
def get_redis() -> Redis:
    """The asynchronous client of the process's loop."""
    client = _connect(settings.REDIS_URL)
    loop.on_stop("redis", client.aclose)
    return client


def _connect(url: str) -> Redis:
    if not url:
        import fakeredis

        return fakeredis.FakeAsyncRedis(server=_in_process_server())
    return RedisAddress.parse(url).client()


@cache
def _in_process_server() -> Any:
    import fakeredis

    return fakeredis.FakeServer()


class InProcessConnectionPool(redis.ConnectionPool):
    """Connects django-redis to the Redis inside this process. CACHES names it if there is no REDIS_URL."""

    def __init__(self, **kwargs: Any) -> None:
        from fakeredis import FakeRedisConnection

        kwargs |= {"connection_class": FakeRedisConnection, "server": _in_process_server()}
        super().__init__(**kwargs)
