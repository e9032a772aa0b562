"""Typing: heard by the others, ended by itself and by leaving. About nine seconds, six of them the contract's."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from messaging.typing_state import MAX_ROOMS_AT_ONCE, TypingState
from tests.kit.clients import ChatSocketClient
from tests.kit.errors import check_error
from tests.kit.users import ChatUser

from .test_send import NOBODY


async def typing(client: ChatSocketClient, user: ChatUser, *, seconds: float = 10) -> Any:
    frame = await client.expect(
        lambda frame: frame["event"] == "typing" and frame["data"]["userId"] == user.id, seconds=seconds
    )
    return frame["data"]


async def test_typing_when_told_then_only_the_others_hear_and_it_ends_by_itself(
    ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    room_id = ann.make_room(ben)
    async with (
        ann.connect() as anns,
        ann.connect() as other_ann,
        ben.connect() as bens,
        cleo.connect() as cleos,
    ):
        begins = {"roomId": room_id, "userId": ann.id, "isTyping": True}
        assert await anns.reply("typing", {"roomId": room_id, "isTyping": True}) == begins
        assert await typing(bens, ann) == begins
        await anns.reply("typing", {"roomId": room_id, "isTyping": False})
        assert await typing(bens, ann) == {**begins, "isTyping": False}
        await anns.reply("typing", {"roomId": room_id, "isTyping": False})
        await anns.send("typing", {"roomId": room_id, "isTyping": True})
        assert await typing(bens, ann) == begins
        assert await typing(bens, ann, seconds=15) == {**begins, "isTyping": False}
        for client in (anns, other_ann, cleos):
            assert [frame for frame in await client.settle() if frame["event"] == "typing"] == []
    assert ann.history(room_id) == []


async def test_typing_when_the_connection_ends_then_ends_too(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben)
    async with ben.connect() as bens:
        async with ann.connect() as anns:
            await anns.reply("typing", {"roomId": room_id, "isTyping": True})
            assert (await typing(bens, ann))["isTyping"] is True
        assert (await typing(bens, ann, seconds=4))["isTyping"] is False


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"isTyping": True}, "roomId"),
        ({"roomId": NOBODY}, "isTyping"),
        ({"roomId": "x", "isTyping": True}, "roomId"),
        ({"roomId": NOBODY, "isTyping": "yes"}, "isTyping"),
        ({"roomId": NOBODY, "isTyping": 1}, "isTyping"),
        ({"roomId": NOBODY, "isTyping": True, "userId": NOBODY}, "userId"),
    ],
)
async def test_typing_of_bad_fields_then_is_invalid(ann: ChatUser, data: dict[str, Any], field: str) -> None:
    async with ann.connect() as client:
        check_error(await client.error("typing", data), "invalid", field)


async def test_state_when_renewed_then_ends_once_and_only_after_the_last_renewal() -> None:
    told: asyncio.Queue[tuple[UUID, bool]] = asyncio.Queue()
    state = TypingState(lambda room_id, is_typing: told.put_nowait((room_id, is_typing)), seconds=0.05)
    room_id = uuid4()
    state.set(room_id, True)
    state.set(room_id, True)
    assert [await told.get() for _ in range(3)] == [(room_id, True), (room_id, True), (room_id, False)]
    assert not state.is_typing(room_id)
    state.end()
    assert told.empty()


async def test_state_when_in_too_many_rooms_then_tells_of_no_more() -> None:
    told: list[tuple[UUID, bool]] = []
    state = TypingState(lambda room_id, is_typing: told.append((room_id, is_typing)), seconds=60)
    rooms = [uuid4() for _ in range(MAX_ROOMS_AT_ONCE + 5)]
    for room_id in rooms:
        state.set(room_id, True)
    assert told == [(room_id, True) for room_id in rooms[:MAX_ROOMS_AT_ONCE]]
    state.end()
    assert told[MAX_ROOMS_AT_ONCE:] == [(room_id, False) for room_id in rooms[:MAX_ROOMS_AT_ONCE]]
