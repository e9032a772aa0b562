"""Delivery of items to this process's connections and listeners.

A failure does not affect other items and connections. What could not be delivered counts as a loss, which starts
the repairs.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from foundation import tracing
from realtime import metrics
from realtime.session.connection import Connection
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame

from .items import AddressItem, ControlItem, Item, NoticeItem, TopicItem
from .subscriptions import Subscriptions
from .topic_orders import TopicOrders

logger = logging.getLogger(__name__)

Notice = Callable[[dict[str, Any]], None]


class Delivered(NamedTuple):
    """How many frames went to how many connections, and how long writing them took."""

    frames: int
    connections: int
    writing_seconds: float


class Delivery:
    """`fill_gap(topic)` is called when a frame shows that frames before it are missing."""

    def __init__(
        self, subscriptions: Subscriptions, orders: TopicOrders, *, fill_gap: Callable[[str], None]
    ) -> None:
        self._subscriptions = subscriptions
        self._orders = orders
        self._fill_gap = fill_gap
        self._listeners: dict[str, list[Notice]] = {}
        self._repairs: list[Callable[[], None]] = []
        # These two belong to the delivery in progress.
        self._outgoing: dict[Connection, list[Frame]] = {}
        self._failures: list[Exception] = []

    def listen(self, notice: str, listener: Notice) -> None:
        self._listeners.setdefault(notice, []).append(listener)

    def on_loss(self, repair: Callable[[], None]) -> None:
        self._repairs.append(repair)

    def deliver(self, items: Iterable[Item], published_at: float) -> Delivered:
        """Deliver items in their order. `published_at` is a Unix time.

        All frames for one connection are sent in one write, which costs as much for twenty frames as for one.
        """
        messages = 0
        for item in items:
            try:
                messages += self._deliver_item(item)
            except Exception as error:
                self._failures.append(error)
        delivered = self._push_outgoing()
        _note_messages(items, messages)
        self._note_delays(items, published_at)
        self._note_failures()
        return delivered

    def push_ready(self, topic: str, frames: list[Frame]) -> None:
        """Push frames, which were waiting for missing ones, to every subscriber of the topic."""
        if frames:
            connections = tuple(self._subscriptions.subscribers(topic))
            for connection in connections:
                try:
                    connection.push_frames(frames)
                except Exception as error:
                    self._note_broken(connection, error)
            metrics.DELIVERED.inc(len(frames) * len(connections))
            self._note_failures()

    def repair_loss(self) -> None:
        """Start the repairs. A repair that raises is logged and does not count as a loss: that would never end."""
        for repair in self._repairs:
            try:
                repair()
            except Exception:
                logger.exception("the repair of a loss could not start")

    def _deliver_item(self, item: Item) -> int:
        """Queue the item's frames, or make its calls. Returns the number of deliveries of messages."""
        if isinstance(item, TopicItem):
            return self._deliver_to_topic(item)
        if isinstance(item, AddressItem):
            frame = Frame(item.payload, droppable=item.droppable)
            for connection in self._subscriptions.addressed(item.addresses):
                self._outgoing.setdefault(connection, []).append(frame)
        elif isinstance(item, ControlItem):
            for connection in self._subscriptions.addressed(item.addresses):
                self._attempt(connection.add_control, item.control, item.data)
        elif isinstance(item, NoticeItem):
            for listener in self._listeners.get(item.notice, ()):
                self._attempt(listener, item.data)
        return 0

    def _deliver_to_topic(self, item: TopicItem) -> int:
        """Queue the frame and the frames that waited for it. Returns the number of deliveries of messages."""
        topic = item.topic
        order = self._orders.get(topic)
        if order is None:
            self._orders.note_other_head(topic, item.seq)
            return 0
        frames = order.accept(Frame(item.payload, droppable=item.droppable, seq=item.seq))
        if order.has_gap:
            self._fill_gap(topic)
        if not frames:
            return 0
        subscribers = self._subscriptions.subscribers(topic, exclude_address=item.exclude_address)
        outgoing = self._outgoing
        for connection in subscribers:
            if (queued := outgoing.get(connection)) is None:
                outgoing[connection] = frames.copy()
            else:
                queued += frames
        return sum(frame.seq is not None for frame in frames) * len(subscribers)

    def _push_outgoing(self) -> Delivered:
        outgoing, self._outgoing = self._outgoing, {}
        frames, started = 0, time.perf_counter()
        for connection, queued in outgoing.items():
            # Not through `_attempt`: this loop runs once for each message and socket.
            try:
                connection.push_frames(queued)
            except Exception as error:
                self._note_broken(connection, error)
            frames += len(queued)
        return Delivered(frames, len(outgoing), time.perf_counter() - started)

    def _note_broken(self, connection: Connection, error: Exception) -> None:
        """Close a connection that could not be written to. It has missed frames and has to reconnect."""
        self._failures.append(error)
        connection.close(CloseCode.RESTART, "internal error")

    def _attempt(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception as error:
            self._failures.append(error)

    def _note_failures(self) -> None:
        """Log the failures of this delivery and start the repairs."""
        if self._failures:
            failures, self._failures = self._failures, []
            logger.error("%d parts of a delivery failed", len(failures), exc_info=failures[0])
            self.repair_loss()

    def _note_delays(self, items: Iterable[Item], published_at: float) -> None:
        metrics.DELIVERY_SECONDS.observe(max(0.0, time.time() - published_at))
        if tracing.enabled():
            for item in items:
                if isinstance(item, TopicItem) and (
                    sockets := len(self._subscriptions.subscribers(item.topic))
                ):
                    tracing.record(
                        "message.deliver", parent=item.trace, started_at=published_at, sockets=sockets
                    )


def _note_messages(items: Iterable[Item], deliveries: int) -> None:
    """Count the deliveries of messages. The log names the messages by room and seq, as the writer's record does."""
    if deliveries:
        metrics.DELIVERED.inc(deliveries)
        if logger.isEnabledFor(logging.INFO):
            places = [
                f"{item.topic}#{item.seq}" for item in items if isinstance(item, TopicItem) and item.seq
            ]
            logger.info("messages delivered", extra={"places": places, "deliveries": deliveries})
