"""Three processes over one Redis and one database are one chat: events, changes and logouts reach all of them."""

import asyncio
import contextlib
from typing import Any

from tests.kit.clients import ChatSocketClient
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

MESSAGES = 10
# Generous, because the test machine may be busy. benchmarks/convergence.py measures the real times.
BOUND_SECONDS = 30


async def contents(client: ChatSocketClient, room_id: str, *, last: str) -> list[str]:
    """Waits for the message `last`, and returns the contents of the room's messages up to it."""
    await client.expect(
        lambda frame: frame["event"] == "message:receive" and frame["data"]["content"] == last, seconds=30
    )
    received = [frame["data"] for frame in client.frames if frame["event"] == "message:receive"]
    return [message["content"] for message in received if message["roomId"] == room_id]


def presence_of(client: ChatSocketClient, user: ChatUser) -> list[bool]:
    """The presence updates about the user that the client received, in order: whether online."""
    updates = [frame["data"] for frame in client.frames if frame["event"] == "presence:update"]
    return [update["online"] for update in updates if update["userId"] == user.id]


def is_presence(user: ChatUser, *, online: bool) -> Any:
    def matches(frame: dict[str, Any]) -> bool:
        data = frame["data"]
        return frame["event"] == "presence:update" and (data["userId"], data["online"]) == (user.id, online)

    return matches


async def test_message_when_sent_in_any_process_then_reaches_all_in_order(
    trio: list[ChatServer],
) -> None:
    users = [server.sign_up() for server in trio]
    room_id = users[0].make_room(*users[1:])
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(user.connect()) for user in users]

        async def talk(number: int, socket: ChatSocketClient) -> None:
            for i in range(MESSAGES):
                await socket.reply("message:send", {"roomId": room_id, "content": f"{number}.{i}"})

        await asyncio.gather(*(talk(number, socket) for number, socket in enumerate(sockets)))
        users[0].send(room_id, "end")
        history = [message["content"] for message in users[0].history(room_id)]
        for socket in sockets:
            assert await contents(socket, room_id, last="end") == history
    assert len(history) == 3 * MESSAGES + 1


async def test_member_when_added_and_kicked_then_receives_only_in_between(
    trio: list[ChatServer],
) -> None:
    owner, member = trio[0].sign_up(), trio[1].sign_up()
    room_id = owner.make_room()
    owner.send(room_id, "before")
    async with member.connect() as here, member.on(trio[2]).connect() as there:
        answer = owner.on(trio[2]).http.post(f"/api/rooms/{room_id}/members", json={"userId": member.id})
        assert answer.status_code == 201
        for socket in (here, there):
            added = await socket.expect("room:added", seconds=BOUND_SECONDS)
            assert (added["data"]["id"], added["data"]["lastSeq"]) == (room_id, 1)
        owner.send(room_id, "welcome")
        for socket in (here, there):
            assert await contents(socket, room_id, last="welcome") == ["welcome"]
        assert owner.http.delete(f"/api/rooms/{room_id}/members/{member.id}").status_code == 204
        for socket in (here, there):
            await socket.expect("room:removed", seconds=BOUND_SECONDS)
        owner.send(room_id, "secret")
        other = owner.make_room(member)
        # The marker is sent after room:added, or it would already be in the snapshot of the room.
        for socket in (here, there):
            await socket.expect(lambda f: f["event"] == "room:added" and f["data"]["id"] == other)
        # Messages arrive in order: after the marker nothing of the secret can follow.
        owner.send(other, "marker")
        for socket in (here, there):
            assert await contents(socket, other, last="marker") == ["marker"]
            assert not [frame for frame in socket.frames if frame.get("data", {}).get("content") == "secret"]


async def test_logout_when_in_one_process_then_closes_its_sockets_in_all(
    trio: list[ChatServer],
) -> None:
    phone = trio[0].sign_up()
    laptop = phone.login(trio[1])
    async with contextlib.AsyncExitStack() as stack:
        phones = [await stack.enter_async_context(phone.on(server).connect()) for server in trio]
        laptops = [await stack.enter_async_context(laptop.on(server).connect()) for server in trio]
        answer = phone.on(trio[2]).http.post("/api/auth/logout", json={"refreshToken": phone.refresh_token})
        assert answer.status_code == 204
        assert [await socket.close_code(seconds=BOUND_SECONDS) for socket in phones] == [4401] * 3
        for socket in laptops:
            await socket.reply("ping")


