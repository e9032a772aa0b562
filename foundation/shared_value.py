"""SharedValue: a costly value, such as a page of metrics, made once for all who ask at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from . import loop

T = TypeVar("T")


class SharedValue(Generic[T]):
    """`make` runs at most once at a time, and its value is given out for `fresh_seconds` after it was made.

    An error of `make` is raised to all who waited for it, and is not kept. Belongs to the process's loop.
    """

    def __init__(
        self,
        make: Callable[[], Awaitable[T]],
        *,
        fresh_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._fresh_seconds = fresh_seconds
        self._monotonic = monotonic
        self._kept: tuple[T, float] | None = None
        self._task: asyncio.Task[T] | None = None

    async def get(self) -> T:
        if self._kept is not None and self._monotonic() - self._kept[1] < self._fresh_seconds:
            return self._kept[0]
        if self._task is None or self._task.done():
            self._task = loop.spawn(self._renew(), name="shared-value")
        # Shielded: one who gives up does not take it from the others.
        return await asyncio.shield(self._task)

    async def stop(self) -> None:
        await loop.cancel(self._task)

    async def _renew(self) -> T:
        value = await self._make()
        self._kept = value, self._monotonic()
        return value
