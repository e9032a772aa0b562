"""The order of announcements, and what happens to one that fails."""

import asyncio
import logging
from uuid import UUID

import pytest

from foundation import context, times
from foundation.errors import Unavailable
from foundation.ids import uuid7
from presence.announcer import USERS_AT_ONCE, Announcer
from presence.leases import Change

pytestmark = pytest.mark.once  # presence lives in Redis


def change(user_id: UUID | None = None, *, online: bool = True) -> Change:
    return Change(user_id or uuid7(), online, times.now())


async def test_add_of_many_then_all_are_told_together_and_a_bounded_number_at_once() -> None:
    told: list[list[Change]] = []

    async def announce(changes: list[Change]) -> None:
        told.append(changes)

    announcer = Announcer(announce)
    changes = [change() for _ in range(2 * USERS_AT_ONCE + 1)]
    for one in changes:
        announcer.add(one)
    assert announcer.busy
    await announcer.drain()
    assert not announcer.busy
    assert [one for batch in told for one in batch] == changes
    assert [len(batch) for batch in told] == [USERS_AT_ONCE, USERS_AT_ONCE, 1]


async def test_add_for_one_user_then_changes_keep_their_order_even_when_one_fails() -> None:
    told: list[Change] = []
    failures = iter([Unavailable(), TimeoutError()])
    user_id = uuid7()

    async def announce(changes: list[Change]) -> None:
        if error := next(failures, None):
            raise error
        told.extend(changes)

    announcer = Announcer(announce, retry_seconds=0.01)
    changes = [change(user_id), change(user_id, online=False), change(user_id)]
    for one in changes:
        announcer.add(one)
    await announcer.drain()
    assert told == changes


async def test_add_of_one_that_cannot_be_told_then_it_is_logged_and_the_rest_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[Change] = []
    bad, good = change(), change()

    async def announce(changes: list[Change]) -> None:
        if bad in changes:
            raise ValueError("broken")
        told.extend(changes)

    announcer = Announcer(announce)
    with caplog.at_level(logging.ERROR, "presence"):
        announcer.add(bad)
        announcer.add(good)
        await announcer.drain()
    assert told == [good]
    assert str(bad.user_id) in caplog.text


async def test_add_when_announcing_hangs_then_it_is_tried_again() -> None:
    tries: list[list[Change]] = []

    async def announce(changes: list[Change]) -> None:
        tries.append(changes)
        if len(tries) == 1:
            await asyncio.Event().wait()

    announcer = Announcer(announce, retry_seconds=0.001, announce_seconds=0.01)
    one = change()
    announcer.add(one)
    await announcer.drain()
    assert tries == [[one], [one]]


async def test_add_by_a_connection_then_changes_are_told_in_a_context_of_no_user() -> None:
    seen: list[dict[str, str]] = []

    async def announce(changes: list[Change]) -> None:
        seen.append(context.log_fields())

    context.user_id.set("of-a-user")
    announcer = Announcer(announce)
    announcer.add(change())
    await announcer.drain()
    assert seen == [{}]


async def test_stop_while_it_tries_again_then_it_ends() -> None:
    tried = asyncio.Event()

    async def announce(changes: list[Change]) -> None:
        tried.set()
        raise Unavailable

    announcer = Announcer(announce, retry_seconds=60)
    announcer.add(change())
    await tried.wait()
    async with asyncio.timeout(2):
        await announcer.stop()
