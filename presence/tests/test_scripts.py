"""Running Lua scripts in one pipeline."""

import asyncio
from typing import Any

import pytest
import redis.asyncio

from foundation.redis.outage import REDIS_AWAY
from presence import scripts
from presence.scripts import Call, run_scripts
from tests.kit.redis_servers import RedisServer

pytestmark = pytest.mark.once  # presence lives in Redis


async def test_run_when_many_calls_then_answers_are_in_order(client: Any) -> None:
    calls = [Call("states", [f"presence:{{{number}}}:online"], ["a"] * number) for number in range(3)]
    answers = await run_scripts(client, calls)
    assert [flags for _, *flags in answers] == [[], [0], [0, 0]]
    assert await run_scripts(client, []) == []


async def test_run_when_redis_does_not_answer_then_raises_in_time(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "ANSWER_SECONDS", 0.05)
    client = redis.asyncio.from_url(own_redis.url)
    await client.ping()
    own_redis.pause()
    try:
        async with asyncio.timeout(10):
            with pytest.raises(REDIS_AWAY):
                await run_scripts(client, [Call("states", ["presence:{0}:online"], [])])
    finally:
        own_redis.resume()
        await client.aclose()
