"""The time of the database, which is one clock for all processes: as an expression of a write, and as a clock.

Only times that are compared between processes need it (docs/decisions/0021). Others are `times.now()`.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.migrations.recorder import MigrationRecorder
from django.db.models import DateTimeField, Func

from . import loop, times
from .database import run_db
from .errors import Unavailable

logger = logging.getLogger(__name__)

# A quartz clock drifts by some 50 µs a second, so an estimate of this age is right to some milliseconds.
RENEW_AFTER_SECONDS = 30.0
# After so long without a reading (nobody connected), the machine may have slept: do not use the estimate.
DISTRUST_AFTER_SECONDS = 600.0


class DatabaseNow(Func):
    """The database's time when it runs the statement, cut to milliseconds. The same for all rows and columns."""

    arity = 0
    output_field = DateTimeField()
    template = "DATE_TRUNC('milliseconds', STATEMENT_TIMESTAMP())"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        # As Django writes a time, which leaves out a fraction of zero: SQLite compares times as texts.
        now = "REPLACE(STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW') || '000', '.000000', '')"
        return self.as_sql(compiler, connection, template=now, **context)

    def as_djongo(self, connection: Any) -> str:
        return "$$NOW"


def read_database_time() -> datetime:
    """The database's time. Synchronous; one query of one row."""
    # Of a table that has a row in every database.
    rows = MigrationRecorder.Migration.objects.order_by().annotate(now=DatabaseNow())
    now: datetime = rows.values_list("now", flat=True)[:1][0]
    return times.truncate(now)


class ServerClock:
    """The database's time by its last reading and this process's monotonic clock, so that no caller waits for a
    query.

    It is never ahead of the database but by drift: a reading counts from the moment its answer came. Until the
    first reading it is this machine's clock. Belongs to the process's loop.
    """

    def __init__(
        self,
        read: Callable[[], datetime] = read_database_time,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._reading: tuple[datetime, float] | None = None
        self._task: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        """The present time, cut to milliseconds."""
        if self._reading is None:
            return times.now()
        moment, at = self._reading
        return times.truncate(moment + timedelta(seconds=self._monotonic() - at))

    async def sync(self) -> None:
        """Call before `now`. Waits only for the first reading, and after a long pause; others go on beside it."""
        age = float("inf") if self._reading is None else self._monotonic() - self._reading[1]
        if age < RENEW_AFTER_SECONDS:
            return
        if self._task is None or self._task.done():
            self._task = loop.spawn(self._renew(), name="server-clock")
        if age > DISTRUST_AFTER_SECONDS:
            await asyncio.wait({self._task})

    async def stop(self) -> None:
        await loop.cancel(self._task)

    async def _renew(self) -> None:
        try:
            moment = await run_db(self._read)
        except Unavailable as error:
            logger.warning("the database's time could not be read: %r", error)
            return
        self._reading = moment, self._monotonic()


@loop.one_per_loop
def get_server_clock() -> ServerClock:
    """The clock of this process."""
    clock = ServerClock()
    loop.on_stop("server clock", clock.stop)
    return clock
