"""Copies an SQLite database with SQLite's online backup: one moment of the database, while others write."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from django.db import connection

from accounts.models import User

from .contents import MIGRATIONS, TABLES, require_chat, require_known
from .errors import BackupError, explained
from .new_path import whole

TIMEOUT_SECONDS = 30
# Others have the database open, if they do not close it for so long.
IN_USE_SECONDS = 3
HEADER = b"SQLite format 3\0"


def backup(path: Path) -> str:
    """Copy in one step: in WAL mode that is one read transaction, and no writer waits for it."""
    database = _database()
    if not database.is_file():
        raise BackupError(
            f"There is no database at {database}: DATABASE_URL or DATA_DIR names another place."
        )
    with whole(path) as part, _explained(database):
        with closing(_open(database, "rw")) as source, closing(_open(part, "rw")) as target:
            require_chat(database, _tables(source))
            source.backup(target)
            # Everything is in one file, without a separate WAL.
            target.execute("PRAGMA journal_mode=DELETE")
            _verify(target, path)
        if path.exists():
            raise BackupError(f"{path} was made meanwhile by another run.")
    return f"{path.stat().st_size} bytes"


def restore(path: Path) -> str:
    """Load a copy beside the database, and then put it in its place by rename."""
    _require_file(path)
    database = _database()
    connection.close()
    with whole(database) as part, _explained(path):  # noqa: SIM117
        with closing(_open(path, "ro")) as source, closing(_open(part, "rw")) as target:
            _verify(source, path)
            require_chat(path, _tables(source))
            require_known(path, source.execute(f"SELECT app, name FROM {MIGRATIONS}"))  # noqa: S608
            _require_empty(database)
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
            _verify(target, path)
    return f"{path.stat().st_size} bytes"


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise BackupError(f"{path} is a directory; a copy of SQLite is one file.")
    with explained(path), path.open("rb") as file:
        beginning = file.read(len(HEADER))
    if beginning != HEADER:
        found = "has no database in it" if beginning else "is empty"
        raise BackupError(f"{path} is no copy of SQLite: it {found}.")


def _require_empty(database: Path) -> None:
    """Raise BackupError for a database with users, with strange tables, or that is in use.

    Its WAL is written into it and removed. Left behind, it would belong to the file that comes into its place.
    """
    if not database.exists():
        return
    try:
        with closing(_open(database, "rw", IN_USE_SECONDS)) as present:
            tables = _tables(present)
            if tables and not tables >= TABLES:
                raise BackupError(f"{database} has tables, and is no chat: restore to another place.")
            users = f"SELECT 1 FROM {User._meta.db_table} LIMIT 1"  # noqa: S608
            if tables and present.execute(users).fetchone():
                raise BackupError(
                    f"{database} has users: a copy can only be restored into an empty database."
                )
            present.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        hint = " Stop the server first." if "locked" in str(error) else ""
        raise BackupError(f"{database} cannot be replaced: {error}.{hint}") from error


def _database() -> Path:
    return Path(connection.settings_dict["NAME"])


def _open(path: Path, mode: str, timeout: float = TIMEOUT_SECONDS) -> sqlite3.Connection:
    """`mode` is `ro` or `rw`; neither makes a file that is not there."""
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode={mode}", timeout=timeout, uri=True)


def _tables(database: sqlite3.Connection) -> set[str]:
    rows = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return {name for (name,) in rows}


def _verify(database: sqlite3.Connection, path: Path) -> None:
    try:
        found = database.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if "full" in str(error):
            raise
        raise BackupError(f"{path} is damaged: {error}") from error
    if found != "ok":
        raise BackupError(f"{path} is damaged: {found}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BackupError(f"{path} could not be copied: {error}.") from error
