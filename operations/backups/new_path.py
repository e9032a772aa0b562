"""A file or folder that appears whole under its name, or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundation.durable_files import sync_folder

from .errors import BackupError, explained


@contextmanager
def whole(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield the path of a part, for this user only. At the end it is renamed to `path`, which it may replace.

    After an error nothing is left. What a killed run has left is used again, and of two runs at once the second is
    refused. Raises BackupError, also for what the system refuses.
    """
    part = path.with_name(f"{path.name}.part")
    with explained(path):
        if not path.parent.is_dir():
            raise BackupError(f"{path.parent} is no directory. Make it, or mount it, first.")
        with _locked(part, folder) as descriptor:
            try:
                _empty(part, descriptor)
                yield part
                os.fsync(descriptor)
                part.replace(path)
            except BaseException:
                _remove(part)
                raise
        sync_folder(path.parent)


@contextmanager
def _locked(part: Path, folder: bool) -> Iterator[int]:
    """Open and lock the part. It stays open until the end, since SQLite's own locks end with any closing."""
    if folder:
        part.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(part, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another run may have renamed it since it was opened.
        if not part.exists() or part.stat().st_ino != os.fstat(descriptor).st_ino:
            raise BlockingIOError
    except BlockingIOError as error:
        os.close(descriptor)
        raise BackupError(f"{part} is in use: another run is writing it.") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _empty(part: Path, descriptor: int) -> None:
    if part.is_dir():
        for path in part.iterdir():
            path.unlink()
    else:
        os.ftruncate(descriptor, 0)
        _remove_journals(part)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
        _remove_journals(part)


def _remove_journals(part: Path) -> None:
    """Those of SQLite: of a killed run, or of an error."""
    for suffix in ("-journal", "-wal", "-shm"):
        part.with_name(part.name + suffix).unlink(missing_ok=True)
