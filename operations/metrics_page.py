"""/metrics for Prometheus: the metrics of this process, or the sums of all workers of `serve --workers`.

With several workers, `serve` sets PROMETHEUS_MULTIPROC_DIR. Each worker then counts in files in that directory, and
each of them answers for all. Processes that were started separately are separate targets.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector

from foundation import loop
from presence.selectors import online_users

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


class OnlineUsers(Collector):
    """Reads the number from Redis at each scrape. It is the same in all processes: use the maximum, not the sum."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        online = loop.call(online_users(), timeout_seconds=5.0)
        yield GaugeMetricFamily("chat_users_online", "Users online in all processes together.", value=online)


def page(request: HttpRequest) -> HttpResponse:
    """All metrics in Prometheus' text format."""
    online = CollectorRegistry()
    online.register(OnlineUsers())
    body = generate_latest(_counted()) + generate_latest(online)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    directory = os.environ.get(DIRECTORY)  # noqa: TID251  # a variable of prometheus_client
    if not directory:
        return REGISTRY
    _remove_ended_workers(Path(directory))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=directory)
    return registry


def _remove_ended_workers(directory: Path) -> None:
    """Take the gauges of ended workers out of the sums; their counters stay in."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in directory.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(pid, path=str(directory))
