"""The reference clients on bad networks and at bad moments: nothing is lost or doubled, and nothing loops."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chat_client import SignedOut
from tests.kit.hostile_proxy import Fault, HostileProxy
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .test_clients import numbered, send_many

pytestmark = pytest.mark.once  # about networks; test_clients runs on every database

# Short enough for a test, long enough for a busy machine.
# What these do to a connection they do when it begins.
AT_HANDSHAKES = {
    Fault.REFUSE_404,
    Fault.REFUSE_502,
    Fault.STALL_BEFORE_101,
    Fault.STALL_AFTER_101,
    Fault.END_AFTER_101,
}
TIMEOUTS = {"readyMs": 4000, "answerMs": 4000, "pingMs": 1000}
LONG_TIMEOUTS = {"readyMs": 60_000, "answerMs": 60_000, "pingMs": 60_000}


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
async def test_client_when_the_network_fails_then_nothing_is_lost(
    alice: ChatUser, bob: ChatUser, make_agent: Callable[[], Any], proxy: HostileProxy, fault: Fault
) -> None:
    room_id = alice.make_room(bob)
    agent = make_agent()
    await agent.start(bob, baseUrl=proxy.base_url, timeouts=TIMEOUTS)
    await agent.open(room_id)
    await send_many(alice, room_id, 2)
    await agent.until(lambda: len(agent.messages(room_id)) >= 2)
    proxy.set(fault)
    if fault in AT_HANDSHAKES:
        await agent.drop()
    await send_many(alice, room_id, 2, 3)
    await until(lambda: proxy.hits > 0 or fault is Fault.DELAY, "the connection has met the fault")
    sending = asyncio.create_task(agent.send({"roomId": room_id, "content": "message 5"}))
    if fault is Fault.DELAY:
        await sending
    proxy.set(Fault.NONE)
    await sending
    await send_many(alice, room_id, 2, 6)
    await agent.until(lambda: len(agent.messages(room_id)) >= 7)
    assert agent.messages(room_id) == numbered(7)
    assert [message["content"] for message in alice.history(room_id)] == [text for _, text in numbered(7)]


@pytest.mark.parametrize("request_of_room", ["", "/messages?after="])
async def test_client_when_it_loses_a_room_meanwhile_then_forgets_it(
    alice: ChatUser,
    bob: ChatUser,
    make_agent: Callable[[], Any],
    proxy: HostileProxy,
    server: ChatServer,
    tmp_path: Any,
    request_of_room: str,
) -> None:
    """The room is lost between `ready` and the client's request of it, which is answered with 404."""
    other, lost = alice.make_room(bob), alice.make_room(bob)
    agent = make_agent()
    await agent.start(bob, baseUrl=proxy.base_url, timeouts=LONG_TIMEOUTS)
    await agent.open(other)
    proxy.set(Fault.DROP)
    await until(lambda: proxy.hits > 0, "the client is away")
    await send_many(alice, other, 1)
    if request_of_room:
        await send_many(alice, lost, 3)
        archiving = ["archive_messages", "--older-than", "0.001s", "--grace", "0", "--room", lost]
        await asyncio.to_thread(server.manage, *archiving, "--to", str(tmp_path))
    else:
        lost = alice.make_room(bob)
        await send_many(alice, lost, 3)
    request = f"GET /api/rooms/{lost}{request_of_room or ' '}"
    proxy.hold(request)
    proxy.set(Fault.NONE)
    await until(lambda: proxy.passed(request) > 0, "the client asks for the room")
    answer = alice.http.delete(f"/api/rooms/{lost}/members/{bob.id}")
    assert answer.status_code == 204
    proxy.release()
    await agent.until(lambda: agent.messages(other) == numbered(1))
    await send_many(alice, other, 2, 2)
    await agent.until(lambda: agent.messages(other) == numbered(3))
    assert len(agent.came("ready")) == 2
    assert proxy.passed(request) == 1
    await until(lambda: gone(agent, lost), "the room is forgotten")


async def gone(agent: Any, room_id: str) -> bool:
    return not await agent.knows(room_id)


async def test_client_when_the_answer_of_a_refresh_is_lost_then_asks_again(
    alice: ChatUser, make_agent: Callable[[], Any], proxy: HostileProxy
) -> None:
    """The token was used up, which only the server can know. It gives the same new pair again."""
    refresh = "POST /api/auth/refresh"
    proxy.lose_answer(refresh)
    agent = make_agent()
    await agent.start(alice, accessToken="expired.long.ago", baseUrl=proxy.base_url, timeouts=TIMEOUTS)
    await agent.until(lambda: len(agent.came("ready")) == 1)
    assert proxy.passed(refresh) == 2
    # The pair was repeated to its owner, and has not ended the session.
    assert alice.http.get("/api/users/me").status_code == 200


async def test_client_when_refreshes_are_not_repeated_then_signs_out(
    start_server: Callable[..., ChatServer], page_origin: str, make_agent: Callable[[], Any]
) -> None:
    server = start_server(REFRESH_REUSE_SECONDS="0", ALLOWED_ORIGINS=page_origin)
    alice, refresh = server.sign_up("alice"), "POST /api/auth/refresh"
    with HostileProxy(server.port) as proxy:
        proxy.lose_answer(refresh)
        agent = make_agent()
        with pytest.raises(SignedOut):
            await agent.start(
                alice, accessToken="expired.long.ago", baseUrl=proxy.base_url, timeouts=TIMEOUTS
            )
        assert proxy.passed(refresh) == 2


async def test_client_when_its_token_lives_for_a_year_then_does_not_renew_it(
    start_server: Callable[..., ChatServer], page_origin: str, make_agent: Callable[[], Any]
) -> None:
    """Timers of JavaScript fire at once for waits of more than 24.8 days."""
    server = start_server(ACCESS_TOKEN_SECONDS=str(365 * 24 * 3600), ALLOWED_ORIGINS=page_origin)
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    agent = make_agent()
    await agent.start(bob)
    await agent.open(room_id)
    await send_many(alice, room_id, 30)
    await agent.until(lambda: len(agent.messages(room_id)) >= 30)
    assert agent.sent("auth:refresh") == []
    assert len(agent.came("ready")) == 1


async def test_client_when_limited_then_waits_and_sends_each_once(
    start_server: Callable[..., ChatServer], page_origin: str, make_agent: Callable[[], Any]
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_MESSAGES_USER="2/2s", ALLOWED_ORIGINS=page_origin)
    alice = server.sign_up("alice")
    room_id = alice.make_room()
    agent = make_agent()
    await agent.start(alice)
    await agent.open(room_id)
    for _, content in numbered(5):
        await agent.send({"roomId": room_id, "content": content})
    await agent.until(lambda: len(agent.messages(room_id)) >= 5)
    assert agent.messages(room_id) == numbered(5)
    refused = [frame for way, frame in agent.frames if frame["event"] == "error:rate_limited"]
    assert refused
    assert len(agent.sent("message:send")) == 5 + len(refused)
