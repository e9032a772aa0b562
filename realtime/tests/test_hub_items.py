"""The hub's items as bytes, and how this release reads the fields and kinds that another release adds."""

from typing import Any

import msgspec
import pytest

from realtime.hub.items import (
    AddressItem,
    BeatItem,
    ControlItem,
    Item,
    NoticeItem,
    TopicItem,
    decode_items,
    encode_items,
)

ITEMS: list[Item] = [
    TopicItem(topic="room", payload=b"one", seq=1, exclude_address="user:x", trace="00-a-b-01"),
    TopicItem(topic="room", payload=b"typing", droppable=True),
    AddressItem(addresses=["user:a"], payload=b"hello", droppable=True),
    ControlItem(addresses=["user:a"], control="room:removed", data={"room_id": "r", "frame": b"bye"}),
    NoticeItem(notice="rooms:standing", data={"room_id": "r", "user_ids": None}),
    BeatItem(),
]


def batch(*items: Any) -> bytes:
    return msgspec.msgpack.encode(items)


def test_items_when_encoded_and_decoded_then_are_the_same() -> None:
    assert decode_items(encode_items(ITEMS)) == (ITEMS, set(), 0)


def test_item_when_encoded_then_names_its_kind_and_its_fields() -> None:
    (item,) = msgspec.msgpack.decode(encode_items(ITEMS[2:3]))
    assert item == {"kind": "address", "addresses": ["user:a"], "payload": b"hello", "droppable": True}


def test_field_when_the_next_release_adds_one_then_it_is_ignored() -> None:
    longer = {"kind": "topic", "topic": "room", "payload": b"x", "seq": 4, "priority": 2}
    assert decode_items(batch(longer)).items == [TopicItem(topic="room", payload=b"x", seq=4)]


def test_kind_when_the_next_release_adds_one_then_is_skipped() -> None:
    decoded = decode_items(batch({"kind": "poll", "topic": 5}, {"kind": "beat"}))
    assert decoded == ([BeatItem()], {"poll"}, 0)


@pytest.mark.parametrize(
    "broken", [{"kind": "topic", "topic": 5, "payload": b""}, {"kind": "topic"}, {}, 5, ["topic"]]
)
def test_item_when_unreadable_then_is_counted_and_the_rest_is_read(broken: Any) -> None:
    assert decode_items(batch(broken, {"kind": "beat"})) == ([BeatItem()], set(), 1)


def test_batch_when_it_is_no_list_then_raises() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_items(msgspec.msgpack.encode("items"))
