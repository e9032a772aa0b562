"""CompactQueue and CompactEvent behave as asyncio's Queue and Event, in less memory."""

import asyncio

import pytest

from realtime.servers.compact import CompactEvent, CompactQueue

pytestmark = pytest.mark.once  # tasks in memory


async def test_queue_when_items_are_put_then_gives_them_in_order() -> None:
    queue = CompactQueue()
    assert (queue.empty(), queue.qsize()) == (True, 0)
    for item in (1, 2, 3):
        queue.put_nowait(item)
    assert (queue.empty(), queue.qsize()) == (False, 3)
    assert [await queue.get() for _ in range(3)] == [1, 2, 3]


async def test_queue_when_its_reader_waits_then_wakes_it() -> None:
    queue = CompactQueue()
    reading = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_nowait("a")
    queue.put_nowait("b")
    assert await reading == "a"
    assert await queue.get() == "b"


async def test_queue_when_its_reader_is_cancelled_then_keeps_the_item() -> None:
    queue = CompactQueue()
    reading = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    queue.put_nowait("a")
    assert await queue.get() == "a"


async def test_event_when_set_then_wakes_all_even_if_cleared_at_once() -> None:
    event = CompactEvent(is_set=False)
    waiting = [asyncio.create_task(event.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    event.set()
    event.clear()
    await asyncio.gather(*waiting)
    assert not event.is_set()


async def test_event_when_already_set_then_does_not_wait() -> None:
    event = CompactEvent(is_set=True)
    await event.wait()
    assert event.is_set()


async def test_event_when_a_waiter_is_cancelled_then_the_others_wake() -> None:
    event = CompactEvent(is_set=False)
    first, second = (asyncio.create_task(event.wait()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    event.set()
    await second
    await asyncio.wait([first])
    assert first.cancelled()
