"""Hub: delivers frames to this process's connections, and through the channel layer to those of other processes.

A connection subscribes to a *topic* (a room), and has an *address* (its user, its session). Only its own process
knows both. An item goes to this process's connections at once, and joined with others to all other processes over
one common group (docs/decisions/0011-one-group-for-all-processes.md). The hub does not know rooms or read frames.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from channels.layers import BaseChannelLayer, get_channel_layer

from foundation import loop
from realtime import metrics
from realtime.session.connection import Connection

from .delivery import Delivery, Notice
from .gap_filler import GapFiller, TopicLog
from .items import AddressItem, ControlItem, Item, NoticeItem, TopicItem
from .joining import Joiner, SizedItem
from .link import Link
from .pace import Pace
from .subscriptions import Subscriptions
from .topic_orders import TopicOrders

logger = logging.getLogger(__name__)

GROUP = "hub"

_log: TopicLog | None = None


def use_log(log: TopicLog) -> None:
    """Set the log that gaps are filled from. Called once, at start-up."""
    global _log
    _log = log


@loop.one_per_loop
def get_hub() -> "Hub":
    """The hub of this process. It lives on the process's loop and is stopped with it."""
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS is not set"
    hub = Hub(layer, _log)
    loop.on_stop("hub", hub.stop)
    return hub


class Hub:
    """All methods are called on the process's loop. `publish`, `send_to`, `send_control` and `notify` never wait.

    The layer may lose an item on its way to another process. A push is only a hint; the log is complete. Frames
    with a `seq` reach each connection in order, and missing ones are fetched from the log.
    """

    def __init__(self, layer: BaseChannelLayer, log: TopicLog | None = None) -> None:
        self._subscriptions = Subscriptions()
        self._orders = TopicOrders()
        self._delivery = Delivery(self._subscriptions, self._orders, fill_gap=self._fill_gap)
        self._gap_filler = (
            GapFiller(log, self._orders, self._delivery.push_ready) if log is not None else None
        )
        self._pace = Pace()
        self._joiner = Joiner(self._pace, self._deliver_sent)
        self._link = Link(layer, GROUP, take=self._deliver_received, miss=self._note_loss)

    # --- connections ----------------------------------------------------------------------------------------

    async def attach(self, connection: Connection, *addresses: str) -> None:
        """Make the connection reachable under these addresses, which replace any others it had."""
        await self.start()
        self._subscriptions.attach(connection, addresses)

    def detach(self, connection: Connection) -> None:
        """Forget the connection, its addresses and its topics; safe to repeat."""
        for topic in self._subscriptions.detach(connection):
            self._orders.close(topic)

    def subscribe(self, connection: Connection, topic: str) -> None:
        """Send the connection the frames of `topic` from now on. For a topic with a log, call `note_head` next."""
        if self._subscriptions.subscribe(connection, topic):
            self._orders.open(topic)

    def unsubscribe(self, connection: Connection, topic: str) -> None:
        if self._subscriptions.unsubscribe(connection, topic):
            self._orders.close(topic)

    def topics(self, connection: Connection) -> frozenset[str]:
        return self._subscriptions.topics(connection)

    def connections(self) -> list[Connection]:
        return self._subscriptions.connections()

    # --- positions in the logs ------------------------------------------------------------------------------

    def note_head(self, topic: str, head: int) -> None:
        """Take the last seq in the log of `topic`, read after subscribing. Later frames are delivered in order."""
        order = self._orders.get(topic)
        if order is not None:
            self._delivery.push_ready(topic, order.note_head(head))
            if order.has_gap:
                self._fill_gap(topic)

    def position(self, topic: str) -> int | None:
        """The seq after which a new subscriber gets every frame of `topic`; None before its first `note_head`."""
        order = self._orders.get(topic)
        return None if order is None else order.position

    def start_position(self, topic: str) -> int | None:
        """The first position that `topic` had. A connection that subscribed before gets every frame after it."""
        order = self._orders.get(topic)
        return None if order is None else order.start

    def head(self, topic: str) -> int:
        """The highest seq of `topic` that this process has received. The log may be longer."""
        return self._orders.head(topic)

    # --- sending --------------------------------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        seq: int | None = None,
        droppable: bool = False,
        exclude_address: str | None = None,
        trace: str | None = None,
    ) -> None:
        """Send a frame to every subscriber of `topic`. `trace` is the parent of its delivery's span."""
        item = TopicItem(
            topic=topic, payload=payload, seq=seq, droppable=droppable,
            exclude_address=exclude_address, trace=trace,
        )  # fmt: skip
        self._joiner.add(item, len(payload))

    def send_to(self, addresses: Iterable[str], payload: bytes, *, droppable: bool = False) -> None:
        """Send a frame once to every connection, in every process, that has one of the addresses."""
        item = AddressItem(addresses=list(addresses), payload=payload, droppable=droppable)
        self._joiner.add(item, len(payload) + 50 * len(item.addresses))

    def send_control(self, addresses: Iterable[str], control: str, data: dict[str, Any]) -> None:
        """Run `@on_control(control)` for every connection, in every process, that has one of the addresses."""
        item = ControlItem(addresses=list(addresses), control=control, data=data)
        self._joiner.add(item, 500 + 50 * len(item.addresses))

    def notify(self, notice: str, data: dict[str, Any]) -> None:
        """Call the listeners of `notice` in every process, this one included."""
        self._joiner.add(NoticeItem(notice=notice, data=data), 500)

    def listen(self, notice: str, listener: Notice) -> None:
        """Have `listener` called with the data of each `notify(notice, ..)`, of this or any other process."""
        self._delivery.listen(notice, listener)

    def on_loss(self, repair: Callable[[], None]) -> None:
        """Have `repair` called when an item of this or another process could not be delivered here."""
        self._delivery.on_loss(repair)

    async def flush(self) -> None:
        """Wait until every item so far was sent to the layer, or given up."""
        self._joiner.flush()
        await self._link.flush()

    # --- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Join the layer; safe to repeat. If it is away this returns too, and joining goes on in the background."""
        if self._gap_filler is not None:
            self._gap_filler.start()
        await self._link.start()

    async def stop(self) -> None:
        await self.flush()
        await self._link.stop()
        if self._gap_filler is not None:
            await self._gap_filler.stop()

    async def check(self) -> None:
        """Send a probe through the layer back to this process. Raises TimeoutError if it does not return."""
        await self._link.check()

    def _deliver_sent(self, sent: list[SizedItem], sent_at: float) -> None:
        self._link.publish(sent)
        delivered = self._delivery.deliver([item for item, _ in sent], sent_at)
        self._pace.note_writing(delivered.writing_seconds)
        self._pace.note(frames=delivered.frames, connections=delivered.connections)

    def _deliver_received(self, items: list[Item], published_at: float) -> None:
        delivered = self._delivery.deliver(items, published_at)
        self._pace.note_writing(delivered.writing_seconds)

    def _note_loss(self) -> None:
        metrics.LAYER_LOSSES.inc()
        logger.warning("messages of another process were lost; looking into the logs")
        self._delivery.repair_loss()

    def _fill_gap(self, topic: str) -> None:
        if self._gap_filler is not None:
            self._gap_filler.fill(topic)
