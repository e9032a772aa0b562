"""/metrics for Prometheus: of this process, or of all workers of `serve --workers` added up.

With PROMETHEUS_MULTIPROC_DIR set, which `serve` does by itself, each worker counts in files there and any of them
answers for all. Processes that were started one by one are a target each.
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
    """Asked for when scraped. All processes know the same number: take the maximum of the targets, not the sum."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        online = loop.call(online_users(), timeout_seconds=5.0)
        yield GaugeMetricFamily("chat_users_online", "Users online in all processes together.", value=online)


def page(request: HttpRequest) -> HttpResponse:
    online = CollectorRegistry()
    online.register(OnlineUsers())
    body = generate_latest(_counted()) + generate_latest(online)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    directory = os.environ.get(DIRECTORY)
    if not directory:
        return REGISTRY
    _bury_dead(Path(directory))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=directory)
    return registry


def _bury_dead(directory: Path) -> None:
    """Take what ended workers had open out of the sums; what they had counted stays in."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in directory.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(pid, path=str(directory))
