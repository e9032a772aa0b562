"""How full the disks are that the processes write to."""

import os
from pathlib import Path

from django.conf import settings

from . import metrics


def measure() -> None:
    """Set the metric of each directory that exists. May wait for a slow disk: not for the event loop."""
    for name, path in directories().items():
        try:
            disk = os.statvfs(path)
        except OSError:
            continue
        if disk.f_blocks:
            metrics.DISK_FREE.labels(name).set(disk.f_bavail / disk.f_blocks)


def directories() -> dict[str, Path]:
    """The directories of the settings, by what they hold. One that is not set is left out."""
    named: dict[str, str | Path] = {
        "data": settings.DATA_DIR,
        "logs": settings.LOG_DIR,
        "archive": settings.ARCHIVE_DIR,
    }
    return {name: Path(path) for name, path in named.items() if path}
