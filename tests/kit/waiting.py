"""Waits for a condition, so that tests need no sleeps."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.02


async def until(
    holds: Callable[[], bool | Awaitable[bool]],
    what: str,
    *,
    seconds: float = WAIT_SECONDS,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Waits until `holds` returns True. Raises AssertionError with `what` after `seconds`.

    A plain function is called in a thread, so it may block. An async function runs in the loop of the test.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await _asked(holds):
                await asyncio.sleep(poll_seconds)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


def wait_until(holds: Callable[[], bool], what: str, *, seconds: float = WAIT_SECONDS) -> None:
    """Like `until`, for a test without an event loop."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"never: {what}")
        time.sleep(POLL_SECONDS)


async def _asked(holds: Callable[[], bool | Awaitable[bool]]) -> bool:
    answer = await asyncio.to_thread(holds)
    return await answer if inspect.isawaitable(answer) else answer
