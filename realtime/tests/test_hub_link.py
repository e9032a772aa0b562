"""Link: this release's link over a real Redis, beside processes of the previous and the next release."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import pytest
import redis.asyncio as aioredis
from channels_redis.pubsub import RedisPubSubChannelLayer

from foundation import loop
from foundation.ids import uuid7
from realtime.hub.items import Item, TopicItem
from realtime.hub.items_previous import PRESENT_SECONDS
from realtime.hub.link import Link
from tests.kit.clock import Clock
from tests.kit.redis_servers import RedisServer

from .test_hub_envelopes import RECORDED, RECORDED_BEAT
from .test_hub_items import ITEMS

GROUP = "hub"
WAIT_SECONDS = 20


class Others:
    """The other processes: sends their messages, and receives those of the link."""

    def __init__(self, url: str) -> None:
        self.prefix = str(uuid7())
        self._client = aioredis.Redis.from_url(url)
        self._pubsub = self._client.pubsub(ignore_subscribe_messages=True)
        self._channel = f"{self.prefix}__group__{GROUP}"
        self._number = 0
        # The numbers of the link's messages.
        self.numbers: set[int] = set()

    async def open(self) -> None:
        await self._pubsub.subscribe(self._channel)

    async def close(self) -> None:
        await self._pubsub.aclose()
        await self._client.aclose()

    async def send(self, message: bytes | dict[str, Any]) -> None:
        await self._client.publish(
            self._channel, message if isinstance(message, bytes) else msgpack.packb(message)
        )

    async def send_batch(self, *items: dict[str, Any]) -> None:
        self._number += 1
        await self.send(
            {
                "type": "hub",
                "from": "next",
                "number": self._number,
                "at": 0.0,
                "reads_named": True,
                "batch": msgpack.packb(items),
            }
        )

    async def received(self, payload: bytes) -> dict[str, Any]:
        """The message of the link in which this payload went out."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                sent = await self._pubsub.get_message(timeout=WAIT_SECONDS)
                if sent is None:
                    continue
                message = msgpack.unpackb(sent["data"])
                self.numbers.add(message["number"])
                if payload in sent["data"]:
                    return message


class Taken:
    """The items that the link took from other processes. Items with the payload `poison` raise."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[Item] = asyncio.Queue()
        self.losses = 0

    def take(self, items: list[Item], published_at: float) -> None:
        for item in items:
            if isinstance(item, TopicItem) and item.payload == b"poison":
                raise RuntimeError("poison")
            self.items.put_nowait(item)

    def miss(self) -> None:
        self.losses += 1

    async def next(self, count: int) -> list[Item]:
        async with asyncio.timeout(WAIT_SECONDS):
            return [await self.items.get() for _ in range(count)]


@pytest.fixture
async def others(redis_server: RedisServer) -> AsyncIterator[Others]:
    loop.adopt()
    others = Others(redis_server.url)
    await others.open()
    yield others
    await others.close()


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def link(redis_server: RedisServer, others: Others, taken: Taken, clock: Clock) -> AsyncIterator[Link]:
    layer = RedisPubSubChannelLayer(hosts=[redis_server.url], prefix=others.prefix)
    link = Link(layer, GROUP, take=taken.take, miss=taken.miss, clock=clock)
    await link.start()
    await link.check()
    yield link
    await link.flush()
    await link.stop()
    await layer.flush()


def publish(link: Link, payload: bytes) -> None:
    link.publish([(TopicItem(topic="room", payload=payload), len(payload))])


async def test_messages_of_the_previous_release_when_they_come_then_are_taken(
    link: Link, others: Others, taken: Taken
) -> None:
    await others.send(RECORDED)
    await others.send(RECORDED_BEAT)
    assert await taken.next(len(ITEMS)) == ITEMS
    assert taken.losses == 0


async def test_items_when_of_the_next_release_then_known_ones_are_taken(
    link: Link, others: Others, taken: Taken
) -> None:
    await others.send_batch(
        {"kind": "topic", "topic": "room", "payload": b"x", "seq": 1, "priority": 2},
        {"kind": "poll", "choices": 3},
        {"kind": "topic", "topic": "room", "payload": b"y", "more": {}},
    )
    assert await taken.next(2) == [
        TopicItem(topic="room", payload=b"x", seq=1),
        TopicItem(topic="room", payload=b"y"),
    ]


async def test_link_when_the_previous_release_joins_then_writes_its_form(
    link: Link, others: Others, taken: Taken, clock: Clock
) -> None:
    publish(link, b"at first")
    assert (await others.received(b"at first"))["items"] == [
        ["topic", "room", b"at first", None, False, None, None]
    ]
    clock.now += PRESENT_SECONDS
    publish(link, b"alone")
    named = await others.received(b"alone")
    assert named["items"] == []
    others.numbers.clear()
    await others.send(RECORDED)
    await taken.next(len(ITEMS) - 1)
    publish(link, b"with it")
    positional = await others.received(b"with it")
    assert positional["items"] == [["topic", "room", b"with it", None, False, None, None]]
    follow = set(range(named["number"] + 1, positional["number"] + 1))
    missing = follow - others.numbers
    assert len(missing) == 1, "the others see a loss and read the logs"


async def test_message_when_taking_it_raises_then_is_a_loss(link: Link, others: Others, taken: Taken) -> None:
    for payload in (b"poison", b"x"):
        await others.send_batch({"kind": "topic", "topic": "room", "payload": payload})
    assert await taken.next(1) == [TopicItem(topic="room", payload=b"x")]
    assert taken.losses == 1


@pytest.mark.parametrize(
    "broken", [{}, {"more": 1}, {"batch": b""}, {"batch": 5}, {"items": [[]]}, {"items": [5]}]
)
async def test_message_when_unreadable_then_is_a_loss_and_the_next_is_taken(
    link: Link, others: Others, taken: Taken, broken: dict[str, Any]
) -> None:
    envelope = {"from": "broken", "number": 1, "at": 0.0, "reads_named": True} if broken else {}
    await others.send({"type": "hub", **envelope, **broken})
    await others.send_batch({"kind": "topic", "topic": "room", "payload": b"x"})
    assert await taken.next(1) == [TopicItem(topic="room", payload=b"x")]
    assert taken.losses == 1


async def test_item_when_unreadable_then_is_a_loss_and_others_are_taken(
    link: Link, others: Others, taken: Taken
) -> None:
    await others.send_batch(
        {"kind": "topic", "topic": 5}, {"kind": "topic", "topic": "room", "payload": b"x"}
    )
    assert await taken.next(1) == [TopicItem(topic="room", payload=b"x")]
    assert taken.losses == 1
