"""Heads and watermarks written after the answer: kept by a stop, recovered after a crash. About ten seconds."""

import signal
from collections.abc import Callable

from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

MESSAGES = 30
RECOVERY_SECONDS = 30.0  # the hub reads the logs every 4 s


async def send_messages(server: ChatServer) -> tuple[ChatUser, ChatUser, str]:
    """Let Ann send MESSAGES messages to a room with Ben, and return when the last one is delivered.

    At that moment the messages are stored; their marks may still be pending.
    """
    ann, ben = server.sign_up("ann"), server.sign_up("ben")
    room_id = ann.make_room(ben)
    async with ann.connect() as client:
        for number in range(MESSAGES):
            await client.send("message:send", {"roomId": room_id, "content": str(number)})
        await client.expect(lambda f: f["event"] == "message:receive" and f["data"]["seq"] == MESSAGES)
    return ann, ben, room_id


def counted(user: ChatUser, room_id: str) -> tuple[int, int, str]:
    (room,) = (room for room in user.http.get("/api/rooms").json()["results"] if room["id"] == room_id)
    return room["lastSeq"], room["unreadCount"], room["lastMessage"]["content"]


ALL, NONE_UNREAD = (MESSAGES, MESSAGES, str(MESSAGES - 1)), (MESSAGES, 0, str(MESSAGES - 1))


async def test_marks_when_the_server_was_stopped_then_are_all_written(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server()
    ann, ben, room_id = await send_messages(server)
    server.send_signal(signal.SIGTERM)
    server.wait(20)
    server.start(migrate=False)
    assert (counted(ben, room_id), counted(ann, room_id)) == (ALL, NONE_UNREAD)


async def test_marks_when_the_server_was_killed_then_are_recovered(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server()
    ann, ben, room_id = await send_messages(server)
    server.kill()
    server.start(migrate=False)
    async with ben.connect():  # the hub reads the logs of rooms that have subscribers
        await until(
            lambda: (counted(ben, room_id), counted(ann, room_id)) == (ALL, NONE_UNREAD),
            "the marks are recovered",
            seconds=RECOVERY_SECONDS,
            poll_seconds=0.1,
        )


async def test_room_when_another_process_has_just_stored_then_counts_all(
    redis_server: RedisServer, start_server: Callable[..., ChatServer]
) -> None:
    here = start_server(REDIS_URL=redis_server.url)
    there = start_server(REDIS_URL=redis_server.url, DATA_DIR=here.env["DATA_DIR"])
    cleo = here.sign_up("cleo").on(there)
    ann, ben, room_id = await send_messages(here)
    room = ben.on(there).http.get(f"/api/rooms/{room_id}").json()
    assert (room["lastSeq"], room["unreadCount"], room["lastMessage"]["content"]) == ALL
    assert {member["userId"]: member["readSeq"] for member in room["members"]} == {
        ann.id: MESSAGES,
        ben.id: 0,
    }

    async with ann.connect() as client:
        await client.reply("message:send", {"roomId": room_id, "content": "one more"})
    ann.on(there).http.post(f"/api/rooms/{room_id}/members", json={"userId": cleo.id})
    assert counted(cleo, room_id) == (MESSAGES + 1, 0, "one more")
