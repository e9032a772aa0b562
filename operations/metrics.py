"""Prometheus metrics of readiness. They are as old as the last request to /readyz."""

from prometheus_client import Gauge

READY = Gauge(
    "chat_ready", "1 if the part worked at the last check of /readyz.", ["part"], multiprocess_mode="livemin"
)
DISK_FREE = Gauge(
    "chat_disk_free_ratio",
    "Free part of the disk with this directory, at the last check of /readyz.",
    ["directory"],
    multiprocess_mode="livemin",
)
