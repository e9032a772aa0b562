"""Copies of the whole database, made while the chat runs, and how they come back into an empty one.

Knows which module serves which database; must not know how a copy is made.
"""

from pathlib import Path
from types import ModuleType

from django.db import connection

from accounts.models import User

from . import mongodb, sqlite
from .errors import BackupError

MODULES: dict[str, ModuleType] = {"sqlite": sqlite, "djongo": mongodb}


def backup(path: Path) -> str:
    """Write a copy to `path`, which must not exist yet. Says what is in it. Raises BackupError."""
    if path.exists():
        raise BackupError(f"{path} is there already; every copy has a place of its own.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(_module().backup(path))


def restore(path: Path) -> str:
    """Load a copy into a database without users. Says what was loaded. Raises BackupError."""
    if not path.exists():
        raise BackupError(f"There is no {path}.")
    if User._meta.db_table in connection.introspection.table_names() and User.objects.exists():
        raise BackupError("The database has users: a copy is restored into an empty one only.")
    return str(_module().restore(path))


def _module() -> ModuleType:
    if connection.vendor not in MODULES:
        raise BackupError(f"Back up {connection.vendor} with its own tools (docs/runbook.md).")
    return MODULES[connection.vendor]
