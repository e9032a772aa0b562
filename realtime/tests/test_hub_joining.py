"""Joiner: items that are sent in one turn of the loop are delivered together."""

import asyncio

from realtime.hub.items import BeatItem
from realtime.hub.joining import Joiner, SizedItem
from realtime.hub.pace import Pace


class Deliveries:
    def __init__(self) -> None:
        self.sizes: list[list[int]] = []
        self.arrived = asyncio.Event()

    def __call__(self, sent: list[SizedItem], sent_at: float) -> None:
        self.sizes.append([size_bytes for _, size_bytes in sent])
        self.arrived.set()


async def test_items_when_sent_in_one_turn_then_leave_together_in_order() -> None:
    deliveries = Deliveries()
    joiner = Joiner(Pace(), deliveries)
    for size_bytes in (1, 2, 3):
        joiner.add(BeatItem(), size_bytes)
    assert deliveries.sizes == []
    await asyncio.wait_for(deliveries.arrived.wait(), 10)
    assert deliveries.sizes == [[1, 2, 3]]


async def test_flush_when_items_wait_then_delivers_them_at_once_and_only_once() -> None:
    deliveries = Deliveries()
    pace = Pace()
    pace.note(frames=4, connections=1)
    assert pace.hold_seconds()
    joiner = Joiner(pace, deliveries)
    joiner.add(BeatItem(), 1)
    joiner.flush()
    joiner.add(BeatItem(), 2)
    joiner.flush()
    joiner.flush()
    assert deliveries.sizes == [[1], [2]]
