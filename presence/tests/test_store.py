"""The scripts, on every kind of Redis. Leases are ended by setting them into the past, or by waiting for it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from redis.crc import key_slot

from presence import keys
from presence.leases import Ended, Release, Socket
from presence.store import LEASES_A_SCRIPT, PresenceStore
from realtime import times
from realtime.ids import uuid7

from .kit import INTERVALS, a_socket, until

SLACK = timedelta(seconds=1)


async def end_lease(store: PresenceStore, socket: Socket) -> None:
    """Have the socket's lease, and its user's, end in 1970."""
    shard = store.shard_of(socket.user_id)
    await store.redis.zadd(keys.sockets_key(shard, socket.user_id), {socket.member: 1000}, xx=True)
    await store.redis.zadd(keys.online_key(shard), {str(socket.user_id): 1000}, xx=True)


def release(socket: Socket, *, grace: float = 0.0, age: float = 0.0, restore: float = 0.0) -> Release:
    return Release(socket, grace_seconds=grace, age_seconds=age, restore_seconds=restore)


async def swept(store: PresenceStore) -> list[Ended]:
    return (await store.sweep(limit=100)).ended


async def test_acquire_first_and_second_socket_then_only_the_first_came_online(store: PresenceStore) -> None:
    socket = a_socket()
    first = await store.acquire(socket, max_sockets=10)
    second = await store.acquire(a_socket(socket.user_id, "laptop"), max_sockets=10)
    assert first is not None
    assert (first.sockets, first.came_online) == (1, True)
    assert second is not None
    assert (second.sockets, second.came_online) == (2, False)
    assert abs(first.at - times.now()) < SLACK


async def test_acquire_twice_for_one_socket_then_it_counts_once(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=1)
    again = await store.acquire(socket, max_sockets=1)
    assert again is not None
    assert (again.sockets, again.came_online) == (1, False)


async def test_acquire_over_the_limit_then_it_is_refused_and_nothing_is_kept(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=1)
    assert await store.acquire(a_socket(socket.user_id, "laptop"), max_sockets=1) is None
    assert await store.devices(socket.user_id) == ["phone"]


async def test_acquire_when_others_have_run_out_then_they_do_not_count(store: PresenceStore) -> None:
    dead = a_socket()
    await store.acquire(dead, max_sockets=1)
    await end_lease(store, dead)
    acquired = await store.acquire(a_socket(dead.user_id), max_sockets=1)
    assert acquired is not None
    assert (acquired.sockets, acquired.came_online) == (1, True)


async def test_acquire_within_the_grace_then_it_is_silent_and_the_leaving_forgotten(
    store: PresenceStore,
) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await store.release([release(socket, grace=60, age=30)])
    again = await store.acquire(a_socket(socket.user_id), max_sockets=10)
    assert again is not None
    assert not again.came_online
    await end_lease(store, socket)
    ((_, last_seen),) = await swept(store)
    assert last_seen.year == 1970  # the lease's end, not the first time of leaving


async def test_release_of_the_last_socket_then_online_through_the_grace_and_swept_with_the_time_of_leaving(
    store: PresenceStore,
) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await store.release([release(socket, grace=0.4, age=30)])
    assert await store.states([socket.user_id]) == {socket.user_id: True}
    assert await store.devices(socket.user_id) == []
    found: list[Ended] = []

    async def taken() -> bool:
        found.extend(await swept(store))
        return bool(found)

    await until(taken, "the user was swept after the grace")
    assert [ended.user_id for ended in found] == [socket.user_id]
    assert abs(times.now() - timedelta(seconds=30) - found[0].last_seen) < 2 * SLACK
    assert await store.states([socket.user_id]) == {socket.user_id: False}


async def test_release_when_another_socket_stays_then_the_user_does_too(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await store.acquire(a_socket(socket.user_id, "laptop"), max_sockets=10)
    name = keys.online_key(store.shard_of(socket.user_id))
    laptop_end = await store.redis.zscore(name, str(socket.user_id))
    await store.release([release(socket, grace=0.001)])
    assert await store.redis.zscore(name, str(socket.user_id)) == laptop_end
    assert await swept(store) == []
    assert await store.devices(socket.user_id) == ["laptop"]


async def test_release_when_the_user_was_swept_then_nothing_is_put_back(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await end_lease(store, socket)
    assert len(await swept(store)) == 1
    await store.release([release(socket, grace=60)])
    assert await store.count() == 0


async def test_release_when_redis_lost_the_user_then_the_end_is_swept_all_the_same(
    store: PresenceStore,
) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await store.redis.flushall()
    await store.release([release(socket, age=5, restore=60)])
    assert await store.states([socket.user_id]) == {socket.user_id: True}
    ((user_id, last_seen),) = (await store.sweep(limit=10, ahead_seconds=60)).ended
    assert user_id == socket.user_id
    assert abs(times.now() - timedelta(seconds=5) - last_seen) < SLACK


async def test_sweep_by_many_at_once_then_each_user_is_taken_once(store: PresenceStore) -> None:
    sockets = [a_socket() for _ in range(60)]
    await store.renew(sockets)
    for socket in sockets:
        await end_lease(store, socket)
    results = await asyncio.gather(
        *(store.sweep(limit=2) for _ in range(12)), *(swept(store) for _ in range(2))
    )
    taken = [ended for result in results for ended in (result if isinstance(result, list) else result.ended)]
    assert sorted(user_id for user_id, _ in taken) == sorted(socket.user_id for socket in sockets)


async def test_sweep_after_a_crash_then_last_seen_is_the_end_of_the_lease(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await end_lease(store, socket)
    ((_, last_seen),) = await swept(store)
    assert last_seen == times.from_timestamp(1)


async def test_sweep_before_the_end_then_it_says_when_to_come_again(store: PresenceStore) -> None:
    assert (await store.sweep(limit=10)).next_seconds is None
    await store.acquire(a_socket(), max_sockets=10)
    result = await store.sweep(limit=10)
    assert result.ended == []
    assert result.next_seconds is not None
    assert 0 < result.next_seconds <= INTERVALS.lease_seconds


async def test_sweep_with_a_limit_then_the_rest_waits_and_is_due_at_once(client: Any) -> None:
    store = PresenceStore(client, lease_seconds=60, shards=1)
    sockets = [a_socket() for _ in range(5)]
    await store.renew(sockets)
    for socket in sockets:
        await end_lease(store, socket)
    first = await store.sweep(limit=3)
    assert (len(first.ended), first.next_seconds) == (3, 0)
    assert len((await store.sweep(limit=3)).ended) == 2


async def test_renew_when_all_is_well_then_the_lease_moves_on(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    name = keys.online_key(store.shard_of(socket.user_id))
    before = await store.redis.zscore(name, str(socket.user_id))

    async def moved() -> bool:
        (renewed,) = await store.renew([socket])
        assert (renewed.was_gone, renewed.sockets) == (False, 1)
        return await store.redis.zscore(name, str(socket.user_id)) > before

    await until(moved, "the lease ends later")


async def test_renew_when_another_socket_has_run_out_then_it_does_not_count(store: PresenceStore) -> None:
    dead = a_socket()
    await store.acquire(dead, max_sockets=10)
    await end_lease(store, dead)
    (renewed,) = await store.renew([a_socket(dead.user_id)])
    assert renewed.sockets == 1


@pytest.mark.parametrize("loss", ["flush", "sweep", "none"])
async def test_renew_when_the_lease_ended_then_it_is_made_anew_and_a_loss_is_said(
    store: PresenceStore, loss: str
) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await end_lease(store, socket)
    if loss == "flush":
        await store.redis.flushall()
    if loss == "sweep":
        assert len(await swept(store)) == 1
    (renewed,) = await store.renew([socket])
    assert renewed.was_gone is (loss != "none")
    assert await store.states([socket.user_id]) == {socket.user_id: True}
    assert await store.devices(socket.user_id) == ["phone"]


async def test_renew_of_more_than_a_script_takes_then_each_is_answered_in_its_place(client: Any) -> None:
    store = PresenceStore(client, lease_seconds=60, shards=2)
    sockets = [a_socket() for _ in range(3 * LEASES_A_SCRIPT)]
    known = sockets[:: LEASES_A_SCRIPT // 4]
    for socket in known:
        await store.acquire(socket, max_sockets=10)
    renewed = await store.renew(sockets)
    assert [not answer.was_gone for answer in renewed] == [socket in known for socket in sockets]
    assert await store.count() == len(sockets)


async def test_states_and_devices_then_they_show_what_holds_a_lease(store: PresenceStore) -> None:
    user_id, stranger = uuid7(), uuid7()
    dead = a_socket(user_id, "dead")
    for socket in (
        dead,
        a_socket(user_id, "phöne 1"),
        a_socket(user_id, "phöne 1"),
        a_socket(user_id, "tab"),
    ):
        await store.acquire(socket, max_sockets=10)
    name = keys.sockets_key(store.shard_of(user_id), user_id)
    await store.redis.zadd(name, {dead.member: 1000}, xx=True)
    assert await store.devices(user_id) == ["phöne 1", "tab"]
    assert await store.states([user_id, stranger, user_id]) == {user_id: True, stranger: False}
    assert await store.states([]) == {}
    assert await store.count() == 1


async def test_sockets_of_a_user_who_is_gone_then_they_leave_redis_by_themselves(client: Any) -> None:
    store = PresenceStore(client, lease_seconds=0.2)
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    name = keys.sockets_key(store.shard_of(socket.user_id), socket.user_id)

    async def gone() -> bool:
        return not await client.exists(name)

    await until(gone, "the key expired")


def test_keys_of_a_shard_then_they_lie_in_one_slot_and_shards_do_not() -> None:
    slots = set()
    for shard in range(16):
        names = [keys.online_key(shard), keys.left_key(shard), keys.sockets_key(shard, uuid7())]
        assert len({key_slot(name.encode()) for name in names}) == 1
        slots.add(key_slot(names[0].encode()))
    assert len(slots) == 16
