"""The scripts, on every kind of Redis. Leases are ended by setting them into the past, or by waiting for it."""

from typing import Any

import pytest
from redis.crc import key_slot

from foundation import times
from foundation.ids import uuid7
from presence import keys
from presence.store import LEASES_A_SCRIPT, PresenceStore
from tests.kit.heartbeats import SLACK, a_socket, end_lease, release, swept
from tests.kit.waiting import until

pytestmark = pytest.mark.once  # presence lives in Redis


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


@pytest.mark.parametrize("loss", ["flushed", "told", "taken", "none"])
async def test_renew_when_the_lease_ended_then_it_is_made_anew_and_a_loss_is_said(
    store: PresenceStore, loss: str
) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await end_lease(store, socket)
    if loss == "flushed":
        await store.redis.flushall()
    if loss in ("told", "taken"):
        assert len(await swept(store)) == 1
    if loss == "told":
        assert await store.confirm([socket.user_id])
    (renewed,) = await store.renew([socket])
    assert renewed.was_gone is (loss in ("flushed", "told"))
    assert not await store.confirm([socket.user_id]), "whoever took them has nothing to tell any more"
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
        names = [
            keys.online_key(shard),
            keys.left_key(shard),
            keys.taken_key(shard),
            keys.sockets_key(shard, uuid7()),
        ]
        assert len({key_slot(name.encode()) for name in names}) == 1
        slots.add(key_slot(names[0].encode()))
    assert len(slots) == 16
