"""Items: what a process sends to all others through the hub, and how a batch of items becomes bytes.

An item is a MessagePack map such as `{"kind": "topic", "topic": "room:1", "payload": b"..", "seq": 7}`. A field
that this release does not know is ignored, and a missing one takes its default. So a new field needs a default, and
no field may change its meaning or its type.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec


class Item(msgspec.Struct, tag_field="kind", kw_only=True, omit_defaults=True):
    """The base of the kinds below."""


class TopicItem(Item, tag="topic"):
    """A frame for every subscriber of a topic, except the connections of `exclude_address`."""

    topic: str
    payload: bytes
    seq: int | None = None
    droppable: bool = False
    exclude_address: str | None = None
    trace: str | None = None


class AddressItem(Item, tag="address"):
    """A frame for every connection that has one of the addresses."""

    addresses: list[str]
    payload: bytes
    droppable: bool = False


class ControlItem(Item, tag="control"):
    """A call of the consumers' `@on_control(control)` for every connection that has one of the addresses."""

    addresses: list[str]
    control: str
    data: dict[str, Any]


class NoticeItem(Item, tag="notice"):
    """A call of the listeners to `notice` in every process."""

    notice: str
    data: dict[str, Any]


class BeatItem(Item, tag="beat"):
    """A sign that the sender is alive, sent each second."""


class Decoded(NamedTuple):
    """A batch that was read: its items, the kinds this release does not know, the number of unreadable items."""

    items: list[Item]
    unknown_kinds: set[str]
    unreadable: int


class _Kind(msgspec.Struct):
    kind: str


_AnyItem = TopicItem | AddressItem | ControlItem | NoticeItem | BeatItem
KINDS: dict[str, type[Item]] = {
    "topic": TopicItem,
    "address": AddressItem,
    "control": ControlItem,
    "notice": NoticeItem,
    "beat": BeatItem,
}
_encoder = msgspec.msgpack.Encoder()
_batch_decoder = msgspec.msgpack.Decoder(list[_AnyItem])
_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_item_decoder = msgspec.msgpack.Decoder(_AnyItem)
_kind_decoder = msgspec.msgpack.Decoder(_Kind)


def encode_items(items: Sequence[Item]) -> bytes:
    return _encoder.encode(items)


def decode_items(batch: bytes) -> Decoded:
    """Read a batch. Raises msgspec.DecodeError if it is not a list."""
    try:
        return Decoded(list(_batch_decoder.decode(batch)), set(), 0)
    except msgspec.ValidationError:
        return _decode_one_by_one(batch)


def _decode_one_by_one(batch: bytes) -> Decoded:
    """Read the readable items of a batch in which an item is unknown or wrong."""
    items: list[Item] = []
    unknown_kinds: set[str] = set()
    unreadable = 0
    for raw in _raw_decoder.decode(batch):
        try:
            kind = _kind_decoder.decode(raw).kind
            if kind in KINDS:
                items.append(_item_decoder.decode(raw))
            else:
                unknown_kinds.add(kind)
        except msgspec.ValidationError:
            unreadable += 1
    return Decoded(items, unknown_kinds, unreadable)
