"""Fan-out: one channel-layer channel per process, and local delivery to the process's connections.

A *topic* is heard by whoever subscribed and has a channel-layer group of its own, joined with the first local
subscriber and left with the last. An *address* (a user, a session) is known only inside each process; what is
sent to addresses goes to all processes over one common group, so that a connection costs no subscription.
Knows connections and the channel layer; must not know rooms, users or what a frame says.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from channels.layers import BaseChannelLayer, get_channel_layer

from . import loop
from .connection import Connection
from .ids import uuid7

logger = logging.getLogger(__name__)

COMMON_GROUP = "hub"
MAX_PENDING_ITEMS = 20_000
TOPIC_LOCKS = 256
PUBLISH_TIMEOUT_SECONDS = 2.0
RETRY_SECONDS = 0.5

_hub: "Hub | None" = None
_hub_loop: asyncio.AbstractEventLoop | None = None


def get_hub() -> "Hub":
    """The hub of this process; it lives on the process's loop and is stopped with it."""
    global _hub, _hub_loop
    current = loop.get_loop()
    if _hub is None or _hub_loop is not current:
        layer = get_channel_layer()
        assert layer is not None, "CHANNEL_LAYERS is not set"
        _hub, _hub_loop = Hub(layer), current
        loop.on_stop("hub", _hub.stop)
    return _hub


class Hub:
    """All methods are called on the process's loop. `publish`, `send_to` and `tell` never wait.

    What they are given is joined, for each group, into the next message to the layer while the last one is in
    flight. A publish that the layer loses is lost: the log is the truth, a push only a hint.
    """

    def __init__(self, layer: BaseChannelLayer) -> None:
        self._layer = layer
        self._channel = ""
        self._start_lock = asyncio.Lock()
        self._receiver: asyncio.Task[None] | None = None
        self._subscribers: dict[str, set[Connection]] = {}
        self._addressed: dict[str, set[Connection]] = {}
        self._topics: dict[Connection, set[str]] = {}
        self._addresses: dict[Connection, tuple[str, ...]] = {}
        self._locks = [asyncio.Lock() for _ in range(TOPIC_LOCKS)]
        self._pending: dict[str, list[list[Any]]] = {}
        self._pending_items = 0
        self._drainer: asyncio.Task[None] | None = None
        self._probes: dict[str, asyncio.Event] = {}

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

    async def detach(self, connection: Connection) -> None:
        """Forget the connection, its addresses and its topics; safe to repeat."""
        for address in self._addresses.pop(connection, ()):
            _discard(self._addressed, address, connection)
        for topic in tuple(self._topics.get(connection, ())):
            await self.unsubscribe(connection, topic)
        self._topics.pop(connection, None)

    async def subscribe(self, connection: Connection, topic: str) -> None:
        """Let the connection hear `topic`; returns once the layer delivers it to this process.

        First-in and last-out of a topic are decided under its lock: a join that waits for the layer must not
        be overtaken by a leave.
        """
        async with self._lock_of(topic):
            if connection not in self._topics:
                return  # detached while it waited for the lock
            if topic not in self._subscribers:
                await self._layer.group_add(topic, self._channel)
            self._subscribers.setdefault(topic, set()).add(connection)
            self._topics[connection].add(topic)

    async def unsubscribe(self, connection: Connection, topic: str) -> None:
        async with self._lock_of(topic):
            self._topics.get(connection, set()).discard(topic)
            if _discard(self._subscribers, topic, connection):
                await self._layer.group_discard(topic, self._channel)

    def _lock_of(self, topic: str) -> asyncio.Lock:
        return self._locks[hash(topic) % TOPIC_LOCKS]

    def connections(self) -> list[Connection]:
        return list(self._topics)

    def addressed(self, address: str) -> frozenset[Connection]:
        """This process's connections under `address`."""
        return frozenset(self._addressed.get(address, ()))

    # --- sending --------------------------------------------------------------------------------------------

    def publish(
        self, topic: str, payload: bytes, *, droppable: bool = False, exclude_address: str | None = None
    ) -> None:
        """Send a frame to every subscriber of `topic` in every process."""
        self._enqueue(topic, ["topic", topic, payload, droppable, exclude_address])

    def send_to(self, addresses: Iterable[str], payload: bytes, *, droppable: bool = False) -> None:
        """Send a frame once to every connection, in every process, that has one of the addresses."""
        self._enqueue(COMMON_GROUP, ["address", list(addresses), payload, droppable])

    def tell(self, addresses: Iterable[str], control: str, data: dict[str, Any]) -> None:
        """Run the consumers' `@on_control(control)` for every connection that has one of the addresses."""
        self._enqueue(COMMON_GROUP, ["control", list(addresses), control, data])

    async def flush(self) -> None:
        """Wait until what was given so far has left this process, or was lost."""
        if self._drainer is not None:
            await asyncio.shield(self._drainer)

    # --- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        async with self._start_lock:
            if self._receiver is None:
                self._channel = await self._layer.new_channel()
                await self._layer.group_add(COMMON_GROUP, self._channel)
                self._receiver = asyncio.create_task(self._receive(), name="hub-receiver")

    async def stop(self) -> None:
        await self.flush()
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.gather(self._receiver, return_exceptions=True)
            self._receiver = None

    async def check(self) -> None:
        """Send a probe through the layer back to this process; raises TimeoutError when it does not return."""
        await self.start()
        probe, returned = str(uuid7()), asyncio.Event()
        self._probes[probe] = returned
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
                await self._layer.send(self._channel, {"type": "hub", "items": [["probe", probe]]})
                await returned.wait()
        finally:
            del self._probes[probe]

    # --- inside ---------------------------------------------------------------------------------------------

    def _enqueue(self, group: str, item: list[Any]) -> None:
        if self._pending_items >= MAX_PENDING_ITEMS:
            logger.error("publish queue is full; a frame for %s was dropped", group)
            return
        self._pending.setdefault(group, []).append(item)
        self._pending_items += 1
        if self._drainer is None:
            self._drainer = asyncio.create_task(self._drain(), name="hub-drainer")

    async def _drain(self) -> None:
        try:
            while self._pending:
                batch, self._pending, self._pending_items = self._pending, {}, 0
                for group, items in batch.items():
                    await self._send_group(group, items)
        finally:
            self._drainer = None

    async def _send_group(self, group: str, items: list[list[Any]]) -> None:
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
                await self._layer.group_send(group, {"type": "hub", "items": items})
        except Exception:
            logger.exception("publishing %d frames to %s failed", len(items), group)

    async def _receive(self) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
                for item in message["items"]:
                    self._deliver(*item)
            except Exception:
                logger.exception("the hub could not receive; trying again")
                await asyncio.sleep(RETRY_SECONDS)

    def _deliver(self, kind: str, target: Any, *rest: Any) -> None:
        if kind == "topic":
            payload, droppable, exclude_address = rest
            excluded = self._addressed.get(exclude_address, ()) if exclude_address else ()
            for connection in tuple(self._subscribers.get(target, ())):
                if connection not in excluded:
                    connection.push(payload, droppable=droppable)
        elif kind == "address":
            payload, droppable = rest
            for connection in self._local(target):
                connection.push(payload, droppable=droppable)
        elif kind == "control":
            name, data = rest
            for connection in self._local(target):
                connection.tell(name, data)
        elif kind == "probe" and target in self._probes:
            self._probes[target].set()

    def _local(self, addresses: list[str]) -> set[Connection]:
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
