"""What a process counts of its sockets and frames, in Prometheus' terms. Must not know any app."""

from prometheus_client import Counter, Gauge, Histogram

SOCKETS = Gauge("chat_sockets", "Open sockets of this process.", multiprocess_mode="livesum")
EVENTS = Counter("chat_events", "Client events by name and outcome.", ["event", "status"])
DROPPED = Counter("chat_frames_dropped", "Frames not sent to a peer that reads too slowly.")
SLOW_READERS = Counter("chat_slow_readers_cut", "Connections closed with 4408.")
PUBLISH_FAILURES = Counter("chat_publish_failures", "Publishes that the channel layer refused or lost.")
LAYER_LOSSES = Counter("chat_layer_losses", "Times that messages of another process did not come.")
PUBLISH_SECONDS = Histogram("chat_publish_seconds", "Time one publish to the channel layer took.")
LIMITED = Counter("chat_rate_limited", "Frames and requests refused by a limit.", ["scope"])
