"""The order of announcements, and retries."""

import asyncio
import logging
from uuid import UUID

import pytest

from foundation import context, times
from foundation.errors import Unavailable
from foundation.ids import uuid7
from presence.announcer import MAX_USERS, Announcer
from presence.leases import Change

pytestmark = pytest.mark.once  # presence lives in Redis


def change(user_id: UUID | None = None, *, online: bool = True) -> Change:
    return Change(user_id or uuid7(), online, times.now())


async def test_add_when_many_wait_then_batches_are_bounded() -> None:
    announced: list[list[Change]] = []

    async def announce(changes: list[Change]) -> None:
        announced.append(changes)

    announcer = Announcer(announce)
    changes = [change() for _ in range(2 * MAX_USERS + 1)]
    for one in changes:
        announcer.add(one)
    assert announcer.busy
    await announcer.drain()
    assert not announcer.busy
    assert [one for batch in announced for one in batch] == changes
    assert [len(batch) for batch in announced] == [MAX_USERS, MAX_USERS, 1]


async def test_add_when_announcing_fails_then_a_users_changes_keep_order() -> None:
    announced: list[Change] = []
    failures = iter([Unavailable(), TimeoutError()])
    user_id = uuid7()

    async def announce(changes: list[Change]) -> None:
        if error := next(failures, None):
            raise error
        announced.extend(changes)

    announcer = Announcer(announce, retry_seconds=0.01)
    changes = [change(user_id), change(user_id, online=False), change(user_id)]
    for one in changes:
        announcer.add(one)
    await announcer.drain()
    assert announced == changes


async def test_add_when_one_cannot_be_announced_then_the_others_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    announced: list[Change] = []
    bad, good = change(), change()

    async def announce(changes: list[Change]) -> None:
        if bad in changes:
            raise ValueError("broken")
        announced.extend(changes)

    announcer = Announcer(announce)
    with caplog.at_level(logging.ERROR, "presence"):
        announcer.add(bad)
        announcer.add(good)
        await announcer.drain()
    assert announced == [good]
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


async def test_add_when_by_a_connection_then_the_context_names_no_user() -> None:
    seen: list[dict[str, str]] = []

    async def announce(changes: list[Change]) -> None:
        seen.append(context.log_fields())

    context.user_id.set("of-a-user")
    announcer = Announcer(announce)
    announcer.add(change())
    await announcer.drain()
    assert seen == [{}]


async def test_stop_when_it_tries_again_then_it_ends() -> None:
    tried = asyncio.Event()

    async def announce(changes: list[Change]) -> None:
        tried.set()
        raise Unavailable

    announcer = Announcer(announce, retry_seconds=60)
    announcer.add(change())
    await tried.wait()
    async with asyncio.timeout(2):
        await announcer.stop()
