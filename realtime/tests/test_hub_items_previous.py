"""The previous release's form of items, and whether a process of that release runs."""

import pytest

from realtime.hub import items_previous
from realtime.hub.items import BeatItem, NoticeItem, TopicItem
from realtime.hub.items_previous import PRESENT_SECONDS, PreviousRelease
from tests.kit.clock import Clock

from .test_hub_items import ITEMS

pytestmark = pytest.mark.once  # lists in memory


def test_items_when_encoded_and_decoded_then_are_the_same() -> None:
    lists = items_previous.encode_items(ITEMS)
    assert items_previous.decode_items(lists) == (ITEMS, set(), 0)
    assert lists[-1] == ["beat", ""]


def test_list_when_a_kind_is_unknown_or_a_field_lacks_then_is_counted() -> None:
    decoded = items_previous.decode_items([["poll", 1], ["notice", "n"], ["notice", "n", {}], ["beat", ""]])
    assert decoded == ([NoticeItem(notice="n", data={}), BeatItem()], {"poll"}, 1)


def test_list_when_it_has_more_fields_then_they_are_ignored() -> None:
    longer = ["topic", "room", b"x", 1, False, None, None, "more"]
    assert items_previous.decode_items([longer]).items == [TopicItem(topic="room", payload=b"x", seq=1)]


def test_previous_release_when_it_returns_then_was_not_expected() -> None:
    clock = Clock()
    previous = PreviousRelease(clock=clock)
    assert (previous.is_present(), previous.note()) == (True, False)
    clock.now += PRESENT_SECONDS
    assert (previous.is_present(), previous.note(), previous.is_present()) == (False, True, True)
