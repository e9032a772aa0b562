"""Heartbeats of several processes over one Redis. A sentinel shows that there are no more announcements."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from foundation import context, times
from presence.leases import Change, Lease, Swept
from presence.store import SHARDS, PresenceStore
from tests.kit.heartbeats import INTERVALS, PresenceProcess, a_socket
from tests.kit.waiting import until

# test_store.py runs the scripts on a cluster.
pytestmark = [
    pytest.mark.once,  # presence lives in Redis
    pytest.mark.parametrize("client", ["in-process", "server"], indirect=True),
]

StartProcess = Callable[..., Awaitable[PresenceProcess]]

GRACE = timedelta(seconds=INTERVALS.grace_seconds)


def of(announced: list[Change], user_id: UUID) -> list[bool]:
    return [change.online for change in announced if change.user_id == user_id]


async def until_announced(process: PresenceProcess, user_id: UUID, *online: bool) -> None:
    async def holds() -> bool:
        return of(process.announced, user_id) == list(online)

    await until(holds, f"announced {online}, got {process.announced}")


async def acquire(process: PresenceProcess, user_id: UUID | None = None, device_id: str = "phone") -> Lease:
    lease = await process.heartbeat.acquire(a_socket(user_id, device_id))
    assert lease is not None
    return lease


async def test_acquire_when_a_second_socket_opens_then_online_only_once(start_process: StartProcess) -> None:
    process = await start_process()
    lease = await acquire(process)
    await acquire(process, lease.socket.user_id, "laptop")
    await process.sentinel()
    assert of(process.announced, lease.socket.user_id) == [True]


async def test_acquire_when_over_the_limit_then_none_and_others_stay(start_process: StartProcess) -> None:
    process = await start_process(max_sockets=1)
    lease = await acquire(process)
    assert await process.heartbeat.acquire(a_socket(lease.socket.user_id, "laptop")) is None
    await process.sentinel()
    assert of(process.announced, lease.socket.user_id) == [True]


async def test_release_when_the_last_socket_closes_then_offline_only_once(
    start_process: StartProcess,
) -> None:
    process, other = await start_process(), await start_process()
    lease = await acquire(process)
    closed_at = times.now()
    process.heartbeat.release(lease)
    process.heartbeat.release(lease)
    await until_announced(process, lease.socket.user_id, True, False)
    await other.sentinel()
    assert of(process.announced, lease.socket.user_id) == [True, False]
    (offline,) = [change for change in process.announced if not change.online]
    assert abs(offline.at - closed_at) < GRACE


async def test_release_when_within_the_grace_elsewhere_then_no_announcement(
    start_process: StartProcess,
) -> None:
    here, there = await start_process(), await start_process()
    lease = await acquire(here)
    here.heartbeat.release(lease)
    await acquire(there, lease.socket.user_id)
    # The sentinel comes and goes after the reload, so the grace of the reload is over.
    await here.sentinel()
    assert of(here.announced, lease.socket.user_id) == [True]


async def test_renew_when_sockets_stay_open_then_leases_outlast_their_end(
    start_process: StartProcess, store: PresenceStore
) -> None:
    process = await start_process()
    lease = await acquire(process)
    first_end = lease.held_until
    assert first_end is not None

    async def outlasted() -> bool:
        return process.heartbeat._clock() > first_end + INTERVALS.sweep_seconds

    await until(outlasted, "the first lease would have ended")
    await process.sentinel()
    assert of(process.announced, lease.socket.user_id) == [True]
    assert await store.states([lease.socket.user_id]) == {lease.socket.user_id: True}


async def test_sweep_when_a_process_crashed_then_each_user_is_announced_once(
    start_process: StartProcess,
) -> None:
    dying, second, third = await start_process(), await start_process(), await start_process()
    leases = [await acquire(dying) for _ in range(12)]
    stays = leases[0].socket.user_id
    await acquire(second, stays, "laptop")
    await dying.crash()
    for lease in leases[1:]:
        await until_announced(second, lease.socket.user_id, True, False)
    await third.sentinel()
    await second.sentinel()
    for lease in leases[1:]:
        assert of(second.announced, lease.socket.user_id) == [True, False]
    assert of(second.announced, stays) == [True]


async def test_renew_when_the_process_stood_still_then_users_come_online_again(
    start_process: StartProcess,
) -> None:
    still, other = await start_process(), await start_process()
    lease = await acquire(still)
    await still.crash()
    await until_announced(other, lease.socket.user_id, True, False)
    still.heartbeat._task = None
    still.heartbeat.start()
    await until_announced(other, lease.socket.user_id, True, False, True)


async def test_acquire_when_cancelled_then_the_lease_is_released(
    start_process: StartProcess, store: PresenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start_process()
    acquire, reached = store.acquire, asyncio.Event()

    async def acquire_and_hang(*args: object, **options: object) -> None:
        await acquire(*args, **options)  # type: ignore[arg-type]
        reached.set()
        await asyncio.Event().wait()

    socket = a_socket()
    with monkeypatch.context() as patched:
        patched.setattr(store, "acquire", acquire_and_hang)
        taking = asyncio.create_task(process.heartbeat.acquire(socket))
        await reached.wait()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
    await until(lambda: is_offline(store, socket.user_id), "the user went offline")


async def is_offline(store: PresenceStore, user_id: UUID) -> bool:
    return not (await store.states([user_id]))[user_id]


async def test_beat_when_a_connection_started_it_then_records_name_no_user(store: PresenceStore) -> None:
    seen: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    class Noting(PresenceStore):
        async def sweep(self, *, limit: int, ahead_seconds: float = 0) -> Swept:
            seen.put_nowait(context.log_fields())
            return await super().sweep(limit=limit, ahead_seconds=ahead_seconds)

    noting = Noting(store.redis, lease_seconds=INTERVALS.lease_seconds, shards=SHARDS)
    process = PresenceProcess(noting, [])
    context.user_id.set("of-a-user")
    process.heartbeat.start()
    assert await seen.get() == {}
    await process.crash()


async def test_stop_when_there_are_others_then_another_process_announces(
    start_process: StartProcess, store: PresenceStore
) -> None:
    stopping, other = await start_process(), await start_process()
    lease = await acquire(stopping)
    await stopping.heartbeat.stop()
    assert await store.devices(lease.socket.user_id) == []
    await until_announced(other, lease.socket.user_id, True, False)


async def test_stop_when_the_only_process_then_it_announces_everyone(start_process: StartProcess) -> None:
    process = await start_process(only_process=True)
    leases = [await acquire(process) for _ in range(50)]
    process.heartbeat.release(leases[0])
    await process.heartbeat.stop()
    for lease in leases:
        assert of(process.announced, lease.socket.user_id) == [True, False]
