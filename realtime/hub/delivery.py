"""Delivery of items to this process's connections and listeners.

A failure stops neither the other items nor the other connections, and starts the repair of a loss.
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
    """`fill_gap(topic)` is called where a frame shows that others before it are missing."""

    def __init__(
        self, subscriptions: Subscriptions, orders: TopicOrders, *, fill_gap: Callable[[str], None]
    ) -> None:
        self._subscriptions = subscriptions
        self._orders = orders
        self._fill_gap = fill_gap
        self._listeners: dict[str, list[Notice]] = {}
        self._repairs: list[Callable[[], None]] = []
        self._outgoing: dict[Connection, list[Frame]] = {}  # of the delivery that runs, as are the failures
        self._failures: list[Exception] = []

    def listen(self, notice: str, listener: Notice) -> None:
        self._listeners.setdefault(notice, []).append(listener)

    def on_loss(self, repair: Callable[[], None]) -> None:
        self._repairs.append(repair)

    def deliver(self, items: Iterable[Item], published_at: float) -> Delivered:
        """Deliver items in their order. All frames for one connection leave in one write, which costs as much for
        twenty as for one."""
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
        """Push frames that were waiting for others to every subscriber of the topic."""
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
        """Start the repairs. One that fails is logged, and is no loss of its own: that would never end."""
        for repair in self._repairs:
            try:
                repair()
            except Exception:
                logger.exception("the repair of a loss could not start")

    def _deliver_item(self, item: Item) -> int:
        """Add the item's frames to what goes out, or make its calls. Returns the number of messages."""
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
        """Add the frame, and those that waited for it, to what goes out. Returns the number of messages."""
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
            # Not through `_attempt`: this is the loop that each message takes once for each socket.
            try:
                connection.push_frames(queued)
            except Exception as error:
                self._note_broken(connection, error)
            frames += len(queued)
        return Delivered(frames, len(outgoing), time.perf_counter() - started)

    def _note_broken(self, connection: Connection, error: Exception) -> None:
        """A connection that could not be written to has missed frames, and has to start anew."""
        self._failures.append(error)
        connection.close(CloseCode.RESTART, "internal error")

    def _attempt(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception as error:
            self._failures.append(error)

    def _note_failures(self) -> None:
        """What could not be delivered is lost to those it was for, so the repair of a loss starts."""
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
    """Count messages that went to sockets. The log names them by room and seq, as the writer's record does."""
    if deliveries:
        metrics.DELIVERED.inc(deliveries)
        if logger.isEnabledFor(logging.INFO):
            places = [
                f"{item.topic}#{item.seq}" for item in items if isinstance(item, TopicItem) and item.seq
            ]
            logger.info("messages delivered", extra={"places": places, "deliveries": deliveries})
