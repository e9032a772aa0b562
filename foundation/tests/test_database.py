"""run_db: the database threads of async code."""

import asyncio
import threading

import pytest
from django.db import InterfaceError, OperationalError

from foundation import context
from foundation.database import run_db
from foundation.errors import Unavailable

pytestmark = pytest.mark.once  # threads


async def test_run_db_when_called_then_works_in_the_callers_context() -> None:
    context.request_id.set("r1")

    def work(a: int, *, b: int) -> tuple[int, str, str | None]:
        return a + b, threading.current_thread().name, context.request_id.get()

    total, thread, request_id = await run_db(work, 1, b=2)
    assert (total, request_id) == (3, "r1")
    assert thread.startswith("chat-db")


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
async def test_run_db_when_the_connection_is_lost_then_is_unavailable(error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(Unavailable) as raised:
        await run_db(work)
    assert raised.value.__cause__ is error


async def test_run_db_when_the_work_raises_then_raises_the_same() -> None:
    def work() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await run_db(work)


async def test_run_db_when_one_call_blocks_then_the_loop_and_other_calls_go_on() -> None:
    blocked = threading.Event()
    first = asyncio.create_task(run_db(blocked.wait, 30))
    assert await run_db(lambda: "second") == "second"
    assert not first.done()
    blocked.set()
    assert await first
