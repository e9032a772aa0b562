"""Waiting for a condition, in place of waiting for a time to pass."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.02


async def until(
    holds: Callable[[], bool | Awaitable[bool]], what: str, *, seconds: float = WAIT_SECONDS
) -> None:
    """Wait until the condition holds; fail when it never does. One that is no coroutine may block."""
    try:
        async with asyncio.timeout(seconds):
            while not await _asked(holds):
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


async def _asked(holds: Callable[[], bool | Awaitable[bool]]) -> bool:
    answer = await asyncio.to_thread(holds)
    return await answer if inspect.isawaitable(answer) else answer
