"""Copies an SQLite database with SQLite's online backup: one moment of the database, while others write."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import connection

from .errors import BackupError

TIMEOUT_SECONDS = 30


def backup(path: Path) -> str:
    """Copy in one step: in WAL mode that is one read transaction, and no writer waits for it."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with closing(_open(_database())) as source, closing(_open(part)) as target:
        source.backup(target)
        # Everything is in one file, without a separate WAL.
        target.execute("PRAGMA journal_mode=DELETE")
        _verify(target, path)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    return f"{path.stat().st_size} bytes"


def restore(path: Path) -> str:
    connection.close()
    with closing(_open(path)) as source, closing(_open(_database())) as target:
        _verify(source, path)
        source.backup(target)
    return f"{path.stat().st_size} bytes"


def _database() -> Path:
    return Path(connection.settings_dict["NAME"])


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=TIMEOUT_SECONDS)


def _verify(database: sqlite3.Connection, path: Path) -> None:
    try:
        found = database.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{path} is damaged: {error}") from error
    if found != "ok":
        raise BackupError(f"{path} is damaged: {found}")
