"""SharedValue: one making for all who ask at the same time."""

import asyncio

import pytest

from foundation.shared_value import SharedValue
from tests.kit.clock import Clock

pytestmark = pytest.mark.once  # no database


class Maker:
    """Makes 1, 2, 3, .. when `let` is set. `error` is raised by the next."""

    def __init__(self) -> None:
        self.made = 0
        self.let = asyncio.Event()
        self.error: Exception | None = None

    async def make(self) -> int:
        await self.let.wait()
        self.made += 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return self.made


async def test_value_when_many_ask_at_once_then_is_made_once() -> None:
    maker = Maker()
    shared = SharedValue(maker.make, fresh_seconds=1)
    asking = [asyncio.create_task(shared.get()) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    maker.let.set()
    assert await asyncio.gather(*asking[1:]) == [1, 1, 1, 1]


async def test_value_when_it_is_old_then_is_made_again() -> None:
    maker, clock = Maker(), Clock()
    maker.let.set()
    shared = SharedValue(maker.make, fresh_seconds=2, monotonic=clock)
    assert [await shared.get(), await shared.get()] == [1, 1]
    clock.now += 2
    assert await shared.get() == 2


async def test_value_when_making_fails_then_all_hear_and_the_next_tries_again() -> None:
    maker = Maker()
    maker.error = OSError("away")
    shared = SharedValue(maker.make, fresh_seconds=1)
    asking = [asyncio.create_task(shared.get()) for _ in range(2)]
    maker.let.set()
    assert [type(one) for one in await asyncio.gather(*asking, return_exceptions=True)] == [OSError] * 2
    assert await shared.get() == 2
