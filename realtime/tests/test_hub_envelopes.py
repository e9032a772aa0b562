"""Envelopes: this release and the previous one read each other's messages."""

from typing import Any

import msgpack
import pytest

from realtime.hub.envelopes import Envelopes
from realtime.hub.items import BeatItem, NoticeItem, TopicItem
from realtime.hub.items_previous import PRESENT_SECONDS, PreviousRelease
from tests.kit.clock import Clock

from .test_hub_items import ITEMS

# Recorded in Redis from a process of the previous release that sent ITEMS, except the beat.
RECORDED = (
    b"\x85\xa4type\xa3hub\xa4from\xa8previous\xa6number\x01\xa5items\x95\x97\xa5topic\xa4room\xc4\x03one\x01\xc2"
    b"\xa6user:x\xa900-a-b-01\x97\xa5topic\xa4room\xc4\x06typing\xc0\xc3\xc0\xc0\x94\xa7address\x91\xa6user:a\xc4"
    b"\x05hello\xc3\x94\xa7control\x91\xa6user:a\xacroom:removed\x82\xa7room_id\xa1r\xa5frame\xc4\x03bye\x93\xa6"
    b'notice\xaerooms:standing\x82\xa7room_id\xa1r\xa8user_ids\xc0\xa2at\xcbA\xda\xc20\xc9\xe4\xf1"'
)
RECORDED_BEAT = (
    b"\x85\xa4type\xa3hub\xa4from\xa8previous\xa6number\x02\xa5items\x91\x92\xa4beat\xa0\xa2at\xcbA\xda\xc20\xc9"
    b'\xe5"\xb4'
)


def previous_release_reads(message: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The items of a message, unpacked as `Link._accept` and `Hub._deliver` of the previous release did."""
    taken: list[tuple[Any, ...]] = []
    assert {"from", "number", "at"} <= set(message)
    for kind, target, *rest in message["items"]:
        if kind == "topic":
            payload, seq, droppable, exclude_address, trace = rest
            taken.append((kind, target, payload, seq, droppable, exclude_address, trace))
        elif kind == "address":
            taken.append((kind, target, rest[0], rest[1]))
        elif kind == "control":
            control, data = rest
            taken.append((kind, target, control, data))
        elif kind == "notice":
            (data,) = rest
            taken.append((kind, target, data))
        else:
            taken.append((kind,))
    return taken


def over_the_layer(message: dict[str, Any]) -> dict[str, Any]:
    return msgpack.unpackb(msgpack.packb(message))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def envelopes(clock: Clock) -> Envelopes:
    return Envelopes("this", PreviousRelease(clock=clock))


@pytest.fixture
def alone(envelopes: Envelopes, clock: Clock) -> Envelopes:
    """Envelopes after the time in which a process of the previous release would have sent a beat."""
    clock.now += PRESENT_SECONDS
    return envelopes


def test_envelope_when_of_the_previous_release_then_gives_its_items(envelopes: Envelopes) -> None:
    assert envelopes.decode(msgpack.unpackb(RECORDED)).items == ITEMS[:-1]
    assert envelopes.decode(msgpack.unpackb(RECORDED_BEAT)).items == [BeatItem()]


def test_envelope_when_the_previous_release_is_present_then_has_lists(
    envelopes: Envelopes,
) -> None:
    message = over_the_layer(envelopes.encode(1, ITEMS[:-1]))
    recorded = msgpack.unpackb(RECORDED)
    assert message["items"] == recorded["items"]
    assert previous_release_reads(message) == previous_release_reads(recorded)
    assert (
        over_the_layer(envelopes.encode(2, [BeatItem()]))["items"] == msgpack.unpackb(RECORDED_BEAT)["items"]
    )


def test_envelope_when_the_previous_release_is_gone_then_has_names(alone: Envelopes) -> None:
    message = over_the_layer(alone.encode(1, ITEMS))
    assert previous_release_reads(message) == [], "its receive loop goes on"
    assert msgpack.unpackb(message["batch"])[0]["topic"] == "room"
    assert alone.decode(message).items == ITEMS


def test_kind_of_the_next_release_when_it_comes_again_then_is_logged_once(
    alone: Envelopes, caplog: pytest.LogCaptureFixture
) -> None:
    message = alone.encode(1, []) | {"batch": msgpack.packb([{"kind": "poll"}, {"kind": "beat"}])}
    for _ in range(3):
        envelope = alone.decode(message)
        assert (envelope.items, envelope.complete) == ([BeatItem()], True)
    assert len(caplog.records) == 1


def test_item_when_it_cannot_be_read_then_the_envelope_is_incomplete(alone: Envelopes) -> None:
    message = alone.encode(1, []) | {"batch": msgpack.packb([{"kind": "topic"}, {"kind": "beat"}])}
    envelope = alone.decode(message)
    assert (envelope.items, envelope.complete) == ([BeatItem()], False)


def test_list_when_it_is_one_longer_or_shorter_then_is_read_or_incomplete(envelopes: Envelopes) -> None:
    longer, shorter = ["topic", "room", b"x", 1, False, None, None, "more"], ["notice", "n"]
    message = msgpack.unpackb(RECORDED) | {"items": [longer, ["poll", "x"], shorter, ["notice", "n", {}]]}
    envelope = envelopes.decode(message)
    assert envelope.items == [TopicItem(topic="room", payload=b"x", seq=1), NoticeItem(notice="n", data={})]
    assert not envelope.complete
