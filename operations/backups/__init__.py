"""Copies the whole database while the server runs, and restores a copy into an empty database.

There is a module for each kind of database.
"""

from pathlib import Path
from types import ModuleType

from django.db import connection

from accounts.models import User

from . import mongodb, sqlite
from .errors import BackupError

MODULES: dict[str, ModuleType] = {"sqlite": sqlite, "djongo": mongodb}


def backup(path: Path) -> str:
    """Write a copy to `path`, which must not exist. Returns a summary, for example "4096 bytes".

    Raises BackupError.
    """
    if path.exists():
        raise BackupError(f"{path} exists already; each copy needs a path of its own.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(_module().backup(path))


def restore(path: Path) -> str:
    """Load a copy into a database without users. Returns a summary, as `backup` does. Raises BackupError."""
    if not path.exists():
        raise BackupError(f"{path} does not exist.")
    if User._meta.db_table in connection.introspection.table_names() and User.objects.exists():
        raise BackupError("The database has users: a copy can only be restored into an empty database.")
    return str(_module().restore(path))


def _module() -> ModuleType:
    if connection.vendor not in MODULES:
        raise BackupError(f"Use the tools of {connection.vendor} instead (docs/runbook.md).")
    return MODULES[connection.vendor]
