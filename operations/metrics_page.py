"""/metrics for Prometheus: the metrics of this process, or the sums of all workers of `serve --workers`.

With several workers, `serve` sets PROMETHEUS_MULTIPROC_DIR. Each worker then counts in files in that directory, and
each of them answers for all. Processes that were started separately are separate targets.
"""

import asyncio
import os
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest, multiprocess
from prometheus_client.registry import REGISTRY

from foundation import loop
from foundation.shared_value import SharedValue
from presence.selectors import online_users

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
FRESH_SECONDS = 1.0


async def page() -> tuple[int, str, bytes]:
    """(status, content type, body): all metrics in Prometheus' text format, at most FRESH_SECONDS old."""
    return 200, CONTENT_TYPE_LATEST, await get_page().get()


@loop.one_per_loop
def get_page() -> SharedValue[bytes]:
    """The page of this process."""
    shared = SharedValue(_generate, fresh_seconds=FRESH_SECONDS)
    loop.on_stop("metrics page", shared.stop)
    return shared


async def _generate() -> bytes:
    registry = CollectorRegistry()
    # Read from Redis at each scrape. It is the same in all processes: use the maximum, not the sum.
    online = Gauge("chat_users_online", "Users online in all processes together.", registry=registry)
    online.set(await online_users())
    return await asyncio.to_thread(lambda: generate_latest(_counted()) + generate_latest(registry))


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
