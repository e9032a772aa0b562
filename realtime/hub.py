"""Fan-out: one channel-layer channel per process, and local delivery to the process's connections.

A *topic* is heard by whoever subscribed; an *address* (a user, a session) is a connection's own. Both are known
only inside each process: what is sent goes to this process's connections at once and, joined with what is sent
meanwhile, to all other processes over one common group (docs/decisions/0011).
Knows connections and the channel layer; must not know rooms, users or what a frame says.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from channels.layers import BaseChannelLayer, get_channel_layer

from . import loop, metrics, tracing
from .close_codes import CloseCode
from .connection import Connection
from .frames import Frame
from .items import AddressItem, ControlItem, Item, NoticeItem, TopicItem
from .link import Link
from .ordering import TopicOrder
from .pace import Pace
from .repair import GapFiller, TopicLog

logger = logging.getLogger(__name__)

GROUP = "hub"
MAX_OTHER_HEADS = 10_000

Notice = Callable[[dict[str, Any]], None]

_log: TopicLog | None = None


def use_log(log: TopicLog) -> None:
    """Name what lost frames are repaired from; called once, where the process is put together."""
    global _log
    _log = log


@loop.one_per_loop
def get_hub() -> "Hub":
    """The hub of this process; it lives on the process's loop and is stopped with it."""
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS is not set"
    hub = Hub(layer, _log)
    loop.on_stop("hub", hub.stop)
    return hub


