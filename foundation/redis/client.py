"""The process's Redis: the real one of REDIS_URL, or one inside this process where there is none.

Both speak the same commands and run the same Lua, so presence and limits have one code. Must not know what
is kept in it.
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
    """The asynchronous client that belongs to the process's loop."""
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
    """Connects django-redis to the Redis inside this process; named by CACHES where there is no REDIS_URL."""

    def __init__(self, **kwargs: Any) -> None:
        from fakeredis import FakeConnection

        kwargs |= {"connection_class": FakeConnection, "server": _in_process_server()}
        super().__init__(**kwargs)