async def test_typing_when_its_socket_vanishes_then_ends_in_other_processes(
    trio: list[ChatServer],
) -> None:
    alice, bob = trio[0].sign_up(), trio[1].sign_up()
    room_id = alice.make_room(bob)
    async with bob.connect() as listener, alice.on(trio[2]).connect() as own:
        async with alice.connect() as typist:
            await typist.reply("typing", {"roomId": room_id, "isTyping": True})
            begun = await listener.expect("typing")
            assert begun["data"] == {"roomId": room_id, "userId": alice.id, "isTyping": True}
        assert not (await listener.expect("typing"))["data"]["isTyping"]
        assert not [frame for frame in await own.read_all() if frame["event"] == "typing"]


async def test_typing_when_a_device_of_another_process_stops_then_goes_on(trio: list[ChatServer]) -> None:
    one, two, _ = trio
    alice, bob = one.sign_up("alice"), one.sign_up("bob")
    room_id = alice.make_room(bob)
    async with (
        alice.connect() as phone,
        alice.on(two).connect() as laptop,
        bob.connect() as here,
        bob.on(two).connect() as there,
    ):
        for device in (phone, laptop):
            await device.reply("typing", {"roomId": room_id, "isTyping": True})
        await phone.reply("typing", {"roomId": room_id, "isTyping": False})
        # The processes do not know each other's devices: typing is shown again a moment after it ended. Events of
        # two processes may come in either order.
        for listener in (here, there):
            shown = [(await listener.expect("typing", seconds=5))["data"]["isTyping"] for _ in range(4)]
            assert (shown[0], sorted(shown[1:3]), shown[3]) == (True, [False, True], True)
        await laptop.reply("typing", {"roomId": room_id, "isTyping": False})
        for listener in (here, there):
            assert (await listener.expect("typing"))["data"]["isTyping"] is False


async def test_presence_when_a_process_is_killed_then_its_users_go_offline(
    trio: list[ChatServer],
) -> None:
    watchers = [trio[0].sign_up(), trio[1].sign_up()]
    lost, kept = trio[2].sign_up("lost"), trio[2].sign_up("kept")
    watchers[0].make_room(watchers[1], lost, kept)
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(watcher.connect()) for watcher in watchers]
        for user in (lost, kept):
            with contextlib.suppress(ConnectionError):
                await stack.enter_async_context(_dying(user))
            for socket in sockets:
                await socket.expect(is_presence(user, online=True), seconds=BOUND_SECONDS)
        await stack.enter_async_context(kept.on(trio[1]).connect())
        trio[2].kill()
        for socket in sockets:
            await socket.expect(is_presence(lost, online=False), seconds=BOUND_SECONDS)
        trio[2].start()
        # Announced after everything that the crash caused.
        async with lost.on(trio[2]).connect():
            for socket in sockets:
                await socket.expect(is_presence(lost, online=True), seconds=BOUND_SECONDS)
                assert presence_of(socket, lost) == [True, False, True]
                assert presence_of(socket, kept) == [True]
        states = watchers[0].http.get(f"/api/users/{kept.id}/presence").json()
        assert states["online"] is True


async def test_presence_when_a_client_reloads_elsewhere_then_stays_online(
    trio: list[ChatServer],
) -> None:
    watcher, user = trio[0].sign_up(), trio[1].sign_up()
    watcher.make_room(user)
    async with watcher.connect() as socket:
        async with user.connect():
            await socket.expect(is_presence(user, online=True))
        async with user.on(trio[2]).connect():
            pass
        await socket.expect(is_presence(user, online=False), seconds=BOUND_SECONDS)
        assert presence_of(socket, user) == [True, False], (
            "the reload is not announced, the end is announced once"
        )


@contextlib.asynccontextmanager
async def _dying(user: ChatUser) -> Any:
    """Opens a socket whose server will be killed, so closing it may fail."""
    try:
        async with user.connect() as client:
            yield client
    except OSError:
        pass
