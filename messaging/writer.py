"""MessageWriter: group commit. A batch is whatever arrived while the last one was being stored.

Knows drafts and a function that stores them; must not know the database, sockets or rooms.
"""

import logging
import time
from collections.abc import Awaitable, Callable

from foundation import tracing
from foundation.drainer import Drainer, Interrupted
from foundation.errors import ChatError, Overloaded, Unavailable

from . import metrics
from .drafts import Draft, Outcome, Stored

logger = logging.getLogger(__name__)

UNKNOWN = "It is not known whether the message was stored. Send it again with the same clientMessageId."

Store = Callable[[list[Draft]], Awaitable[list[Outcome]]]
Announce = Callable[[list[Stored]], None]


class MessageWriter:
    """One per process. `append` waits for the batch's commit."""

    def __init__(
        self,
        store: Store,
        announce: Announce,
        *,
        max_batch: int = 200,
        max_batch_bytes: int = 4 * 1024 * 1024,
        max_queue: int = 10_000,
        store_timeout_seconds: float = 15.0,
    ) -> None:
        self._store = store
        self._announce = announce
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
        """Store the draft and return where it lies; raises the ChatError that refused it.

        Overloaded when the queue is full, Unavailable when the database is away: then it is not known whether
        the message was stored, and a retry with the same clientMessageId is safe.
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
        return self._drainer.accepts()

    async def stop(self) -> None:
        """Take no more, and return when all that was taken is stored."""
        await self._drainer.stop()

    async def _commit(self, drafts: list[Draft]) -> list[Outcome]:
        started = time.perf_counter()
        outcomes: list[Outcome] = [Unavailable(UNKNOWN)] * len(drafts)
        try:
            outcomes = await self._store(drafts)
        finally:
            try:
                _note(drafts, outcomes, time.perf_counter() - started)
            except Exception:
                logger.exception("a batch could not be counted, traced or logged")
        # Told here and not by the callers: a sender that hangs up now must not keep the room from hearing.
        try:
            self._announce([o for o in outcomes if isinstance(o, Stored) and not o.duplicate])
        except Exception:
            logger.exception("a stored batch could not be announced")
        return outcomes


def _note(drafts: list[Draft], outcomes: list[Outcome], seconds: float) -> None:
    """Count a batch, and log where each of its messages came to lie: never what it says."""
    if tracing.enabled():
        _trace(drafts, outcomes, seconds)
    metrics.COMMIT_SECONDS.observe(seconds)
    metrics.BATCH_SIZE.observe(len(drafts))
    places = []
    for draft, outcome in zip(drafts, outcomes, strict=True):
        if isinstance(outcome, ChatError):
            metrics.REFUSED.labels(outcome.code).inc()
            places.append({"requestId": draft.request_id, "status": outcome.code})
            continue
        (metrics.DUPLICATES if outcome.duplicate else metrics.STORED).inc()
        message = outcome.message
        places.append(
            {
                "requestId": draft.request_id,
                "status": "duplicate" if outcome.duplicate else "stored",
                "place": f"{message.room_id}#{message.seq}",
                "messageId": str(message.pk),
            }
        )
    logger.info("batch stored", extra={"messages": places, "durationMs": round(seconds * 1000, 1)})


def _trace(drafts: list[Draft], outcomes: list[Outcome], seconds: float) -> None:
    """A span in the trace of each message, since one batch serves many."""
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
