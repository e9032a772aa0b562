"""Publisher: sends this process's items to the channel layer, in order, and retries while the layer is away."""

import asyncio
import logging
import time
from operator import itemgetter

from channels.layers import BaseChannelLayer

from foundation.drainer import Drainer
from realtime import metrics

from .envelopes import Envelopes
from .items import BeatItem, Item

logger = logging.getLogger(__name__)

MAX_PENDING_ITEMS = 20_000
MAX_BATCH_ITEMS = 500
MAX_BATCH_BYTES = 1024 * 1024
TIMEOUT_SECONDS = 2.0
RETRY_SECONDS = 0.5
KEEP_SECONDS = 10.0


class Publisher:
    """`add` never waits. While one message to the layer is in flight, new items are joined into the next one.

    A message whose sending failed is sent again, although it may have arrived. Messages are numbered, so that
    receivers recognise repeats and losses (realtime.hub.arrivals).
    """

    def __init__(self, layer: BaseChannelLayer, group: str, envelopes: Envelopes) -> None:
        self._layer = layer
        self._group = group
        self._envelopes = envelopes
        self._number = 0
        self._drainer: Drainer[tuple[Item, int], None] = Drainer(
            self._send,
            name="hub-drainer",
            max_items=MAX_PENDING_ITEMS,
            max_batch=MAX_BATCH_ITEMS,
            max_batch_bytes=MAX_BATCH_BYTES,
            size_bytes=itemgetter(1),
        )

    def add(self, item: Item, *, size_bytes: int) -> None:
        """Queue an item. If MAX_PENDING_ITEMS wait it is lost, which the receivers notice."""
        if not self._drainer.add((item, size_bytes)):
            metrics.PUBLISH_FAILURES.inc()
            self.skip_number()

    def skip_number(self) -> None:
        """Make the other processes see a loss, so that they read the logs."""
        self._number += 1

    def beat(self) -> None:
        """Publish a beat, unless items are being sent anyway."""
        if self._drainer.idle:
            self.add(BeatItem(), size_bytes=0)

    async def flush(self) -> None:
        """Wait until every item so far was sent or given up."""
        await self._drainer.join()

    async def stop(self) -> None:
        """Take no more items, and return when all were sent or given up."""
        await self._drainer.stop()

    async def _send(self, sized_items: list[tuple[Item, int]]) -> None:
        """Send one message, and retry for KEEP_SECONDS while the layer is away."""
        items = [item for item, _ in sized_items]
        self._number += 1
        message = self._envelopes.encode(self._number, items)
        give_up_at = time.monotonic() + KEEP_SECONDS
        while True:
            try:
                with metrics.PUBLISH_SECONDS.time():
                    async with asyncio.timeout(TIMEOUT_SECONDS):
                        await self._layer.group_send(self._group, message)
                return
            except Exception as error:
                metrics.PUBLISH_FAILURES.inc()
                if time.monotonic() > give_up_at:
                    logger.error("%d frames did not reach the other processes: %r", len(items), error)
                    return
                logger.warning("publishing %d frames failed, trying again: %r", len(items), error)
            await asyncio.sleep(RETRY_SECONDS)
