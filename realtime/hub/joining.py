"""Joiner: joins the items that this process sends in one turn of its loop, or within 10 ms (realtime.hub.pace)."""

import asyncio
import contextvars
import time
from collections.abc import Callable

from .items import Item
from .pace import Pace

# An item and its size in bytes.
SizedItem = tuple[Item, int]


class Joiner:
    """`deliver(sent, sent_at)` gets the joined items and the Unix time of the first."""

    def __init__(self, pace: Pace, deliver: Callable[[list[SizedItem], float], None]) -> None:
        self._pace = pace
        self._deliver = deliver
        self._sent: list[SizedItem] = []
        self._sent_at = 0.0

    def add(self, item: Item, size_bytes: int) -> None:
        """Deliver the item in this turn of the loop or soon; never waits."""
        if not self._sent:
            self._sent_at = time.time()
            running = asyncio.get_running_loop()
            if hold_seconds := self._pace.hold_seconds():
                running.call_later(hold_seconds, self.flush)
            else:
                running.call_soon(self.flush)
        self._sent.append((item, size_bytes))

    def flush(self) -> None:
        """Deliver now what was added so far, in an empty context: a delivery belongs to no single request."""
        sent, self._sent = self._sent, []
        if sent:
            contextvars.Context().run(self._deliver, sent, self._sent_at)
