"""The reference clients follow docs/protocol.md, against a real server. About two minutes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from chat_client import ChatClient, ChatError, SignedOut
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

# The page keeps no state, and has no way to send any request that one likes.
libraries = pytest.mark.parametrize("make_agent", ["python", "javascript"], indirect=True)


def numbered(count: int, start: int = 1) -> list[tuple[int, str]]:
    return [(seq, f"message {seq}") for seq in range(start, start + count)]


async def send_many(user: ChatUser, room_id: str, count: int, start: int = 1) -> None:
    headers = {"Authorization": f"Bearer {user.access_token}"}
    async with httpx.AsyncClient(base_url=user.server.base_url, headers=headers, timeout=30) as http:
        for _, content in numbered(count, start):
            answer = await http.post(f"/api/rooms/{room_id}/messages", json={"content": content})
            assert answer.status_code == 201


async def test_client_when_others_write_then_gets_all_and_acknowledges(
    alice: ChatUser, bob: ChatUser, make_agent: Callable[[], Any]
) -> None:
    writer, reader = make_agent(), make_agent()
    room_id = alice.make_room(bob)
    await writer.start(alice)
    await reader.start(bob)
    await writer.open(room_id)
    await reader.open(room_id)
    for _, content in numbered(3):
        await writer.send({"roomId": room_id, "content": content})
    await reader.until(lambda: reader.messages(room_id) == numbered(3))
    await writer.until(
        lambda: any(
            ack["userId"] == bob.id and ack["deliveredSeq"] == 3 for ack in writer.came("message:ack")
        )
    )


@libraries
async def test_client_when_the_server_refuses_then_raises_its_error(
    alice: ChatUser, make_agent: Callable[[], Any]
) -> None:
    agent = make_agent()
    await agent.start(alice)
    with pytest.raises(ChatError) as refused:
        await agent.send({"roomId": alice.id, "content": "nobody there"})
    assert refused.value.code == "not_found"
    with pytest.raises(ChatError) as refused:
        await agent.rest("GET", f"/api/rooms/{alice.id}")
    assert refused.value.code == "not_found"


async def test_client_when_cut_off_then_resumes_without_gap_or_repeat(
    alice: ChatUser, bob: ChatUser, make_agent: Callable[[], Any]
) -> None:
    room_id = alice.make_room(bob)
    agent = make_agent()
    await agent.start(bob)
    await agent.open(room_id)
    for start in (1, 11, 21):
        await agent.drop()
        await send_many(alice, room_id, 10, start)
    await agent.until(lambda: len(agent.messages(room_id)) >= 30)
    assert agent.messages(room_id) == numbered(30)


@libraries
async def test_client_when_started_with_state_then_gets_news_and_edits(
    alice: ChatUser, bob: ChatUser, make_agent: Callable[[], Any]
) -> None:
    room_id = alice.make_room(bob)
    agent = make_agent()
    await agent.start(bob)
    await send_many(alice, room_id, 3)
    await agent.until(lambda: len(agent.messages(room_id)) == 3)
    state = await agent.state()
    await agent.stop()

    first = alice.history(room_id)[0]
    alice.http.patch(f"/api/rooms/{room_id}/messages/{first['id']}", json={"content": "edited"})
    await send_many(alice, room_id, 3, 4)
    again = make_agent()
    await again.start(bob, state=state)
    await again.until(
        lambda: again.messages(room_id) == numbered(3, 4) and bool(again.came("message:updated"))
    )
    assert {update["content"] for update in again.came("message:updated")} == {"edited"}


@libraries
@pytest.mark.once  # 510 messages for each client; a test of resume in messaging has as many on any database
async def test_client_when_a_gap_is_large_then_reads_history(
    alice: ChatUser, bob: ChatUser, make_agent: Callable[[], Any]
) -> None:
    room_id = alice.make_room(bob)
    agent = make_agent()
    state = {"rooms": {room_id: 0}, "since": "2026-01-01T00:00:00.000Z"}
    async with alice.connect() as socket:
        for seq, content in numbered(510):
            await socket.send("message:send", {"roomId": room_id, "content": content}, ref=seq)
        await socket.expect(lambda frame: frame.get("ref") == 510, seconds=100)
    await agent.start(bob, state=state)
    await agent.until(lambda: len(agent.messages(room_id)) >= 510)
    assert [seq for seq, _ in agent.messages(room_id)] == list(range(1, 511))


@libraries
async def test_client_when_missed_messages_are_archived_then_goes_on(
    server: ChatServer, alice: ChatUser, bob: ChatUser, make_agent: Callable[[], Any], tmp_path: Path
) -> None:
    room_id = alice.make_room(bob)
    await send_many(alice, room_id, 8)
    archiving = ["archive_messages", "--older-than", "0.001s", "--grace", "0", "--room", room_id]
    await asyncio.to_thread(server.manage, *archiving, "--to", str(tmp_path))  # all but the last
    agent = make_agent()
    await agent.start(bob, state={"rooms": {room_id: 2}, "since": "2026-01-01T00:00:00.000Z"})
    await agent.until(lambda: agent.messages(room_id) == numbered(1, 8))
    await send_many(alice, room_id, 2, 9)
    await agent.until(lambda: agent.messages(room_id) == numbered(3, 8))
    assert (await agent.state())["rooms"][room_id] == 10
    assert len(agent.sent("resume")) < 5  # it does not ask again for messages that nobody has


@libraries
async def test_client_when_added_to_a_room_while_away_then_gets_messages(
    alice: ChatUser, bob: ChatUser, make_agent: Callable[[], Any]
) -> None:
    agent = make_agent()
    await agent.start(bob)
    room_id = alice.make_room(name="old")
    await send_many(alice, room_id, 2)
    await agent.drop()
    answer = alice.http.post(f"/api/rooms/{room_id}/members", json={"userId": bob.id})
    assert answer.status_code == 201
    await send_many(alice, room_id, 3, 3)
    await agent.until(lambda: len(agent.messages(room_id)) >= 3)
    assert agent.messages(room_id) == numbered(3, 3)


@libraries
async def test_client_when_the_server_dies_then_each_send_is_stored_once(
    start_server: Callable[..., ChatServer], make_agent: Callable[[], Any]
) -> None:
    server = start_server()
    alice = server.sign_up("alice")
    room_id = alice.make_room()
    agent = make_agent()
    await agent.start(alice)
    sends = [asyncio.create_task(agent.send({"roomId": room_id, "content": f"n{n}"})) for n in range(40)]
    await asyncio.wait(sends, return_when=asyncio.FIRST_COMPLETED)
    server.kill()
    await asyncio.to_thread(server.start, migrate=False)
    await asyncio.gather(*sends)
    contents = [message["content"] for message in alice.history(room_id)]
    assert sorted(contents) == sorted(f"n{n}" for n in range(40))
    await agent.until(lambda: len(agent.messages(room_id)) >= 40)
    assert [seq for seq, _ in agent.messages(room_id)] == list(range(1, 41))


@pytest.mark.slow  # waits for a token, or a limit, of ten seconds
@libraries
async def test_client_when_its_token_runs_out_then_keeps_the_connection(
    start_server: Callable[..., ChatServer], make_agent: Callable[[], Any]
) -> None:
    # Renewed after eight seconds, so that a busy machine has two more.
    server = start_server(ACCESS_TOKEN_SECONDS="10")
    alice = server.sign_up("alice")
    agent = make_agent()
    await agent.start(alice)
    await agent.until(lambda: len(agent.sent("auth:refresh")) >= 2)
    assert len(agent.came("ready")) == 1
    assert (await agent.rest("GET", "/api/users/me"))["id"] == alice.id


async def test_client_when_its_token_is_bad_then_renews_it_and_connects(
    alice: ChatUser, make_agent: Callable[[], Any]
) -> None:
    agent = make_agent()
    await agent.start(alice, accessToken="expired.long.ago")
    await agent.until(lambda: len(agent.came("ready")) == 1)


@libraries
async def test_client_when_its_session_has_ended_then_raises_signed_out(
    alice: ChatUser, make_agent: Callable[[], Any]
) -> None:
    agent = make_agent()
    await agent.start(alice)
    answer = alice.http.post("/api/auth/logout", json={"refreshToken": alice.refresh_token})
    assert answer.status_code == 204
    await agent.drop()
    with pytest.raises(SignedOut):
        await agent.send({"toUserId": alice.id, "content": "am I still here?"})


async def test_request_when_cancelled_as_its_answer_comes_then_ends(alice: ChatUser) -> None:
    tasks: list[asyncio.Task[Any]] = []

    def cancel_at_the_answer(direction: str, frame: dict[str, Any]) -> None:
        if direction == "in" and tasks and frame["event"] == "reply":
            asyncio.get_running_loop().call_soon(tasks[0].cancel)

    client = ChatClient(alice.server.base_url, access_token=alice.access_token, on_frame=cancel_at_the_answer)
    async with client:
        tasks.append(asyncio.create_task(client.request("ping")))
        await asyncio.wait(tasks)
    assert tasks[0].cancelled()
