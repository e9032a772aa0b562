"""Settler: writes what stored batches have still to move up, at once for a lone message, by tens a second for many.

Knows when; must not know what is moved up (rooms.marks) or stored.
"""

import asyncio
import logging

from foundation import loop
from foundation.database import run_db
from foundation.drainer import Drainer
from rooms.marks import pending_marks

logger = logging.getLogger(__name__)

# A busy process writes the marks of so long a time together: two statements for all, and not for each batch.
PAUSE_SECONDS = 0.1
RETRY_SECONDS = 1.0


class Settler:
    """Lives on the process's loop. What is pending is the queue; the drainer holds one call to write all of it."""

    def __init__(self) -> None:
        self._drainer: Drainer[None, None] = Drainer(
            self._write_pending, name="settler", max_items=1, max_batch=1
        )
        self._next_at = 0.0

    def wake(self) -> None:
        """See to it that what is pending is written; never waits."""
        if pending_marks:
            self._drainer.add(None)

    async def stop(self) -> None:
        """Write what is pending, now."""
        await self._drainer.cancel()
        await self._write()

    async def _write_pending(self, _: list[None]) -> None:
        now = asyncio.get_running_loop().time
        while pending_marks:
            await asyncio.sleep(self._next_at - now())
            written = await self._write()
            self._next_at = now() + (PAUSE_SECONDS if written else RETRY_SECONDS)

    async def _write(self) -> bool:
        try:
            await run_db(pending_marks.write)
        except Exception as error:
            logger.warning("heads and watermarks could not be written yet: %r", error)
            return False
        return True


@loop.one_per_loop
def get_settler() -> Settler:
    """The settler of this process."""
    settler = Settler()
    loop.on_stop("marks", settler.stop)
    return settler
