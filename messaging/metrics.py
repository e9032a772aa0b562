"""Prometheus metrics of the writer."""

from prometheus_client import Counter, Histogram

from foundation.metrics import FAST_SECONDS

RECEIVED = Counter("chat_messages_in", "Messages that the writer received, by socket or REST.")
STORED = Counter("chat_messages_stored", "Messages stored in the log.")
DUPLICATES = Counter("chat_messages_duplicate", "Messages whose clientMessageId was stored before.")
REFUSED = Counter("chat_messages_refused", "Messages that the writer refused, by error code.", ["code"])
for code in ("unavailable", "overloaded"):
    # Series from the start: PromQL's `rate` does not count the first increase of a series that appears with it.
    REFUSED.labels(code)
BATCH_SIZE = Histogram(
    "chat_batch_size", "Messages in a commit.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
COMMIT_SECONDS = Histogram("chat_commit_seconds", "Time to store a batch.", buckets=FAST_SECONDS)
