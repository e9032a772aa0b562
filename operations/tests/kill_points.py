"""Kills backups and restores with SIGKILL before each change of a file and each command to the database.

Usage: `python -m operations.tests.kill_points backup|restore COPY`, with the environment of a server. Each run
finds what the killed ones have left, and gets one step further. After it the database or the copy has to be whole,
absent, or known to be unfinished. Prints the number of kills. Every run is a fork of its own.
"""

import argparse
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.db import connection
from pymongo import monitoring

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "fcntl.flock", "sqlite3.connect"}
MAX_POINTS = 400


class Killer(monitoring.CommandListener):
    """Kills this process at the point with this number, counted from 1; never if that is 0."""

    def __init__(self, at: int) -> None:
        self.left = at
        sys.addaudithook(self._audit)
        monitoring.register(self)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if event in CHANGES or writes:
            self._pass()

    def started(self, event: Any) -> None:
        self._pass()

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...

    def _pass(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def forked(work: Callable[[], None], *, kill_at: int = 0) -> bool:
    """Run in a process of its own. False if it was killed."""
    child = os.fork()
    if child == 0:
        try:
            Killer(kill_at)
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return False
    assert status == 0, "a run failed"
    return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=("backup", "restore"))
    parser.add_argument("copy", type=Path)
    chosen = parser.parse_args()
    django.setup()
    from operations import backups

    if chosen.action == "backup":
        work, check = lambda: backups.backup(chosen.copy), lambda: check_copy(chosen.copy)
    else:
        work, check = lambda: backups.restore(chosen.copy), check_database
    for kill_at in range(1, MAX_POINTS):
        done = forked(work, kill_at=kill_at)
        if done:
            left = [path.name for path in chosen.copy.parent.glob("*.part*")]
            assert not left, left
            forked(check if chosen.action == "backup" else check_whole)
            print(kill_at - 1)
            return
        forked(check)
        forked(let_time_pass)
        if chosen.action == "backup" and chosen.copy.exists():
            # It was killed after the last change.
            print(kill_at)
            return
    raise AssertionError("it takes too many points")


def check_copy(copy: Path) -> None:
    """Under its name there is nothing, or a copy that can be restored."""
    if not copy.exists():
        return
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(copy)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert database.execute("SELECT count(*) FROM accounts_user").fetchone() == (2,)
    else:
        from operations.backups.mongodb_files import read_manifest, verify

        for name, entry in read_manifest(copy).items():
            verify(copy, name, entry)


def check_database() -> None:
    """It is as empty as it was, or whole, or says that it is half restored."""
    from accounts.models import User
    from operations.backups.restore_lease import is_unfinished

    if not is_unfinished() and User.objects.exists():
        check_whole()


def check_whole() -> None:
    from accounts.models import User
    from operations import integrity

    assert User.objects.count() == 2
    assert list(integrity.check(integrity.Options())) == []


def let_time_pass() -> None:
    """A minute, for the lease."""
    if connection.vendor == "djongo":
        from foundation import times
        from operations.backups.restore_lease import LEASE, LEASE_SECONDS

        connection.ensure_connection()
        past = times.now() - timedelta(seconds=LEASE_SECONDS + 1)
        connection.connection[LEASE].update_many({}, {"$set": {"renewed_at": past}})


if __name__ == "__main__":
    main()
