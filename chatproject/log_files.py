"""The log file that all processes share. A line is in it as a whole or not at all, also on a full disk.

A lock on the file itself orders the processes: who has it may append, take back what did not fit, and start the
next file. A process that waited for it sees that the file has another name by then, and opens the one of that name.
"""

import contextlib
import fcntl
import logging
import os
from itertools import pairwise
from pathlib import Path

# How often the file may get another name while this process waits for its lock.
MAX_OPENS = 20


class SharedLogFile(logging.Handler):
    """Appends to `path`. When that has `max_bytes` it becomes `path.1`; `old_files` of these are kept.

    The directory and the file are made when they are missing, also while the server runs: somebody may remove or
    rename them. Records that cannot be written are counted, and the count is written before the next that can.
    """

    def __init__(self, path: str, *, max_bytes: int, old_files: int) -> None:
        super().__init__()
        self._path = Path(path)
        self._max_bytes, self._old_files = max_bytes, old_files
        self._file: int | None = None
        self._pid = os.getpid()
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
            lines = f"{self.format(_loss(self._lost))}\n{line}\n" if self._lost else f"{line}\n"
            self._append(lines.encode(errors="backslashreplace"))
            self._lost = 0
        except OSError:
            self._lost += 1
            # Closing also gives the lock back.
            self._close_file()
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        self.acquire()
        try:
            self._close_file()
        finally:
            self.release()
        super().close()

    def _append(self, data: bytes) -> None:
        file = self._locked_file()
        if (size := os.fstat(file).st_size) > 0 and size + len(data) > self._max_bytes:
            self._rename_full_file()
            file = self._locked_file()
            size = os.fstat(file).st_size
        if os.write(file, data) != len(data):
            os.ftruncate(file, size)
            raise OSError("only a part of the record fitted on the disk")
        fcntl.flock(file, fcntl.LOCK_UN)

    def _locked_file(self) -> int:
        if self._pid != os.getpid():
            # A fork has the same lock as its parent, and needs one of its own.
            self._pid = os.getpid()
            self._close_file()
        for _ in range(MAX_OPENS):
            opened = self._file is None
            file = self._file = self._open() if self._file is None else self._file
            fcntl.flock(file, fcntl.LOCK_EX)
            if self._has_the_name(file):
                if opened:
                    _end_torn_line(file)
                return file
            self._close_file()
        raise OSError("the log file gets another name all the time")

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.open(self._path, flags, 0o600)

    def _has_the_name(self, file: int) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(file))
        except FileNotFoundError:
            return False

    def _rename_full_file(self) -> None:
        """Make room for the next file. Only who has the lock of the present one may do so.

        Where the directory may not be changed, the present one goes on growing.
        """
        names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, self._old_files + 1))]
        with contextlib.suppress(OSError):
            for newer, older in reversed(list(pairwise(names))):
                if newer.exists():
                    newer.replace(older)
        self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


def _loss(count: int) -> logging.LogRecord:
    text = "%d log records could not be written"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (count,), None)


def _end_torn_line(file: int) -> None:
    """End a line that a process could not: it was killed, or the machine lost power."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")
