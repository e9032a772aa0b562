"""MessageWriter: stores messages in batches (group commit, docs/decisions/0004) and publishes them.

A batch is what arrived while the previous one was being stored.
"""

import asyncio
import logging
import time

from foundation import loop, tracing
from foundation.database import run_db
from foundation.database_errors import WritesRefused
from foundation.drainer import Drainer, Interrupted
from foundation.errors import ChatError, Overloaded, Unavailable
from messaging import metrics
from messaging.drafts import Draft, Outcome, Stored
from messaging.log.message_log import NOT_STORED, MessageLog
from messaging.mark_writer import get_mark_writer
from rooms import recent_writes
from rooms.recent_writes import get_recent_writes

from .publishing import notify_first, publish_stored

logger = logging.getLogger(__name__)

UNKNOWN = "It is not known whether the message was stored. Send it again with the same clientMessageId."


@loop.one_per_loop
def get_writer() -> "MessageWriter":
    """The writer of this process. When the process stops, it stores what it has accepted."""
    writer = MessageWriter(MessageLog())
    loop.on_stop("writer", writer.stop)
    return writer


class MessageWriter:
    """Stores one batch at a time, in the order of arrival, so the order within a room holds."""

    def __init__(
        self,
        log: MessageLog,
        *,
        max_batch: int = 200,
        max_batch_bytes: int = 4 * 1024 * 1024,
        max_queue: int = 10_000,
        store_timeout_seconds: float = 15.0,
    ) -> None:
        self._log = log
        self._failed_at: float | None = None
        self._drainer: Drainer[Draft, Stored] = Drainer(
            self._commit,
            name="message-writer",
            max_items=max_queue,
            max_batch=max_batch,
            max_batch_bytes=max_batch_bytes,
            size_bytes=Draft.size_bytes,
            timeout_seconds=store_timeout_seconds,
        )

    async def append(self, draft: Draft) -> Stored:
        """Store and publish the draft; returns after the commit. Raises the ChatError that refused the draft.

        Raises Overloaded when the queue is full, and Unavailable when the database is away: then the message may
        have been stored or not, and a retry with the same clientMessageId is safe. After WritesRefused, which is an
        Unavailable, it was not stored.
        """
        metrics.RECEIVED.inc()
        if not self.accepts():
            metrics.REFUSED.labels(Overloaded.code).inc()
            raise Overloaded
        try:
            return await self._drainer.ask(draft)
        except Interrupted as error:
            raise Unavailable(UNKNOWN) from error
        except ChatError:
            raise
        except Exception as error:
            raise Unavailable(UNKNOWN) from error

    def accepts(self) -> bool:
        """False when the queue is full or the writer stops."""
        return self._drainer.accepts()

    def failed_lately(self, *, seconds: float) -> bool:
        """Whether the last batch could not be stored, less than `seconds` ago."""
        return self._failed_at is not None and time.monotonic() - self._failed_at < seconds

    async def stop(self) -> None:
        """Refuse further drafts, and return when all accepted ones are stored and published."""
        await self._drainer.stop()

    async def _commit(self, drafts: list[Draft]) -> list[Outcome]:
        """Store a batch, publish what is new, and return one outcome for each draft to its sender.

        Publishing happens here and not in the senders' tasks, because a sender that disconnects now must not keep
        the room from getting the message. An error in a record or in publishing does not reach the senders.
        """
        started = time.perf_counter()
        outcomes: list[Outcome] = [Unavailable(UNKNOWN)] * len(drafts)
        failed = True
        try:
            outcomes = await self._store(drafts)
            failed = all(isinstance(one, WritesRefused) for one in outcomes)
        except WritesRefused:
            # Refused before the first insert. What is refused later is an outcome.
            outcomes = [WritesRefused(NOT_STORED)] * len(drafts)
        except Unavailable as error:
            raise Unavailable(UNKNOWN) from error
        finally:
            self._failed_at = time.monotonic() if failed else None
            try:
                _record(drafts, outcomes, time.perf_counter() - started)
            except Exception:
                logger.exception("a batch could not be counted, traced or logged")
            # After an error too: without transactions a part of the batch may be stored, and its marks are pending.
            get_mark_writer().wake()
        try:
            notify_first(drafts, outcomes)
            publish_stored([one for one in outcomes if isinstance(one, Stored) and not one.duplicate])
        except Exception:
            logger.exception("a stored batch could not be published")
        return outcomes

    async def _store(self, drafts: list[Draft]) -> list[Outcome]:
        if not recent_writes.are_needed():
            return await run_db(self._log.store, drafts)
        # Beside the insert, which takes longer: so the sender does not wait for Redis.
        announced = get_recent_writes().announce({draft.room_id for draft in drafts})
        stored = run_db(self._log.store, drafts)
        # Waits for both also if storing fails: a part may be stored, and is told when it is found in the log.
        outcomes, _ = await asyncio.gather(stored, announced, return_exceptions=True)
        if isinstance(outcomes, BaseException):
            raise outcomes
        return outcomes


def _record(drafts: list[Draft], outcomes: list[Outcome], seconds: float) -> None:
    """Count, trace and log a batch. The log says where each message is stored, never what it says."""
    if tracing.enabled():
        _trace(drafts, outcomes, seconds)
    metrics.COMMIT_SECONDS.observe(seconds)
    metrics.BATCH_SIZE.observe(len(drafts))
    records = []
    for draft, outcome in zip(drafts, outcomes, strict=True):
        if isinstance(outcome, ChatError):
            metrics.REFUSED.labels(outcome.code).inc()
            records.append({"requestId": draft.request_id, "status": outcome.code})
            continue
        (metrics.DUPLICATES if outcome.duplicate else metrics.STORED).inc()
        message = outcome.message
        records.append(
            {
                "requestId": draft.request_id,
                "status": "duplicate" if outcome.duplicate else "stored",
                "place": f"{message.room_id}#{message.seq}",
                "messageId": str(message.pk),
            }
        )
    logger.info("batch stored", extra={"messages": records, "durationMs": round(seconds * 1000, 1)})


def _trace(drafts: list[Draft], outcomes: list[Outcome], seconds: float) -> None:
    """Add a span to the trace of each message; one batch belongs to many traces."""
    started_at = time.time() - seconds
    for draft, outcome in zip(drafts, outcomes, strict=True):
        stored = outcome if isinstance(outcome, Stored) else None
        trace = tracing.record(
            "message.store",
            parent=draft.trace,
            started_at=started_at,
            requestId=draft.request_id,
            batch=len(drafts),
            status=outcome.code if isinstance(outcome, ChatError) else "stored",
            place=f"{stored.message.room_id}#{stored.message.seq}" if stored else None,
        )
        if stored is not None:
            stored.trace = trace
