"""What a process counts of the messages it stores, in Prometheus' terms."""

from prometheus_client import Counter, Histogram

from foundation.metrics import FAST_SECONDS

RECEIVED = Counter("chat_messages_in", "Messages that came to the writer, by socket or REST.")
STORED = Counter("chat_messages_stored", "Messages put into the log.")
DUPLICATES = Counter("chat_messages_duplicate", "Sends whose clientMessageId was seen before.")
REFUSED = Counter("chat_messages_refused", "Messages the writer did not store, by code.", ["code"])
for code in ("unavailable", "overloaded"):
    REFUSED.labels(code)  # there from the start: a rate does not see the step with which a series begins
BATCH_SIZE = Histogram(
    "chat_batch_size", "Messages in a commit.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
COMMIT_SECONDS = Histogram("chat_commit_seconds", "Time to store a batch.", buckets=FAST_SECONDS)
