"""The hub: the context of its work, and the heads of topics with and without subscribers."""

import asyncio
import logging
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer

from foundation import context, loop
from foundation.ids import uuid7
from realtime.hub.hub import Hub
from realtime.wire.frames import Frame
from tests.kit.connections import connect


class NotingLayer:
    """A layer to other processes, which notes the log fields of the context in which each method is called."""

    def __init__(self) -> None:
        self._layer = InMemoryChannelLayer()
        self.seen: dict[str, list[dict[str, str]]] = {}
        self.published = asyncio.Event()

    def _note(self, method: str) -> None:
        self.seen.setdefault(method, []).append(context.log_fields())

    async def new_channel(self) -> str:
        self._note("new_channel")
        return await self._layer.new_channel()

    async def group_add(self, group: str, channel: str) -> None:
        await self._layer.group_add(group, channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self._note("group_send")
        await self._layer.group_send(group, message)
        self.published.set()

    async def receive(self, channel: str) -> dict[str, Any]:
        self._note("receive")
        return await self._layer.receive(channel)


class NotingLog:
    """A log with messages that were lost on the way. It notes the log fields as NotingLayer does."""

    def __init__(self) -> None:
        self.seen: dict[str, list[dict[str, str]]] = {}
        self.asked, self.fetched = asyncio.Event(), asyncio.Event()

    async def heads(self, topics: list[str]) -> dict[str, int]:
        return {}

    async def exact_heads(self, topics: list[str]) -> dict[str, int]:
        self.seen.setdefault("exact_heads", []).append(context.log_fields())
        self.asked.set()
        return {}

    async def frames(self, topic: str, first_seq: int, last_seq: int) -> list[Frame]:
        self.seen.setdefault("frames", []).append(context.log_fields())
        self.fetched.set()
        return [Frame(b"%d" % seq, seq=seq) for seq in range(first_seq, last_seq + 1)]


async def test_hub_when_a_request_wakes_it_then_its_context_is_empty(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.hub.gap_filler.CHECK_SECONDS", 0.01)
    caplog.handler.addFilter(note_log_fields)
    loop.adopt()
    layer, log = NotingLayer(), NotingLog()
    hub = Hub(layer, log)  # type: ignore[arg-type]
    context.request_id.set("of-a-request")
    connection, peer = await connect(hub, uuid7())
    with caplog.at_level(logging.INFO, "realtime"):
        hub.subscribe(connection, "room")
        hub.note_head("room", 1)
        hub.publish("room", b"3", seq=3)
        await asyncio.gather(layer.published.wait(), log.asked.wait(), log.fetched.wait())
        hub.publish("room", b"4", seq=4)
        await hub.flush()
    await hub.stop()
    for method, seen in (layer.seen | log.seen).items():
        assert all(fields == {} for fields in seen), method
    assert set(layer.seen | log.seen) == {"new_channel", "group_send", "receive", "exact_heads", "frames"}
    assert peer.payloads == [b"2", b"3", b"4"]
    assert [record.log_fields for record in caplog.records if record.msg == "messages delivered"] == [{}]  # type: ignore[attr-defined]


def note_log_fields(record: logging.LogRecord) -> bool:
    record.log_fields = context.log_fields()
    return True


async def publish(hub: Hub, *seqs: int) -> None:
    for seq in seqs:
        hub.publish("room", b"%d" % seq, seq=seq)
    await hub.flush()


async def test_head_when_no_connection_subscribed_then_is_the_last_seq(hub: Hub) -> None:
    assert hub.head("room") == 0
    await publish(hub, 3, 4)
    assert hub.head("room") == 4


async def test_head_when_the_last_subscriber_leaves_then_is_kept(hub: Hub) -> None:
    connection, peer = await connect(hub, uuid7())
    hub.subscribe(connection, "room")
    hub.note_head("room", 7)
    await publish(hub, 8)
    assert (hub.head("room"), peer.payloads) == (8, [b"8"])
    hub.detach(connection)
    assert hub.head("room") == 8
    await publish(hub, 9)
    assert hub.head("room") == 9


async def test_subscriber_when_it_starts_at_the_head_then_gets_later_frames(hub: Hub) -> None:
    await publish(hub, 4)
    connection, peer = await connect(hub, uuid7())
    hub.subscribe(connection, "room")
    # The cached head of the row is behind: 3.
    hub.note_head("room", max(3, hub.head("room")))
    await publish(hub, 4, 5)
    assert peer.payloads == [b"5"]
