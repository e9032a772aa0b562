"""The reference clients hand over what the server refuses for good, and do not repeat it."""

from collections.abc import Callable
from typing import Any

import pytest

from chat_client import ChatError
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .test_bad_networks import TIMEOUTS
from .test_clients import libraries, numbered, send_many

pytestmark = pytest.mark.once  # about refusals; test_clients runs on every database


async def test_client_when_a_text_is_cut_through_an_emoji_then_raises(
    alice: ChatUser, make_agent: Callable[[], Any]
) -> None:
    """No server can store a lone surrogate. The client does not mend it: it would change the user's text."""
    room_id = alice.make_room()
    agent = make_agent()
    await agent.start(alice, timeouts=TIMEOUTS)
    await agent.open(room_id)
    with pytest.raises(ChatError):
        await agent.send({"roomId": room_id, "content": "cut \ud83d"})
    await agent.send({"roomId": room_id, "content": "message 1"})
    await agent.until(lambda: agent.messages(room_id) == numbered(1))
    assert [sent["content"] for sent in agent.sent("message:send")] == ["cut \ud83d", "message 1"]
    assert len(agent.came("ready")) == 1


@libraries
async def test_client_when_a_frame_is_too_large_then_raises(
    alice: ChatUser, make_agent: Callable[[], Any]
) -> None:
    """The server would close the connection (1009), and again after each attempt."""
    room_id = alice.make_room()
    agent = make_agent()
    await agent.start(alice)
    with pytest.raises(ChatError) as refused:
        await agent.send({"roomId": room_id, "content": "x" * 100_000})
    assert refused.value.code == "too_large"
    await send_many(alice, room_id, 1)
    await agent.until(lambda: agent.messages(room_id) == numbered(1))
    assert len(agent.came("ready")) == 1


async def test_client_when_it_connects_too_often_then_waits_and_returns(
    start_server: Callable[..., ChatServer], page_origin: str, make_agent: Callable[[], Any]
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_CONNECTS_USER="1/5s", ALLOWED_ORIGINS=page_origin)
    user = server.sign_up()
    room_id = user.make_room()
    agent = make_agent()
    await agent.start(user)
    await agent.open(room_id)

    def refused() -> bool:
        return any(record.get("message") == "connect refused" for record in server.log_records())

    while not refused():
        online = len(agent.came("ready"))
        await agent.drop()
        # On a busy machine the limit may have room again.
        await until(lambda: refused() or len(agent.came("ready")) > online, "it connects again")  # noqa: B023
    await send_many(user, room_id, 1)
    await agent.until(lambda: agent.messages(room_id) == numbered(1))