class Hub:
    """All methods are called on the process's loop. `publish`, `send_to`, `send_control` and `notify` never wait.

    A publish that the layer loses is lost to the other processes until they look: the log is the truth, a push
    only a hint. Frames with a `seq` reach each connection in order, and what is missing is fetched from the log.
    """

    def __init__(self, layer: BaseChannelLayer, log: TopicLog | None = None) -> None:
        self._link = Link(layer, GROUP, take=self._take, miss=self._miss)
        self._subscribers: dict[str, set[Connection]] = {}
        self._addressed: dict[str, set[Connection]] = {}
        self._topics: dict[Connection, set[str]] = {}
        self._addresses: dict[Connection, tuple[str, ...]] = {}
        self._orders: dict[str, TopicOrder] = {}
        self._other_heads: dict[str, int] = {}  # of topics without a subscriber here: the last seq that came
        self._gap_filler = GapFiller(log, self._orders, self._push_ready) if log is not None else None
        self._listeners: dict[str, list[Notice]] = {}
        self._repairs: list[Callable[[], None]] = []
        self._local: list[tuple[Item, int]] = []
        self._local_since = 0.0
        self._failures: list[Exception] = []  # of the delivery that runs
        self._pace = Pace()

    # --- connections ----------------------------------------------------------------------------------------

    async def attach(self, connection: Connection, *addresses: str) -> None:
        """Make the connection reachable under these addresses, and no longer under any others it had."""
        await self.start()
        for address in self._addresses.get(connection, ()):
            if address not in addresses:
                _discard(self._addressed, address, connection)
        self._addresses[connection] = addresses
        self._topics.setdefault(connection, set())
        for address in addresses:
            self._addressed.setdefault(address, set()).add(connection)

    def detach(self, connection: Connection) -> None:
        """Forget the connection, its addresses and its topics; safe to repeat."""
        for address in self._addresses.pop(connection, ()):
            _discard(self._addressed, address, connection)
        for topic in tuple(self._topics.get(connection, ())):
            self.unsubscribe(connection, topic)
        self._topics.pop(connection, None)

    def subscribe(self, connection: Connection, topic: str) -> None:
        """Let the connection hear `topic` from now on. A topic with a log then needs its `note_head`."""
        if connection not in self._topics:
            return  # detached meanwhile
        if topic not in self._subscribers:
            self._subscribers[topic] = set()
            self._orders[topic] = TopicOrder()
        self._subscribers[topic].add(connection)
        self._topics[connection].add(topic)

    def unsubscribe(self, connection: Connection, topic: str) -> None:
        self._topics.get(connection, set()).discard(topic)
        if _discard(self._subscribers, topic, connection):
            self._note_other_head(topic, self._orders.pop(topic).head)

    def note_head(self, topic: str, head: int) -> None:
        """Learn how far the log of `topic` reaches, read after subscribing; what lies beyond comes in order."""
        order = self._orders.get(topic)
        if order is not None:
            self._push_ready(topic, order.note_head(head))
            self._fill_gap(topic, order)

    def position(self, topic: str) -> int | None:
        """The seq behind which whoever subscribes now hears all of `topic`; None while it has not had a head."""
        order = self._orders.get(topic)
        return None if order is None else order.position

    def began(self, topic: str) -> int | None:
        """The first position of `topic`, behind which those hear all who subscribed before it had one."""
        order = self._orders.get(topic)
        return None if order is None else order.began

    def head(self, topic: str) -> int:
        """How far the log of `topic` reaches by what was heard here, whoever listened; it may reach further."""
        order = self._orders.get(topic)
        return max(0 if order is None else order.head, self._other_heads.get(topic, 0))

    def topics(self, connection: Connection) -> frozenset[str]:
        return frozenset(self._topics.get(connection, ()))

    def connections(self) -> list[Connection]:
        return list(self._topics)

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
        """Send a frame to every subscriber of `topic` in every process; `seq` is its place in the topic's log, and
        `trace` what its delivery belongs to."""
        item = TopicItem(
            topic=topic,
            payload=payload,
            seq=seq,
            droppable=droppable,
            exclude_address=exclude_address,
            trace=trace,
        )
        self._send(item, len(payload))

    def send_to(self, addresses: Iterable[str], payload: bytes, *, droppable: bool = False) -> None:
        """Send a frame once to every connection, in every process, that has one of the addresses."""
        addresses = list(addresses)
        item = AddressItem(addresses=addresses, payload=payload, droppable=droppable)
        self._send(item, len(payload) + 50 * len(addresses))

    def send_control(self, addresses: Iterable[str], control: str, data: dict[str, Any]) -> None:
        """Run the consumers' `@on_control(control)` for every connection that has one of the addresses."""
        addresses = list(addresses)
        item = ControlItem(addresses=addresses, control=control, data=data)
        self._send(item, 500 + 50 * len(addresses))

    def notify(self, notice: str, data: dict[str, Any]) -> None:
        """Call what listens to `notice` in every process, this one included."""
        self._send(NoticeItem(notice=notice, data=data), 500)

    def listen(self, notice: str, listener: Notice) -> None:
        """Have `listener` called with the data of each `notify(notice, ..)`, of this or any other process."""
        self._listeners.setdefault(notice, []).append(listener)

    def on_loss(self, repair: Callable[[], None]) -> None:
        """Have `repair` called when something that was sent here or by another process did not arrive here."""
        self._repairs.append(repair)

    async def flush(self) -> None:
        """Wait until what was given so far has left this process, or was lost."""
        self._deliver_local()
        await self._link.flush()

    # --- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Join the layer, once. Where it is away this returns all the same, and joining goes on in the background:
        connections of this process reach each other meanwhile, and the log repairs what the others said."""
        if self._gap_filler is not None:
            self._gap_filler.start()
        await self._link.start()

    async def stop(self) -> None:
        await self.flush()
        await self._link.stop()
        if self._gap_filler is not None:
            await self._gap_filler.stop()

    async def check(self) -> None:
        """Send a probe through the layer back to this process; raises TimeoutError when it does not return."""
        await self._link.check()

    # --- inside ---------------------------------------------------------------------------------------------

    def _send(self, item: Item, size_bytes: int) -> None:
        if not self._local:
            self._local_since = time.time()
            running = asyncio.get_running_loop()
            if hold_seconds := self._pace.hold_seconds():
                running.call_later(hold_seconds, self._deliver_local)
            else:
                running.call_soon(self._deliver_local)
        self._local.append((item, size_bytes))

    def _deliver_local(self) -> None:
        """Hand what was sent here to this process's connections, and to the others."""
        sent, self._local = self._local, []
        if not sent:
            return
        self._link.publish(sent)
        items = [item for item, _ in sent]
        frames, connections = self._deliver(items)
        self._pace.note(frames=frames, connections=connections)
        self._note_delivery(items, self._local_since)

    def _take(self, items: list[Item], published_at: float) -> None:
        self._deliver(items)
        self._note_delivery(items, published_at)

    def _miss(self) -> None:
        metrics.LAYER_LOSSES.inc()
        logger.warning("messages of another process were lost; looking into the logs")
        self._repair_loss()

    def _repair_loss(self) -> None:
        """Start the repairs. One that fails is logged, and is no loss of its own: that would never end."""
        for repair in self._repairs:
            try:
                repair()
            except Exception:
                logger.exception("the repair of a loss could not start")

    def _deliver(self, items: list[Item]) -> tuple[int, int]:
        """Hand items on in their order; the frames for one connection leave together: a write costs as much for
        twenty as for one. Returns how many frames went to how many connections."""
        outgoing: dict[Connection, list[Frame]] = {}
        told = 0
        for item in items:
            try:
                told += self._deliver_item(outgoing, item)
            except Exception as error:
                self._failures.append(error)
        pushed, began = 0, time.perf_counter()
        for connection, frames in outgoing.items():
            self._push(connection, frames)
            pushed += len(frames)
        self._pace.note_writing(time.perf_counter() - began)
        self._note_delivered(items, told)
        self._note_failures()
        return pushed, len(outgoing)

    def _deliver_item(self, outgoing: dict[Connection, list[Frame]], item: Item) -> int:
        """Add the item's frames to what goes out, or call what it is for. Returns the number of messages."""
        if isinstance(item, TopicItem):
            return self._route(outgoing, item)
        if isinstance(item, AddressItem):
            frame = Frame(item.payload, droppable=item.droppable)
            for connection in self._having(item.addresses):
                outgoing.setdefault(connection, []).append(frame)
        elif isinstance(item, ControlItem):
            for connection in self._having(item.addresses):
                self._attempt(connection.add_control, item.control, item.data)
        elif isinstance(item, NoticeItem):
            for listener in self._listeners.get(item.notice, ()):
                self._attempt(listener, item.data)
        return 0

    def _push(self, connection: Connection, frames: list[Frame]) -> None:
        """Push the frames. A connection that cannot be written to has missed some, and has to start anew."""
        try:
            connection.push_frames(frames)
        except Exception as error:
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
            self._repair_loss()

    def _note_delivered(self, items: list[Item], delivered: int) -> None:
        """Count messages handed to sockets; the log tells which, by room and seq as the writer's record does."""
        if delivered:
            metrics.DELIVERED.inc(delivered)
            if logger.isEnabledFor(logging.INFO):
                places = [
                    f"{item.topic}#{item.seq}" for item in items if isinstance(item, TopicItem) and item.seq
                ]
                logger.info("messages delivered", extra={"places": places, "deliveries": delivered})

    def _note_delivery(self, items: list[Item], published_at: float) -> None:
        metrics.DELIVERY_SECONDS.observe(max(0.0, time.time() - published_at))
        if tracing.enabled():
            for item in items:
                if isinstance(item, TopicItem) and item.topic in self._subscribers:
                    sockets = len(self._subscribers[item.topic])
                    tracing.record(
                        "message.deliver", parent=item.trace, started_at=published_at, sockets=sockets
                    )

    def _route(self, outgoing: dict[Connection, list[Frame]], item: TopicItem) -> int:
        """Add the frame, and what waited for it, to what goes out; returns to how many messages that comes."""
        topic = item.topic
        order = self._orders.get(topic)
        if order is None:
            self._note_other_head(topic, item.seq)
            return 0
        frames = order.accept(Frame(item.payload, droppable=item.droppable, seq=item.seq))
        self._fill_gap(topic, order)
        if not frames:
            return 0
        subscribers: Collection[Connection] = self._subscribers[topic]
        if item.exclude_address:
            excluded = self._addressed.get(item.exclude_address, ())
            subscribers = [connection for connection in subscribers if connection not in excluded]
        for connection in subscribers:
            if (queued := outgoing.get(connection)) is None:
                outgoing[connection] = frames.copy()
            else:
                queued += frames
        return sum(frame.seq is not None for frame in frames) * len(subscribers)

    def _note_other_head(self, topic: str, seq: int | None) -> None:
        if seq:
            self._other_heads[topic] = max(seq, self._other_heads.pop(topic, 0))
            if len(self._other_heads) > MAX_OTHER_HEADS:
                del self._other_heads[next(iter(self._other_heads))]

    def _push_ready(self, topic: str, frames: list[Frame]) -> None:
        if frames:
            connections = tuple(self._subscribers.get(topic, ()))
            for connection in connections:
                self._push(connection, frames)
            self._note_failures()
            metrics.DELIVERED.inc(len(frames) * len(connections))

    def _fill_gap(self, topic: str, order: TopicOrder) -> None:
        if order.position is None or order.position >= order.head:
            return
        if self._gap_filler is not None:
            self._gap_filler.fill(topic)

    def _having(self, addresses: list[str]) -> set[Connection]:
        return {connection for address in addresses for connection in self._addressed.get(address, ())}


def _discard(index: dict[str, set[Connection]], key: str, connection: Connection) -> bool:
    """Remove the connection under `key`; True when it was the last there."""
    members = index.get(key)
    if members is None:
        return False
    members.discard(connection)
    if members:
        return False
    del index[key]
    return True
