"""Publisher: items are joined into numbered messages, resent while the layer is away, and bounded."""

import asyncio
import time
from typing import Any

import pytest

from realtime.hub import publisher as module
from realtime.hub.envelopes import Envelopes
from realtime.hub.items import NoticeItem
from realtime.hub.items_previous import PreviousRelease
from realtime.hub.publisher import Publisher


class Layer:
    """A channel layer that takes messages once `go` is set, and raises the `failures` first."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.started, self.go = asyncio.Event(), asyncio.Event()
        self.messages: list[dict[str, Any]] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.started.set()
        await self.go.wait()
        self.messages.append(message)
        if self.failures:
            raise self.failures.pop(0)

    def shown(self) -> list[tuple[int, list[str]]]:
        """The number of each message, and the notices in it."""
        return [(message["number"], notices_in(message)) for message in self.messages]


def envelopes() -> Envelopes:
    return Envelopes("here", PreviousRelease(clock=time.monotonic))


def notices_in(message: dict[str, Any]) -> list[str]:
    return [getattr(item, "notice", "beat") for item in envelopes().decode(message).items]


def publisher_to(layer: Layer) -> Publisher:
    return Publisher(layer, "hub", envelopes())  # type: ignore[arg-type]


def put(publisher: Publisher, *notices: str, size_bytes: int = 1) -> None:
    for notice in notices:
        publisher.add(NoticeItem(notice=notice, data={}), size_bytes=size_bytes)


async def test_add_when_a_message_is_in_flight_then_items_join_the_next() -> None:
    layer = Layer()
    one = publisher_to(layer)
    put(one, "a")
    await layer.started.wait()
    put(one, "b", "c")
    layer.go.set()
    await one.flush()
    assert layer.shown() == [(1, ["a"]), (2, ["b", "c"])]


async def test_add_when_items_are_large_then_a_message_ends_at_the_bound() -> None:
    layer = Layer()
    layer.go.set()
    one = publisher_to(layer)
    put(one, "a", "b", "c", size_bytes=module.MAX_BATCH_BYTES // 2)
    await one.flush()
    assert layer.shown() == [(1, ["a", "b"]), (2, ["c"])]


async def test_flush_when_the_layer_fails_then_resends_under_the_same_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    layer = Layer(OSError("away"), TimeoutError())
    layer.go.set()
    one = publisher_to(layer)
    put(one, "a")
    await one.flush()
    put(one, "b")
    await one.flush()
    assert layer.shown() == [(1, ["a"]), (1, ["a"]), (1, ["a"]), (2, ["b"])]


async def test_flush_when_the_layer_stays_away_then_gives_the_message_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "KEEP_SECONDS", -1.0)
    layer = Layer(OSError("away"))
    layer.go.set()
    one = publisher_to(layer)
    put(one, "a")
    await one.flush()
    put(one, "b")
    await one.flush()
    assert layer.shown() == [(1, ["a"]), (2, ["b"])]


async def test_add_when_too_many_items_wait_then_a_number_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_PENDING_ITEMS", 2)
    layer = Layer()
    one = publisher_to(layer)
    put(one, "a")
    await layer.started.wait()
    put(one, "b", "c", "lost")
    layer.go.set()
    await one.flush()
    put(one, "d")
    await one.flush()
    assert [number for number, _ in layer.shown()] == [1, 3, 4], "2 is missing"
    assert [notices for _, notices in layer.shown()] == [["a"], ["b", "c"], ["d"]]


async def test_beat_when_items_are_being_sent_then_adds_nothing() -> None:
    layer = Layer()
    one = publisher_to(layer)
    one.beat()
    await layer.started.wait()
    one.beat()
    layer.go.set()
    await one.stop()
    assert layer.shown() == [(1, ["beat"])]
