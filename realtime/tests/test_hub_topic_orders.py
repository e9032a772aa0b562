"""TopicOrders: the orders of topics, and the heads of topics without a subscriber."""

import pytest

from realtime.hub import topic_orders
from realtime.hub.topic_orders import TopicOrders


def test_head_when_a_topic_has_no_subscriber_then_is_the_highest_seq() -> None:
    orders = TopicOrders()
    for seq in (4, 9, 7, None):
        orders.note_other_head("room", seq)
    assert (orders.head("room"), orders.head("other")) == (9, 0)


def test_head_when_the_last_subscriber_leaves_then_is_kept() -> None:
    orders = TopicOrders()
    orders.open("room")
    order = orders.get("room")
    assert order is not None
    order.note_head(5)
    assert (orders.with_position(), orders.head("room")) == (["room"], 5)
    orders.close("room")
    assert (orders.get("room"), orders.with_position(), orders.head("room")) == (None, [], 5)


def test_heads_when_too_many_then_the_longest_silent_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topic_orders, "MAX_OTHER_HEADS", 2)
    orders = TopicOrders()
    for topic in ("a", "b", "a", "c"):
        orders.note_other_head(topic, 1)
    assert [orders.head(topic) for topic in "abc"] == [1, 0, 1]
