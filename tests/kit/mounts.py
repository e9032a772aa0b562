"""Small disks in memory, to fill up or to make read-only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Mount:
    """A tmpfs at `path`."""

    path: Path
    size_bytes: int

    def fill(self, *, leave_bytes: int = 0) -> Path:
        """Take all the room but `leave_bytes`, with one file, which is returned."""
        free = os.statvfs(self.path)
        path = self.path / "filling"
        # A process that writes at the same time may be faster. Full is full.
        with suppress(OSError):
            path.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - leave_bytes)))
        return path

    def make_room(self) -> None:
        """Give back what `fill` took."""
        (self.path / "filling").unlink()

    def make_read_only(self) -> None:
        _run("mount", "-o", "remount,ro", str(self.path))


@contextmanager
def mounted(path: Path, *, size_bytes: int) -> Iterator[Mount]:
    """Mount a tmpfs at the new folder `path`. Skips the test where that is not allowed."""
    path.mkdir()
    options = f"size={size_bytes},mode=700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"cannot mount a disk: {done.stderr.strip()}")
    try:
        yield Mount(path, size_bytes)
    finally:
        # Lazily: a process that was killed may still have a file open.
        _run("umount", "-l", str(path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
