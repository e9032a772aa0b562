"""Link: this process's one channel in the channel layer. It joins, receives, and joins again after silence."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from channels.layers import BaseChannelLayer, InMemoryChannelLayer

from foundation import loop
from foundation.ids import uuid7

from .arrivals import Arrivals
from .envelopes import Envelopes
from .items import Item
from .items_previous import PreviousRelease
from .publisher import Publisher

logger = logging.getLogger(__name__)

START_TIMEOUT_SECONDS = 2.0
PROBE_TIMEOUT_SECONDS = 2.0
REJOIN_TIMEOUT_SECONDS = 5.0
RETRY_SECONDS = 0.5
BEAT_SECONDS = 1.0
# After this many beats without a message a subscription is dead, even if its TCP connection is open.
BEATS_MISSED = 3


class Link:
    """`take(items, published_at)` gets the items of other processes: each once, and in the order of its sender.

    `miss()` is called when a message of another process was lost or could not be handled.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        group: str,
        *,
        take: Callable[[list[Item], float], None],
        miss: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._layer = layer
        self._group = group
        self._take = take
        self._miss = miss
        self._id = str(uuid7())
        # The in-memory layer reaches no other process.
        self._alone = isinstance(layer, InMemoryChannelLayer)
        self._previous = PreviousRelease(clock=clock)
        self._envelopes = Envelopes(self._id, self._previous)
        self._publisher = Publisher(layer, group, self._envelopes)
        self._channel = ""
        self._arrivals = Arrivals()
        self._received_own = True
        self._watcher: asyncio.Task[None] | None = None
        self._starter: asyncio.Task[None] | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._probes: dict[str, asyncio.Event] = {}

    async def start(self) -> None:
        """Join the layer; safe to repeat. If it is away this returns too, and joining goes on in the background."""
        if self._receiver is not None:
            return
        if self._starter is None:
            self._starter = loop.spawn(self._join(), name="hub-starter")
            if not self._alone:
                self._watcher = loop.spawn(self._watch(), name="hub-watcher")
        await asyncio.wait([self._starter], timeout=START_TIMEOUT_SECONDS)

    async def stop(self) -> None:
        """Stop receiving, and return when every item was sent or given up."""
        await loop.cancel(self._watcher, self._starter, self._receiver)
        await self._publisher.stop()

    def publish(self, sent: list[tuple[Item, int]]) -> None:
        """Send items, each with its size in bytes, to all other processes; never waits."""
        if not self._alone:
            for item, size_bytes in sent:
                self._publisher.add(item, size_bytes=size_bytes)

    async def flush(self) -> None:
        """Wait until every item so far was sent or given up."""
        await self._publisher.flush()

    async def check(self) -> None:
        """Send a probe through the layer back to this process. Raises TimeoutError if it does not return."""
        await self.start()
        probe, returned = str(uuid7()), asyncio.Event()
        self._probes[probe] = returned
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                await self._layer.send(self._channel, {"type": "hub", "probe": probe})
                await returned.wait()
        finally:
            del self._probes[probe]

    async def _join(self) -> None:
        while True:
            try:
                self._channel = await self._layer.new_channel()
                await self._layer.group_add(self._group, self._channel)
                break
            except Exception:
                logger.warning("the hub could not join the channel layer; trying again", exc_info=True)
                await asyncio.sleep(RETRY_SECONDS)
        self._receiver = loop.spawn(self._receive(), name="hub-receiver")

    async def _receive(self) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
            except Exception:
                logger.exception("the hub could not receive; trying again")
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._accept(message)

    def _accept(self, message: dict[str, Any]) -> None:
        """Handle a message. One that cannot be handled counts as lost, because it does not come again."""
        try:
            complete = self._handle(message)
        except Exception:
            logger.exception("a message of another process could not be handled")
            complete = False
        if not complete:
            self._miss()

    def _handle(self, message: dict[str, Any]) -> bool:
        """Take the message's items. False if a message before it was lost, or one of its items was unreadable."""
        if "probe" in message:
            if (returned := self._probes.get(message["probe"])) is not None:
                returned.set()
            return True
        if message["from"] == self._id:
            self._received_own = True
            return True
        if "reads_named" not in message and self._previous.note():
            self._publisher.skip_number()
        new, lost = self._arrivals.note(message["from"], message["number"])
        if not new:
            return True
        envelope = self._envelopes.decode(message)
        self._take(envelope.items, envelope.published_at)
        return envelope.complete and not lost

    async def _watch(self) -> None:
        """Publish a beat each second, and join the layer again when this process no longer receives its own beats.

        If the layer's host dies silently, the TCP connection of the subscription stays open for 15 minutes.
        """
        missed = 0
        while True:
            self._received_own = False
            self._publisher.beat()
            await asyncio.sleep(BEAT_SECONDS)
            missed = 0 if self._received_own else missed + 1
            if missed >= BEATS_MISSED and self._receiver is not None:
                missed = 0
                try:
                    await self._rejoin()
                except Exception:
                    logger.warning(
                        "the hub could not leave the channel layer to join it again", exc_info=True
                    )

    async def _rejoin(self) -> None:
        assert self._receiver is not None
        logger.warning("the hub receives nothing over the channel layer; joining it again")
        async with asyncio.timeout(REJOIN_TIMEOUT_SECONDS):
            await self._layer.flush()
        await loop.cancel(self._receiver)
        await self._join()
