"""Drainer: batches, bounds, and an answer for every caller, even if the work fails."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from foundation import context
from foundation.drainer import Drainer, Interrupted
from foundation.errors import Overloaded


class Work:
    """Doubles each number once `go` is set, and keeps the batches."""

    def __init__(self) -> None:
        self.started, self.go = asyncio.Event(), asyncio.Event()
        self.batches: list[list[int]] = []
        self.outcome: Callable[[list[int]], Any] = lambda items: [2 * item for item in items]

    async def __call__(self, items: list[int]) -> Any:
        self.batches.append(items)
        self.started.set()
        await self.go.wait()
        return self.outcome(items)


def drainer_of(work: Any, **options: Any) -> Drainer[int, int]:
    return Drainer(work, name="test-drainer", **({"max_items": 100, "max_batch": 100} | options))


async def asked(drainer: Drainer[int, int], *items: int) -> list[asyncio.Task[int]]:
    """Callers that have added their items and wait for the answers."""
    callers = [asyncio.create_task(drainer.ask(item)) for item in items]
    # One turn of the event loop, in which each caller adds its item.
    await asyncio.sleep(0)
    return callers


async def outcomes(*callers: asyncio.Task[int]) -> list[Any]:
    return await asyncio.gather(*callers, return_exceptions=True)


async def kinds(*callers: asyncio.Task[int]) -> list[type]:
    return [type(outcome) for outcome in await outcomes(*callers)]


def running_task() -> asyncio.Task[Any]:
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "test-drainer")
    return task


# --- batches --------------------------------------------------------------------------------------------------


async def test_ask_when_a_batch_is_running_then_later_items_form_the_next() -> None:
    work = Work()
    drainer = drainer_of(work)
    callers = await asked(drainer, 0)
    await work.started.wait()
    callers += await asked(drainer, 1, 2, 3)
    assert len(drainer) == 3
    work.go.set()
    assert await outcomes(*callers) == [0, 2, 4, 6]
    assert work.batches == [[0], [1, 2, 3]]


async def test_batch_when_too_many_items_wait_then_ends_at_count_or_bytes() -> None:
    work = Work()
    work.go.set()
    by_count = drainer_of(work, max_batch=2)
    await outcomes(*await asked(by_count, 1, 2, 3, 4, 5))
    assert work.batches == [[1, 2], [3, 4], [5]]
    work.batches.clear()
    by_bytes = drainer_of(work, max_batch_bytes=100, size_bytes=lambda item: item)
    await outcomes(*await asked(by_bytes, 60, 39, 1, 500, 1, 1))
    assert work.batches == [[60, 39, 1], [500], [1, 1]]


async def test_add_when_the_queue_is_full_then_refused_and_others_are_handled() -> None:
    work = Work()
    drainer = drainer_of(work, max_items=2)
    callers = await asked(drainer, 0)
    await work.started.wait()
    callers += await asked(drainer, 1, 2)
    assert not drainer.accepts()
    assert not drainer.add(3)
    with pytest.raises(Overloaded):
        await drainer.ask(4)
    work.go.set()
    assert await outcomes(*callers) == [0, 2, 4]
    assert drainer.accepts()


async def test_add_when_the_work_returns_none_then_all_items_are_handled() -> None:
    work = Work()
    work.outcome = lambda items: None
    work.go.set()
    drainer = drainer_of(work, max_batch=1)
    assert drainer.idle
    assert [drainer.add(item) for item in (1, 2)] == [True, True]
    assert not drainer.idle
    await drainer.join()
    assert work.batches == [[1], [2]]
    assert drainer.idle


async def test_add_when_the_task_is_just_ending_then_the_item_is_handled() -> None:
    work = Work()
    work.go.set()
    drainer = drainer_of(work)
    late: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def put_late(_: object) -> None:
        asyncio.ensure_future(drainer.ask(2)).add_done_callback(lambda done: late.set_result(done.result()))

    (caller,) = await asked(drainer, 1)
    running_task().add_done_callback(put_late)
    assert await caller == 2
    assert await late == 4
    for item in range(200):
        assert await drainer.ask(item) == 2 * item


async def test_work_when_a_request_adds_the_item_then_its_context_is_empty() -> None:
    async def fields(items: list[int]) -> list[Any]:
        return [context.log_fields()]

    context.request_id.set("of-a-request")
    assert await drainer_of(fields).ask(1) == {}


# --- failures -------------------------------------------------------------------------------------------------


def fail(error: BaseException) -> Callable[[list[int]], Any]:
    def outcome(items: list[int]) -> Any:
        raise error

    return outcome


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (fail(KeyError("a bug")), KeyError),
        (fail(asyncio.CancelledError()), Interrupted),
        (lambda items: [1], ValueError),
        (lambda items: [1] * 9, ValueError),
        (lambda items: 1, TypeError),
    ],
    ids=["raises", "a stray cancellation", "too few", "too many", "no list"],
)
async def test_ask_when_the_work_fails_then_raises_and_goes_on(
    outcome: Callable[[list[int]], Any], expected: type, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work()
    work.go.set()
    drainer = drainer_of(work)
    usual, work.outcome = work.outcome, outcome
    assert await kinds(*await asked(drainer, 1, 2)) == [expected] * 2
    assert "test-drainer: a batch of 2 items failed" in caplog.text
    work.outcome = usual
    assert await drainer.ask(3) == 6


async def test_ask_when_one_answer_is_an_exception_then_only_its_caller_gets_it() -> None:
    work = Work()
    work.outcome = lambda items: [1, KeyError("x"), 3]
    work.go.set()
    assert await kinds(*await asked(drainer_of(work), 1, 2, 3)) == [int, KeyError, int]


async def test_ask_when_the_work_hangs_then_times_out_and_goes_on() -> None:
    work = Work()
    drainer = drainer_of(work, timeout_seconds=0.01)
    assert await kinds(*await asked(drainer, 1, 2)) == [TimeoutError] * 2
    work.go.set()
    assert await drainer.ask(3) == 6


async def test_ask_when_earlier_batches_are_slow_then_times_out_in_the_queue() -> None:
    work = Work()
    drainer = drainer_of(work, max_batch=1)
    callers = await asked(drainer, 1)
    with pytest.raises(TimeoutError):
        await drainer.ask(2, timeout_seconds=0.01)
    work.go.set()
    assert await outcomes(*callers) == [2]
    assert await drainer.ask(3, timeout_seconds=60) == 6
    assert work.batches == [[1], [2], [3]]


async def test_ask_when_a_caller_is_gone_then_its_item_and_others_are_handled() -> None:
    work = Work()
    drainer = drainer_of(work)
    gone, stays = await asked(drainer, 1, 2)
    await work.started.wait()
    gone.cancel()
    work.go.set()
    assert await stays == 4
    assert work.batches == [[1, 2]]


async def test_ask_when_the_task_is_cancelled_then_all_callers_are_answered() -> None:
    work = Work()
    drainer = drainer_of(work, max_batch=1)
    callers = await asked(drainer, 1, 2)
    await work.started.wait()
    running_task().cancel()
    assert await kinds(*callers) == [Interrupted] * 2
    work.go.set()
    assert await drainer.ask(3) == 6


async def test_ask_when_cancelled_before_the_first_step_then_all_are_answered() -> None:
    work = Work()
    work.go.set()
    drainer = drainer_of(work)
    caller = asyncio.create_task(drainer.ask(1))
    caller.get_loop().call_soon(lambda: running_task().cancel())
    assert await kinds(caller) == [Interrupted]
    assert work.batches == []
    assert await drainer.ask(2) == 4


# --- ending ---------------------------------------------------------------------------------------------------


async def test_stop_when_items_wait_then_handles_them_and_accepts_no_more() -> None:
    work = Work()
    drainer = drainer_of(work, max_batch=1)
    callers = await asked(drainer, 1, 2)
    stopping = asyncio.create_task(drainer.stop())
    # One turn of the event loop, in which the stop begins.
    await asyncio.sleep(0)
    assert not drainer.add(3)
    work.go.set()
    await stopping
    assert await outcomes(*callers) == [2, 4]
    assert drainer.idle


async def test_stop_when_it_is_cancelled_then_waiting_callers_are_answered() -> None:
    work = Work()
    drainer = drainer_of(work, max_batch=1)
    callers = await asked(drainer, 1, 2)
    await work.started.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await drainer.stop()
    assert await kinds(*callers) == [Interrupted] * 2
    await drainer.join()
    assert work.batches == [[1]]


async def test_cancel_when_the_work_ignores_it_then_ends_and_answers_all() -> None:
    started = asyncio.Event()
    swallowed: list[int] = []

    async def stubborn(items: list[int]) -> list[int]:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.extend(items)
        await asyncio.Event().wait()
        return items

    drainer = drainer_of(stubborn, max_batch=1)
    callers = await asked(drainer, 1, 2)
    await started.wait()
    await drainer.cancel()
    assert await kinds(*callers) == [Interrupted] * 2
    assert swallowed == [1]
    assert drainer.idle
    assert not drainer.add(3)
    await drainer.cancel()
