"""MarkWriter: writes pending room heads and watermarks: at once when idle, at most every 100 ms under load.

Marks are pending only where the database has no transactions (docs/decisions/0014).
"""

import asyncio
import logging

from foundation import loop
from foundation.database import run_db
from foundation.drainer import Drainer
from rooms.marks import pending_marks

logger = logging.getLogger(__name__)

# Under load the marks of this interval are joined: two statements for all of them, not two for each batch.
INTERVAL_SECONDS = 0.1
RETRY_SECONDS = 1.0


class MarkWriter:
    """The work is in `rooms.marks.pending_marks`. The drainer's queue holds at most one request to write all."""

    def __init__(self) -> None:
        self._drainer: Drainer[None, None] = Drainer(
            self._write_until_done, name="mark-writer", max_items=1, max_batch=1
        )
        self._next_at = 0.0

    def wake(self) -> None:
        """Have the pending marks written in the background; never waits."""
        if pending_marks:
            self._drainer.add(None)

    async def stop(self) -> None:
        """Write the pending marks now. What cannot be written is logged; the next process reads it from the log."""
        await self._drainer.cancel()
        await self._write()

    async def _write_until_done(self, _: list[None]) -> None:
        now = asyncio.get_running_loop().time
        while pending_marks:
            await asyncio.sleep(self._next_at - now())
            written = await self._write()
            self._next_at = now() + (INTERVAL_SECONDS if written else RETRY_SECONDS)

    async def _write(self) -> bool:
        try:
            await run_db(pending_marks.write)
        except Exception as error:
            logger.warning("heads and watermarks could not be written yet: %r", error)
            return False
        return True


@loop.one_per_loop
def get_mark_writer() -> MarkWriter:
    """The mark writer of this process."""
    writer = MarkWriter()
    loop.on_stop("marks", writer.stop)
    return writer
