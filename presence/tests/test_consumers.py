"""Events and queries of presence over sockets of one server."""

import contextlib
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.kit.clients import ChatSocketClient
from tests.kit.errors import check_error
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

GRACE_SECONDS = 3.0
LIMITED = 4429


async def until_update(client: ChatSocketClient, user: ChatUser, *, online: bool) -> dict[str, Any]:
    frame = await client.expect(
        lambda frame: frame["event"] == "presence:update" and frame["data"]["userId"] == user.id
    )
    assert set(frame["data"]) == {"userId", "online", "lastSeen"}
    assert frame["data"]["online"] is online, frame
    return frame["data"]


def updates_of(client: ChatSocketClient, user: ChatUser) -> list[bool]:
    return [
        frame["data"]["online"]
        for frame in client.frames
        if frame["event"] == "presence:update" and frame["data"]["userId"] == user.id
    ]


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.smoke
async def test_connect_when_a_room_is_shared_then_peers_get_each_change_once(
    alice: ChatUser, bob: ChatUser
) -> None:
    alice.make_room(bob)
    # Two rooms in common are still one event.
    alice.make_room(bob)
    async with alice.connect() as watching:
        async with bob.connect():
            await until_update(watching, bob, online=True)
            answer = await watching.reply("ping")
        offline = await until_update(watching, bob, online=False)
        left_after = time_of(offline["lastSeen"]) - time_of(answer["serverTime"])
        assert timedelta(0) <= left_after < timedelta(seconds=GRACE_SECONDS)
        await watching.read_all()
        assert updates_of(watching, bob) == [True, False]
        assert updates_of(watching, alice) == [], "a user gets no events about themselves"
    assert alice.http.get(f"/api/users/{bob.id}").json()["lastSeen"] == offline["lastSeen"]


async def test_reload_when_within_the_grace_then_nothing_is_published(
    alice: ChatUser, bob: ChatUser, carol: ChatUser
) -> None:
    alice.make_room(bob, carol)
    async with alice.connect() as watching:
        async with bob.connect(device_id="laptop"):
            await until_update(watching, bob, online=True)
        async with bob.connect(device_id="laptop"):
            async with carol.connect():
                await until_update(watching, carol, online=True)
            # Carol left after Bob's reload, so his grace would have ended before hers.
            await until_update(watching, carol, online=False)
            assert updates_of(watching, bob) == [True]


async def test_disconnect_when_another_device_stays_then_user_stays_online(
    alice: ChatUser, bob: ChatUser, carol: ChatUser
) -> None:
    alice.make_room(bob, carol)
    async with alice.connect() as watching, bob.connect(device_id="phone"):
        await until_update(watching, bob, online=True)
        async with bob.connect(device_id="laptop"), carol.connect():
            await until_update(watching, carol, online=True)
            seen = alice.http.get(f"/api/users/{bob.id}/presence").json()
            assert seen["devices"] == ["laptop", "phone"]
        await until_update(watching, carol, online=False)
        assert updates_of(watching, bob) == [True]
        assert alice.http.get(f"/api/users/{bob.id}/presence").json()["devices"] == ["phone"]


async def test_connect_when_no_room_is_shared_then_the_user_is_hidden(
    alice: ChatUser, bob: ChatUser, carol: ChatUser
) -> None:
    alice.make_room(bob)
    async with alice.connect() as watching, carol.connect(), bob.connect():
        await until_update(watching, bob, online=True)
        assert updates_of(watching, carol) == []
        unknown = str(uuid.uuid4())
        states = await watching.reply(
            "presence:query", {"userIds": [bob.id, carol.id, unknown, alice.id, bob.id]}
        )
        assert {user_id: state["online"] for user_id, state in states.items()} == {
            bob.id: True,
            alice.id: True,
        }
        assert all(set(state) == {"online", "lastSeen"} for state in states.values())


async def test_connect_when_the_room_is_large_then_only_a_query_shows_it(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(PRESENCE_ROOM_LIMIT="2")
    alice, bob, carol = (server.sign_up() for _ in range(3))
    alice.make_room(bob, carol)
    alice.make_room(carol)
    async with alice.connect() as watching, bob.connect() as other, carol.connect():
        await until_update(watching, carol, online=True)
        assert updates_of(watching, bob) == updates_of(other, carol) == []
        states = await watching.reply("presence:query", {"userIds": [bob.id]})
        assert states[bob.id]["online"] is True


async def test_query_when_a_user_was_never_seen_then_offline_without_time(
    ann: ChatUser, bob: ChatUser
) -> None:
    ann.make_room(bob)
    async with ann.connect() as client:
        assert await client.reply("presence:query", {"userIds": [bob.id]}) == {
            bob.id: {"online": False, "lastSeen": None}
        }
        assert await client.reply("presence:query", {"userIds": []}) == {}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"userIds": ["me"]}, "userIds[0]"),
        ({"userIds": [7]}, "userIds[0]"),
        ({"userIds": "all"}, "userIds"),
        ({"userIds": None}, "userIds"),
        ({"userIds": [str(uuid.uuid4()) for _ in range(201)]}, "userIds"),
        ({}, "userIds"),
        ({"userIds": [], "online": True}, "online"),
    ],
)
async def test_query_when_malformed_then_invalid_names_the_field(
    ann: ChatUser, data: Any, field: str
) -> None:
    async with ann.connect() as client:
        check_error(await client.error("presence:query", data), "invalid", field)
        assert await client.reply("presence:query", {"userIds": []}) == {}


async def opens(user: ChatUser) -> bool:
    """Whether the user can open one more socket, which is then closed."""
    async with user.connect(ready=False) as client:
        try:
            await client.expect("ready")
        except ConnectionClosed:
            return False
        return True


@pytest.mark.parametrize("devices", [("phone", "phone"), ("phone", "laptop"), ("laptop", "phone")])
async def test_connect_when_over_the_limit_then_replaces_the_devices_oldest(
    start_server: Callable[..., ChatServer], devices: tuple[str, str]
) -> None:
    server = start_server(MAX_CONNECTIONS_USER="2")
    user = server.sign_up()
    async with user.connect(device_id=devices[0]) as first, user.connect(device_id=devices[1]) as second:
        # Two of one device are two tabs.
        await first.reply("ping")
        async with user.connect(device_id="phone") as third:
            replaced, other = (first, second) if devices[0] == "phone" else (second, first)
            assert await replaced.close_code() == LIMITED
            await third.reply("ping")
            await other.reply("ping")
            async with user.connect(device_id="tablet", ready=False) as refused:
                assert await refused.close_code() == LIMITED


async def test_connect_when_its_sockets_are_silent_then_is_not_refused(
    start_server: Callable[..., ChatServer],
) -> None:
    """A phone whose network comes and goes: nothing answers on the sockets that it leaves behind."""
    server = start_server(MAX_CONNECTIONS_USER="3")
    user = server.sign_up()
    async with contextlib.AsyncExitStack() as left_behind:
        for _ in range(9):
            client = await left_behind.enter_async_context(user.connect(device_id="phone"))
            client.ws.transport.pause_reading()
            left_behind.callback(client.ws.transport.abort)
        async with user.connect(device_id="phone") as client:
            await client.reply("ping")


async def test_connect_when_over_the_limit_then_4429_until_one_leaves(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(MAX_CONNECTIONS_USER="2")
    user = server.sign_up()
    async with user.connect():
        async with user.connect(), user.connect(ready=False) as third:
            assert await third.close_code() == LIMITED
            assert third.frames == []
        await until(lambda: opens(user), "a place was free after one left")
