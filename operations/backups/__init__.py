"""Copies the whole database while the server runs, and restores a copy into an empty database.

There is a module for each kind of database.
"""

from pathlib import Path
from types import ModuleType

from django.db import connection

from . import mongodb, sqlite
from .errors import BackupError

__all__ = ["BackupError", "backup", "restore"]

MODULES: dict[str, ModuleType] = {"sqlite": sqlite, "djongo": mongodb}
TOOLS = {"postgresql": "pg_dump to copy and pg_restore to restore PostgreSQL"}


def backup(path: Path) -> str:
    """Write a copy to `path`, which must not exist. Returns a summary, for example "4096 bytes".

    Raises BackupError, and leaves nothing then.
    """
    module = _module()
    if path.exists() or path.is_symlink():
        raise BackupError(f"{path} exists already; each copy needs a path of its own.")
    return str(module.backup(path))


def restore(path: Path) -> str:
    """Load a copy into a database without users. Returns a summary, as `backup` does.

    Raises BackupError; the database is then as it was, or, where the copy was being loaded into MongoDB, refused by
    `check_integrity` and `backup` until a restore is finished. Safe to repeat.
    """
    module = _module()
    if not path.exists():
        raise BackupError(f"{path} does not exist.")
    return str(module.restore(path))


def _module() -> ModuleType:
    if connection.vendor not in MODULES:
        tools = TOOLS.get(connection.vendor, f"the tools of {connection.vendor}")
        raise BackupError(f"Use {tools} (docs/runbook.md, Backups).")
    return MODULES[connection.vendor]
