"""What a run over many rooms could not do: each room is named once, the run goes on, and ends as failed."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from django.core.management.base import CommandError
from django.db import Error, InterfaceError, InternalError, OperationalError, ProgrammingError
from tqdm import tqdm

from messaging.archive_manifest import ArchiveError

logger = logging.getLogger(__name__)

# Errors that every room meets. PostgreSQL calls a read-only database an internal error.
DATABASE_FAILS = (OperationalError, InterfaceError, InternalError, ProgrammingError)
DISK_FAILS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
NOTHING_LOST = "Nothing was removed that is not verified in the archive"


class Problems:
    """The rooms that were skipped, and the files of archives that were set aside."""

    def __init__(self) -> None:
        self._rooms: set[UUID | str] = set()
        self._files = 0

    def skip(self, room: UUID | str, reason: str) -> None:
        """Name a room that is skipped, and why. `room` may be the name of a folder."""
        if room not in self._rooms:
            tqdm.write(f"skipped room {room}: {reason}")
        self._rooms.add(room)

    def note_aside(self, path: Path) -> None:
        """Name a file that disagrees with the database, and was moved."""
        tqdm.write(f"set aside {path}: the database has other messages in its place")
        self._files += 1

    @contextmanager
    def of(self, room_id: UUID) -> Iterator[None]:
        """Do the work on one room. Its failure skips the room. Raises what would fail for every room too: the
        disk is full or read-only, the database is away or full."""
        try:
            yield
        except ArchiveError as error:
            self.skip(room_id, str(error))
        except DATABASE_FAILS:
            raise
        except OSError as error:
            if error.errno in DISK_FAILS:
                raise
            self.skip(room_id, sentence(error))
        except Exception as error:
            logger.exception("a room was skipped by a run over archives")
            self.skip(room_id, repr(error))

    def raise_if_any(self, done: str) -> None:
        """Raise CommandError if anything was skipped or set aside. `done` says what was done all the same."""
        if self._rooms or self._files:
            raise CommandError(
                f"{len(self._rooms)} room(s) were skipped, and {self._files} file(s) of archives set aside; they"
                f" are named above. {done}. {NOTHING_LOST}."
            )


@contextmanager
def operator_errors() -> Iterator[None]:
    """Turn errors of the disk and of the database into sentences."""
    try:
        yield
    except BlockingIOError:
        raise CommandError("Another run is using this archive.") from None
    except OSError as error:
        raise CommandError(f"Stopped: {sentence(error)}. {NOTHING_LOST}. Then run it again.") from error
    except Error as error:
        raise CommandError(
            f"Stopped by the database: {error}. {NOTHING_LOST}. Then run it again."
            " If its disk is full, see ChatDatabaseAway in docs/runbook.md."
        ) from error


def sentence(error: OSError) -> str:
    """For example `/archive/lock: Read-only file system`."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
