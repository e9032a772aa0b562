"""Waiting for a condition."""

import threading

import pytest

from .waiting import until, wait_until

pytestmark = pytest.mark.once  # needs no database


class Later:
    """A condition that holds when it has been asked three times. Records the threads that asked."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def __call__(self) -> bool:
        self.threads.append(threading.current_thread())
        return len(self.threads) == 3

    async def holds(self) -> bool:
        return self()


async def test_until_when_the_condition_holds_later_then_returns() -> None:
    condition = Later()
    await until(condition, "the condition holds")
    assert len(condition.threads) == 3
    # A plain function may block, so it does not run in the thread of the event loop.
    assert threading.main_thread() not in condition.threads


async def test_until_when_the_condition_is_async_then_awaits_it_in_the_loop() -> None:
    condition = Later()
    await until(condition.holds, "the condition holds")
    assert condition.threads == [threading.current_thread()] * 3


async def test_until_when_the_condition_never_holds_then_names_it() -> None:
    with pytest.raises(AssertionError, match="never: the moon is blue"):
        await until(lambda: False, "the moon is blue", seconds=0.05)


async def test_until_when_the_condition_raises_then_raises_it() -> None:
    with pytest.raises(ZeroDivisionError):
        await until(lambda: 1 // 0 == 0, "no error")


def test_wait_until_when_the_condition_holds_later_then_returns() -> None:
    condition = Later()
    wait_until(condition, "the condition holds")
    assert len(condition.threads) == 3


def test_wait_until_when_the_condition_never_holds_then_names_it() -> None:
    with pytest.raises(AssertionError, match="never: the moon is blue"):
        wait_until(lambda: False, "the moon is blue", seconds=0.05)
