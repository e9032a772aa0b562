"""A check for `manage.py check --deploy`: files that other users of the machine may read.

What the processes make is for their own user (chatproject/settings.py sets the umask). An older release, or
somebody by hand, may have made what is there.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from .disks import directories

MAX_NAMED_PATHS = 5


@register(Tags.security, deploy=True)
def file_modes(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    wide = [
        str(path) for path in dict.fromkeys(_private_paths()) if _mode(path) & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    if wide:
        more = f" and {len(wide) - MAX_NAMED_PATHS} more" if len(wide) > MAX_NAMED_PATHS else ""
        yield Warning(
            f"Other users of this machine may read {', '.join(wide[:MAX_NAMED_PATHS])}{more}.",
            hint="Take the rights away: chmod -R go= on DATA_DIR, LOG_DIR, ARCHIVE_DIR and the SQLite file.",
            id="chat.W017",
        )


def _private_paths() -> Iterator[Path]:
    """The directories with the database, keys, logs and archives, and what lies in them."""
    for directory in directories().values():
        yield directory
        yield from sorted(directory.glob("*"))
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3") and database.get("NAME"):
        yield Path(database["NAME"])


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0
