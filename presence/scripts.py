"""Runs the Lua scripts of presence/lua/."""

import asyncio
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from redis.asyncio.client import Redis

ANSWER_SECONDS = 2.0


class Call(NamedTuple):
    """A script by its file's name, for example `acquire`, with its KEYS and ARGV."""

    script: str
    keys: list[str]
    arguments: list[Any]


async def run_scripts(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    """Run scripts in one pipeline. Returns their answers in order. Raises one of REDIS_AWAY.

    Uses EVAL: the texts are short, a restarted Redis needs no second attempt, and redis-py's cluster pipeline
    accepts no other form.
    """
    if not calls:
        return []
    pipeline = redis.pipeline(transaction=False)
    for script, keys, arguments in calls:
        pipeline.eval(_text(script), len(keys), *keys, *arguments)
    async with asyncio.timeout(ANSWER_SECONDS):
        return await pipeline.execute()


@cache
def _text(script: str) -> str:
    return Path(__file__).with_name("lua").joinpath(f"{script}.lua").read_text()
