"""The error of backups, and what the errors of the system become."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class BackupError(Exception):
    """The copy cannot be made or loaded, is damaged, or would overwrite something. The text is for the operator."""


def first_line(error: Exception) -> str:
    """The error as one line; drivers of databases add others, for programmers."""
    return next(iter(str(error).splitlines()), repr(error))


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an error of the system, such as a full disk, into a BackupError that names its path, or else `path`."""
    try:
        yield
    except OSError as error:
        raise BackupError(f"{error.filename or path}: {error.strerror or error}.") from error
