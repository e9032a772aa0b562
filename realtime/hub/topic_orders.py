"""TopicOrders: the order of each topic with a subscriber in this process, and the last seq of the other topics."""

from collections import OrderedDict

from .ordering import TopicOrder

MAX_OTHER_HEADS = 10_000


class TopicOrders:
    """It neither waits nor sends."""

    def __init__(self) -> None:
        self._orders: dict[str, TopicOrder] = {}
        # The heads of topics without a subscriber. At the limit the one without a frame for longest is removed.
        # Not a dict, which takes long to find its first key where many were removed before it.
        self._other_heads: OrderedDict[str, int] = OrderedDict()

    def open(self, topic: str) -> None:
        """Start an order, for the topic's first subscriber."""
        self._orders[topic] = TopicOrder()

    def close(self, topic: str) -> None:
        """End the order: the topic's last subscriber has left."""
        self.note_other_head(topic, self._orders.pop(topic).head)

    def get(self, topic: str) -> TopicOrder | None:
        return self._orders.get(topic)

    def with_position(self) -> list[str]:
        """The topics whose logs have been read up to some seq."""
        return [topic for topic, order in self._orders.items() if order.position is not None]

    def head(self, topic: str) -> int:
        """The highest seq of `topic` that this process has received. The log may be longer."""
        order = self._orders.get(topic)
        return max(0 if order is None else order.head, self._other_heads.get(topic, 0))

    def note_other_head(self, topic: str, seq: int | None) -> None:
        """Note a seq of a topic without a subscriber."""
        if seq:
            self._other_heads[topic] = max(seq, self._other_heads.pop(topic, 0))
            if len(self._other_heads) > MAX_OTHER_HEADS:
                self._other_heads.popitem(last=False)
