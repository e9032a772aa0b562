"""The Prometheus metrics of sockets and frames. Dashboards and alerts use these names, so none may be renamed."""

from prometheus_client import Counter, Gauge, Histogram

from foundation.metrics import FAST_SECONDS

SOCKETS = Gauge("chat_sockets", "Open sockets.", multiprocess_mode="livesum")
EVENTS = Counter("chat_events", "Client events by name and outcome.", ["event", "status"])
CLOSES = Counter("chat_socket_closes", "Ended sockets by close code.", ["code"])
DELIVERED = Counter("chat_messages_delivered", "Messages handed to sockets, once for each socket.")
DELIVERY_SECONDS = Histogram(
    "chat_delivery_seconds", "From publishing a frame to handing it to sockets.", buckets=FAST_SECONDS
)
DROPPED = Counter("chat_frames_dropped", "Frames not sent to a peer that reads too slowly.")
SLOW_READERS = Counter("chat_slow_readers_cut", "Connections closed with 4408.")
PUBLISH_FAILURES = Counter("chat_publish_failures", "Publishes that the channel layer refused or lost.")
LAYER_LOSSES = Counter("chat_layer_losses", "Times that messages of another process were lost.")
REPAIRED = Counter("chat_repaired_gaps", "Gaps in a room's order that were filled from the log.")
PUBLISH_SECONDS = Histogram(
    "chat_publish_seconds", "Time one publish to the channel layer took.", buckets=FAST_SECONDS
)
