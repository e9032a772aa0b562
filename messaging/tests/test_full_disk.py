"""The runbook's ways out of a full disk, with a server whose SQLite database is on it. Takes about ten seconds."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.kit.errors import error_of
from tests.kit.mounts import Mount
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .test_management_runs import SEED, shell

pytestmark = pytest.mark.once  # SQLite's file

MESSAGES = 3000
ROOM_BYTES = 8 * 1024 * 1024


def fill(ann: ChatUser, room: str, disk: Mount) -> tuple[Path, int]:
    """Fill the disk until no message can be stored. Returns the file that fills it, and the last seq."""
    filling = disk.fill()
    last = MESSAGES
    for _ in range(2000):
        answer = ann.http.post(f"/api/rooms/{room}/messages", json={"content": "x" * 4000})
        if answer.status_code != 201:
            error_of(answer, 503, "unavailable")
            return filling, last
        last += 1
    raise AssertionError("the disk is not full")


def seqs(database: Path, room: str) -> list[int]:
    query = "SELECT seq FROM messaging_message WHERE room_id = ? ORDER BY seq"
    with closing(sqlite3.connect(database)) as connection:
        return [seq for (seq,) in connection.execute(query, [room.replace("-", "")])]


def test_retention_when_the_disk_is_full_then_needs_room_or_a_copy(
    start_server: Callable[..., ChatServer], small_disk: Mount, tmp_path: Path
) -> None:
    data = small_disk.path / "data"
    data.mkdir()
    server = start_server(DATA_DIR=str(data), DATABASE_URL="", RETENTION_DAYS="30", own_database=True)
    ann = server.sign_up()
    room = ann.make_room()
    shell(server, SEED.format(room=room, sender=ann.id, count=MESSAGES))
    filling, last = fill(ann, room, small_disk)

    applying = ["apply_retention", "--grace", "0", "--to", str(tmp_path / "archive")]
    failed = server.manage(*applying, check=False)
    assert failed.returncode == 1
    assert "Stopped by the database: database or disk is full" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert seqs(data / "chat.sqlite3", room) == list(range(1, last + 1))

    # With nothing to delete: move to another disk.
    copy, moved = tmp_path / "copy.sqlite3", tmp_path / "moved"
    moved.mkdir()
    server.manage("backup_database", "--to", str(copy))
    ChatServer(DATA_DIR=str(moved), DATABASE_URL="", own_database=True).manage(
        "restore_database", "--from", str(copy)
    )
    assert seqs(moved / "chat.sqlite3", room) == list(range(1, last + 1))

    # With some room, as after deleting old logs: the WAL grows by what a batch changes, and each message has a key.
    os.truncate(filling, filling.stat().st_size - ROOM_BYTES)
    archived = min(MESSAGES, last - 1)
    assert f"removed {archived} messages in all" in server.manage(*applying).stdout
    assert ann.send(room, "stored again")["seq"] == last + 1
    assert seqs(data / "chat.sqlite3", room) == list(range(archived + 1, last + 2))

    # Rows that are gone make room for new ones in the file. It becomes smaller only by VACUUM.
    server.stop()
    smaller = tmp_path / "smaller.sqlite3"
    with closing(sqlite3.connect(data / "chat.sqlite3")) as connection:
        connection.execute("VACUUM INTO ?", [str(smaller)])
    assert smaller.stat().st_size < (data / "chat.sqlite3").stat().st_size - 250 * MESSAGES
    assert seqs(smaller, room) == seqs(data / "chat.sqlite3", room)
