"""Typing indicators: the other members get them, and they end by a timer. Takes about ten seconds."""

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


async def start(client: ChatSocketClient, room_id: str) -> None:
    await client.reply("typing", {"roomId": room_id, "isTyping": True})


async def test_typing_when_one_of_two_devices_stops_then_goes_on(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben)
    async with ben.connect() as bens, ann.connect() as phone:
        async with ann.connect() as laptop, ann.connect() as tablet:
            for device in (phone, laptop, tablet):
                await start(device, room_id)
                assert (await typing(bens, ann))["isTyping"] is True
            # Repeated, it stops no other device either.
            for _ in range(2):
                await laptop.reply("typing", {"roomId": room_id, "isTyping": False})
        # The tablet has hung up. Its end may come after this message, which waits for no disconnect.
        await phone.reply("typing", {"roomId": room_id, "isTyping": True})
        assert (await typing(bens, ann))["isTyping"] is True
        await phone.reply("typing", {"roomId": room_id, "isTyping": False})
        assert (await typing(bens, ann))["isTyping"] is False
        shown = [frame["data"]["isTyping"] for frame in bens.frames if frame["event"] == "typing"]
    assert shown == [True] * 4 + [False]


@pytest.mark.parametrize("how", ["muted", "removed", "deleted"])
async def test_typing_when_the_member_may_no_longer_write_then_ends(
    ann: ChatUser, ben: ChatUser, how: str
) -> None:
    """At once: within less than the six seconds after which it would end anyway."""
    room_id = ann.make_room(ben)
    member = f"/api/rooms/{room_id}/members/{ben.id}"
    async with ann.connect() as anns, ben.connect() as bens:
        await start(bens, room_id)
        assert (await typing(anns, ben))["isTyping"] is True
        if how == "muted":
            body = {"mutedUntil": "2099-01-01T00:00:00Z"}
            assert ann.http.patch(member, json=body).status_code == 200
        elif how == "removed":
            assert ann.http.delete(member).status_code == 204
        else:
            assert ann.http.delete(f"/api/rooms/{room_id}").status_code == 204
        if how != "deleted":
            assert (await typing(anns, ben, seconds=4))["isTyping"] is False
        code = "muted" if how == "muted" else "not_found"
        for _ in range(2):
            check_error(await bens.error("typing", {"roomId": room_id, "isTyping": True}), code)
        stop = await bens.request("typing", {"roomId": room_id, "isTyping": False})
        assert stop["event"] == ("reply" if how == "muted" else "error:not_found")
        assert "typing" not in [frame["event"] for frame in await anns.read_all()]


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


@pytest.fixture
async def device(subscriber: Subscriber) -> Connection:
    return (await connect(get_hub(), uuid4()))[0]


async def test_indicator_when_renewed_then_ends_once_after_the_last_renewal(
    subscriber: Subscriber, device: Connection
) -> None:
    indicators, room_id = TypingIndicators(seconds=0.05), uuid4()
    subscriber.subscribe(room_id)
    indicators.start(room_id, device)
    indicators.start(room_id, device)
    await until(lambda: (room_id, False) in subscriber.events, "the indicator has ended")
    indicators.stop_all(device)
    await get_hub().flush()
    assert subscriber.events == [(room_id, True), (room_id, True), (room_id, False)]


async def test_indicators_when_in_too_many_rooms_then_no_more_are_published(
    subscriber: Subscriber, device: Connection
) -> None:
    indicators = TypingIndicators(seconds=60)
    rooms = [uuid4() for _ in range(MAX_ROOMS_AT_ONCE + 5)]
    subscriber.subscribe(*rooms)
    for room_id in rooms:
        indicators.start(room_id, device)
    await get_hub().flush()
    assert subscriber.events == [(room_id, True) for room_id in rooms[:MAX_ROOMS_AT_ONCE]]
    indicators.stop_all(device)
    await get_hub().flush()
    ended = subscriber.events[MAX_ROOMS_AT_ONCE:]
    assert sorted(ended) == sorted((room, False) for room in rooms[:MAX_ROOMS_AT_ONCE])
