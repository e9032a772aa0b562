"""Settler: writes what stored batches have still to move up, at once for a lone message, by tens a second for many.

Knows when; must not know what is moved up (rooms.marks) or stored.
"""

import asyncio
import logging

from realtime import loop
from realtime.threads import run_db
from rooms.marks import pending_marks

logger = logging.getLogger(__name__)

# A busy process writes the marks of so long a time together: two statements for all, and not for each batch.
PAUSE_SECONDS = 0.1
RETRY_SECONDS = 1.0


class Settler:
    """Lives on the process's loop; a task while there is something to write."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._next_at = 0.0

    def wake(self) -> None:
        """See to it that what is pending is written; never waits."""
        if pending_marks and self._task is None:
            self._task = loop.spawn(self._run(), name="settler")

    async def stop(self) -> None:
        await loop.cancel(self._task)
        await self._write()

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        try:
            while pending_marks:
                await asyncio.sleep(self._next_at - now())
                written = await self._write()
                self._next_at = now() + (PAUSE_SECONDS if written else RETRY_SECONDS)
        finally:
            self._task = None

    async def _write(self) -> bool:
        try:
            await run_db(pending_marks.write)
        except Exception as error:
            logger.warning("heads and watermarks could not be written yet: %r", error)
            return False
        return True


@loop.one_per_loop
def get_settler() -> Settler:
    """The settler of this process, stopped after the writer, whose last batches are settled then."""
    settler = Settler()
    loop.on_stop("settler", settler.stop)
    return settler
