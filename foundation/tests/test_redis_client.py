"""The process's Redis without REDIS_URL: one inside the process, shared by all its clients."""

from typing import Any

import pytest
from django.core.cache import caches

from foundation import loop
from foundation.redis.client import get_redis

pytestmark = pytest.mark.once  # memory


async def test_get_redis_when_there_is_no_url_then_runs_lua_inside_the_process(settings: Any) -> None:
    settings.REDIS_URL = ""
    loop.adopt()
    redis = get_redis()
    assert get_redis() is redis
    assert await redis.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, "test:client", "1") == b"OK"
    assert await redis.get("test:client") == b"1"
    await redis.delete("test:client")


def test_cache_when_there_is_no_url_then_is_in_the_process_too() -> None:
    cache = caches["default"]
    assert cache.set("test:cache", {"a": 1}, timeout=60)
    assert cache.get("test:cache") == {"a": 1}
    assert cache.incr("test:count", ignore_key_check=True) == 1
    cache.delete_many(["test:cache", "test:count"])
