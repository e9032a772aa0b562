"""Mailbox and Gate: what asyncio's Queue and Event do for the few who wait at one socket, far smaller.

Each Event holds a deque of 600 bytes and a Queue four of them, which ten thousand idle sockets would pay for twice
over. Knows futures; must not know who waits for what.
"""

import asyncio
from typing import Any


class Mailbox:
    """An unbounded queue with one reader; whoever fills it bounds it."""

    __slots__ = ("_items", "_waiter")

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._waiter: asyncio.Future[None] | None = None

    def put_nowait(self, item: Any) -> None:
        self._items.append(item)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> Any:
        while not self._items:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.pop(0)

    def qsize(self) -> int:
        return len(self._items)

    def empty(self) -> bool:
        return not self._items


class Gate:
    """Open or closed; any number may wait for it to open."""

    __slots__ = ("_open", "_waiters")

    def __init__(self, *, opened: bool) -> None:
        self._open = opened
        self._waiters: list[asyncio.Future[None]] = []

    def is_set(self) -> bool:
        return self._open

    def set(self) -> None:
        self._open = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        self._open = False

    async def wait(self) -> None:
        """Return once it has been opened, though it may be closed again by then, as after Event.wait."""
        if self._open:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)
