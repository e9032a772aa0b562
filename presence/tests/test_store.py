"""The store and its scripts, on each kind of Redis. Leases end by time, or are moved into the past."""

from typing import Any

import pytest

from foundation import times
from foundation.ids import uuid7
from presence import keys
from presence.store import MAX_LEASES_PER_SCRIPT, SHARDS, SHARDS_IN_PROCESS, PresenceStore
from tests.kit.heartbeats import SLACK, a_socket, end_lease, release, swept
from tests.kit.waiting import until

pytestmark = pytest.mark.once  # presence lives in Redis


@pytest.fixture(params=[SHARDS_IN_PROCESS, SHARDS])
def shards(request: pytest.FixtureRequest) -> int:
    return int(request.param)


async def test_acquire_when_a_second_socket_then_only_the_first_came_online(store: PresenceStore) -> None:
    socket = a_socket()
    first = await store.acquire(socket, max_sockets=10)
    second = await store.acquire(a_socket(socket.user_id, "laptop"), max_sockets=10)
    assert first is not None
    assert (first.sockets, first.came_online) == (1, True)
    assert second is not None
    assert (second.sockets, second.came_online) == (2, False)
    assert abs(first.at - times.now()) < SLACK


async def test_acquire_when_repeated_then_the_socket_counts_once(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=1)
    again = await store.acquire(socket, max_sockets=1)
    assert again is not None
    assert (again.sockets, again.came_online) == (1, False)


async def test_acquire_when_over_the_limit_then_nothing_is_stored(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=1)
    assert await store.acquire(a_socket(socket.user_id, "laptop"), max_sockets=1) is None
    # "phone" begins with it, and is another device.
    assert await store.acquire(a_socket(socket.user_id, "pho"), max_sockets=1) is None
    assert await store.devices(socket.user_id) == ["phone"]


async def test_acquire_when_over_the_limit_then_replaces_the_devices_oldest(store: PresenceStore) -> None:
    user_id = uuid7()
    sockets = [a_socket(user_id, device) for device in ("laptop", "phone", "phone", "laptop")]
    # The order of their leases is not that of their connections.
    for socket in (sockets[2], sockets[1], sockets[3], sockets[0]):
        acquired = await store.acquire(socket, max_sockets=4)
        assert acquired is not None
        assert acquired.replaced is None
    for oldest in sockets[1:3]:
        newer = a_socket(user_id, "phone")
        acquired = await store.acquire(newer, max_sockets=4)
        assert acquired is not None
        assert (acquired.sockets, acquired.came_online, acquired.replaced) == (4, False, oldest.connection_id)
        again = await store.acquire(newer, max_sockets=4)
        assert again is not None
        assert again.replaced is None
    await store.release([release(socket) for socket in (sockets[0], sockets[3])])
    assert await store.devices(user_id) == ["phone"]


async def test_acquire_when_other_leases_have_ended_then_they_do_not_count(store: PresenceStore) -> None:
    dead = a_socket()
    await store.acquire(dead, max_sockets=1)
    await end_lease(store, dead)
    acquired = await store.acquire(a_socket(dead.user_id), max_sockets=1)
    assert acquired is not None
    assert (acquired.sockets, acquired.came_online) == (1, True)


async def test_acquire_when_within_the_grace_then_leaving_is_forgotten(
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
    assert last_seen.year == 1970  # the end of the lease, and not the first time of leaving


async def test_renew_when_the_lease_holds_then_it_ends_later(store: PresenceStore) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    name = keys.online_key(store.shard_of(socket.user_id))
    before = await store.redis.zscore(name, str(socket.user_id))

    async def moved() -> bool:
        (renewed,) = await store.renew([socket])
        assert (renewed.was_missing, renewed.sockets) == (False, 1)
        return await store.redis.zscore(name, str(socket.user_id)) > before

    await until(moved, "the lease ends later")


async def test_renew_when_another_lease_has_ended_then_it_does_not_count(store: PresenceStore) -> None:
    dead = a_socket()
    await store.acquire(dead, max_sockets=10)
    await end_lease(store, dead)
    (renewed,) = await store.renew([a_socket(dead.user_id)])
    assert renewed.sockets == 1


@pytest.mark.parametrize("loss", ["flushed", "announced", "taken", "none"])
async def test_renew_when_the_lease_has_ended_then_it_is_created_again(
    store: PresenceStore, loss: str
) -> None:
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    await end_lease(store, socket)
    if loss == "flushed":
        await store.redis.flushall()
    if loss in ("announced", "taken"):
        assert len(await swept(store)) == 1
    if loss == "announced":
        assert await store.confirm([socket.user_id])
    (renewed,) = await store.renew([socket])
    assert renewed.was_missing is (loss in ("flushed", "announced"))
    assert not await store.confirm([socket.user_id]), "the process that took the user has nothing to announce"
    assert await store.states([socket.user_id]) == {socket.user_id: True}
    assert await store.devices(socket.user_id) == ["phone"]


async def test_renew_when_over_several_scripts_then_answers_are_in_order(client: Any) -> None:
    store = PresenceStore(client, lease_seconds=60, shards=2)
    sockets = [a_socket() for _ in range(3 * MAX_LEASES_PER_SCRIPT)]
    known = sockets[:: MAX_LEASES_PER_SCRIPT // 4]
    for socket in known:
        await store.acquire(socket, max_sockets=10)
    renewed = await store.renew(sockets)
    assert [not answer.was_missing for answer in renewed] == [socket in known for socket in sockets]
    assert await store.count() == len(sockets)


async def test_states_and_devices_when_read_then_only_leases_count(store: PresenceStore) -> None:
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


async def test_sockets_key_when_its_leases_have_ended_then_it_expires(client: Any) -> None:
    store = PresenceStore(client, lease_seconds=0.2, shards=SHARDS)
    socket = a_socket()
    await store.acquire(socket, max_sockets=10)
    name = keys.sockets_key(store.shard_of(socket.user_id), socket.user_id)

    async def gone() -> bool:
        return not await client.exists(name)

    await until(gone, "the key expired")


async def test_has_lost_when_one_shard_lost_a_lease_then_true(store: PresenceStore) -> None:
    sockets = [a_socket() for _ in range(60)]
    assert not await store.has_lost([])
    await store.renew(sockets)
    assert not await store.has_lost(sockets)
    await store.redis.delete(keys.online_key(store.shard_of(sockets[-1].user_id)))
    assert await store.has_lost(sockets)
