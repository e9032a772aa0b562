"""Typing indicators: the other members get them, and they end by a timer. Takes about nine seconds."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from foundation import loop
from messaging.typing_indicators import MAX_ROOMS_AT_ONCE, TypingIndicators
from realtime.hub.hub import get_hub
from realtime.session.connection import Connection
from rooms.topics import room_topic
from tests.kit.clients import ChatSocketClient
from tests.kit.connections import Peer, connect
from tests.kit.errors import check_error
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .test_services_send import NOBODY


async def typing(client: ChatSocketClient, user: ChatUser, *, seconds: float = 10) -> Any:
    frame = await client.expect(
        lambda frame: frame["event"] == "typing" and frame["data"]["userId"] == user.id, seconds=seconds
    )
    return frame["data"]


async def test_typing_when_sent_then_only_other_members_get_it_until_it_ends(
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
            assert [frame for frame in await client.read_all() if frame["event"] == "typing"] == []
    assert ann.history(room_id) == []


async def test_typing_when_the_connection_ends_then_ends(ann: ChatUser, ben: ChatUser) -> None:
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
async def test_typing_when_its_fields_are_bad_then_is_invalid(
    ann: ChatUser, data: dict[str, Any], field: str
) -> None:
    async with ann.connect() as client:
        check_error(await client.error("typing", data), "invalid", field)


class Subscriber:
    """A subscriber to every room that it is asked for; keeps the `typing` events in their order."""

    def __init__(self, connection: Connection, peer: Peer) -> None:
        self._connection, self._peer = connection, peer

    def subscribe(self, *room_ids: UUID) -> None:
        for room_id in room_ids:
            get_hub().subscribe(self._connection, room_topic(room_id))

    @property
    def events(self) -> list[tuple[UUID, bool]]:
        data = [json.loads(payload)["data"] for payload in self._peer.payloads]
        return [(UUID(one["roomId"]), one["isTyping"]) for one in data]


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    loop.adopt()
    yield Subscriber(*await connect(get_hub(), uuid4()))
    await loop.stop()


async def test_indicator_when_renewed_then_ends_once_after_the_last_renewal(subscriber: Subscriber) -> None:
    indicators, room_id = TypingIndicators(uuid4(), seconds=0.05), uuid4()
    subscriber.subscribe(room_id)
    indicators.set(room_id, True)
    indicators.set(room_id, True)
    await until(lambda: not indicators.is_typing(room_id), "the indicator has ended")
    indicators.end()
    await get_hub().flush()
    assert subscriber.events == [(room_id, True), (room_id, True), (room_id, False)]


async def test_indicators_when_in_too_many_rooms_then_no_more_are_published(subscriber: Subscriber) -> None:
    indicators = TypingIndicators(uuid4(), seconds=60)
    rooms = [uuid4() for _ in range(MAX_ROOMS_AT_ONCE + 5)]
    subscriber.subscribe(*rooms)
    for room_id in rooms:
        indicators.set(room_id, True)
    await get_hub().flush()
    assert subscriber.events == [(room_id, True) for room_id in rooms[:MAX_ROOMS_AT_ONCE]]
    indicators.end()
    await get_hub().flush()
    assert subscriber.events[MAX_ROOMS_AT_ONCE:] == [(room, False) for room in rooms[:MAX_ROOMS_AT_ONCE]]
