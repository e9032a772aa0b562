"""Faults of backups and restores: mistakes of operators, full and read-only disks, kills, two runs at once.

About a minute. Each refusal is one sentence with exit status 1, and leaves nothing behind.
"""

import asyncio
import fcntl
import gzip
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.kit.mounts import Mount
from tests.kit.paths import ROOT
from tests.kit.postgresql import PostgreSQLServer, create_database, installations
from tests.kit.servers import ChatServer

pytestmark = [pytest.mark.once, pytest.mark.slow]  # brings databases of its own

UNKNOWN = "INSERT INTO django_migrations (app, name, applied) VALUES ('rooms', '9999_later', '2026-01-01')"


@pytest.fixture(scope="module", params=["sqlite", "mongodb"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def used(kind: str, request: pytest.FixtureRequest) -> Iterator[ChatServer]:
    """A stopped server whose database has two users and a room with messages."""
    url = f"{request.getfixturevalue('mongodb')}/used" if kind == "mongodb" else ""
    server = ChatServer(DATABASE_URL=url).start()
    ann, ben = server.sign_up(), server.sign_up()
    room = ann.make_room(ben)
    for seq in range(3):
        ann.send(room, f"message {seq}")
    server.kill()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def copy(used: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("copies") / "copy"
    used.manage("backup_database", "--to", str(path))
    return path


@pytest.fixture
def empty(kind: str, request: pytest.FixtureRequest) -> Iterator[ChatServer]:
    """A server that does not run, with an empty database that is migrated."""
    name = re.sub(r"\W", "", request.node.name)[-30:]
    url = f"{request.getfixturevalue('mongodb')}/{name}" if kind == "mongodb" else ""
    server = ChatServer(DATABASE_URL=url)
    server.migrate()
    yield server
    server.stop()


def refused(server: ChatServer, *arguments: str) -> str:
    """The one sentence of a command that fails."""
    done = server.manage(*arguments, check=False)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix("CommandError: ")


def restore(server: ChatServer, path: Path) -> str:
    sentence = refused(server, "restore_database", "--from", str(path))
    # Nothing was written: the database is as empty as before.
    assert "No problems found." in server.manage("check_integrity").stdout
    assert not list(Path(server.env["DATA_DIR"]).glob("*.part*"))
    return sentence


def backup(server: ChatServer, path: Path) -> str:
    present = set(path.parent.glob("*")) if path.parent.is_dir() else None
    sentence = refused(server, "backup_database", "--to", str(path))
    assert (set(path.parent.glob("*")) if path.parent.is_dir() else None) == present
    return sentence


def test_restore_when_the_copy_is_none_then_says_what_it_is(
    kind: str, empty: ChatServer, copy: Path, tmp_path: Path
) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    assert "does not exist" in restore(empty, tmp_path / "nothing")
    if kind == "mongodb":
        assert "is a file; a copy of MongoDB is a directory" in restore(empty, file)
        assert "is not a complete copy" in restore(empty, folder)
        return
    assert "is empty" in restore(empty, file)
    assert "is a directory; a copy of SQLite is one file" in restore(empty, folder)
    file.write_text("not a database, but long enough to look like one" * 100)
    assert "it has no database in it" in restore(empty, file)
    alien = tmp_path / "alien"
    with closing(sqlite3.connect(alien)) as database:
        database.execute("CREATE TABLE songs (title)")
    assert "is no copy of a chat: it has no accounts_user" in restore(empty, alien)


def test_restore_when_the_copy_is_damaged_or_newer_then_says_so(
    kind: str, empty: ChatServer, copy: Path, tmp_path: Path
) -> None:
    if kind == "mongodb":
        shutil.copytree(copy, tmp_path / "copy")
        (tmp_path / "copy" / "rooms_room.bson.gz").write_bytes(gzip.compress(b""))
        assert "is damaged: its SHA-256 differs" in restore(empty, tmp_path / "copy")
        (tmp_path / "copy" / "rooms_room.bson.gz").unlink()
        assert "cannot be read" in restore(empty, tmp_path / "copy")
        return
    cut = tmp_path / "cut"
    cut.write_bytes(copy.read_bytes()[:-8192])
    assert "is damaged" in restore(empty, cut)
    newer = Path(shutil.copy(copy, tmp_path / "newer"))
    with closing(sqlite3.connect(newer)) as database, database:
        database.execute(UNKNOWN)
    assert "is of a newer release: this one does not know the migration rooms.9999_later" in restore(
        empty, newer
    )


def test_restore_when_the_database_is_used_then_is_refused(used: ChatServer, copy: Path) -> None:
    sentence = refused(used, "restore_database", "--from", str(copy))
    assert "a copy can only be restored into an empty database" in sentence


def test_backup_when_the_path_is_wrong_then_is_refused(used: ChatServer, copy: Path, tmp_path: Path) -> None:
    assert "exists already" in backup(used, copy)
    assert f"{tmp_path}/missing is no directory" in backup(used, tmp_path / "missing" / "copy")
    (tmp_path / "file").touch()
    assert "is no directory" in backup(used, tmp_path / "file" / "copy")


def test_backup_when_there_is_no_database_then_is_refused(kind: str, mongodb: str, tmp_path: Path) -> None:
    server = ChatServer(DATABASE_URL=f"{mongodb}/nothing" if kind == "mongodb" else "")
    expected = "is no copy of a chat" if kind == "mongodb" else "There is no database at"
    assert expected in backup(server, tmp_path / "copy")
    server.stop()


def test_copy_when_made_then_is_for_its_user_only(used: ChatServer, copy: Path, empty: ChatServer) -> None:
    for path in (copy, *(copy.iterdir() if copy.is_dir() else ())):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    empty.manage("restore_database", "--from", str(copy))
    for path in Path(empty.env["DATA_DIR"]).glob("*.sqlite3"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert "No problems found." in empty.manage("check_integrity").stdout


def test_backup_when_the_disk_is_full_or_read_only_then_is_refused(
    used: ChatServer, small_disk: Mount
) -> None:
    filling = small_disk.fill(leave_bytes=4096)
    assert re.search("disk is full|No space left", backup(used, small_disk.path / "copy"))
    filling.unlink()
    small_disk.make_read_only()
    assert "Read-only file system" in backup(used, small_disk.path / "copy")


def test_restore_when_the_disk_is_full_then_the_database_stays(
    kind: str, copy: Path, small_disk: Mount
) -> None:
    if kind == "mongodb":
        pytest.skip("the disk is MongoDB's")
    data = small_disk.path / "data"
    data.mkdir()
    server = ChatServer(DATABASE_URL="", DATA_DIR=str(data))
    server.migrate()
    filling = small_disk.fill(leave_bytes=8192)
    sentence = refused(server, "restore_database", "--from", str(copy))
    assert re.search("disk is full|No space left|disk I/O error", sentence)
    assert not list(data.glob("*.part*"))
    filling.unlink()
    server.manage("restore_database", "--from", str(copy))
    assert "No problems found." in server.manage("check_integrity").stdout
    server.stop()


def test_runs_when_two_at_once_then_the_second_is_refused(
    kind: str, used: ChatServer, empty: ChatServer, copy: Path, tmp_path: Path
) -> None:
    """One run is at work, as its lock says; then two really run at once."""
    part = tmp_path / "copy.part"
    part.mkdir() if kind == "mongodb" else part.touch()
    descriptor = os.open(part, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert "is in use: another run is writing it" in backup(used, tmp_path / "copy")
    os.close(descriptor)
    used.manage("backup_database", "--to", str(tmp_path / "copy"))

    async def twice() -> list[subprocess.CompletedProcess[str]]:
        arguments = ("restore_database", "--from", str(copy))
        runs = [asyncio.to_thread(empty.manage, *arguments, check=False) for _ in range(2)]
        return list(await asyncio.gather(*runs))

    done = asyncio.run(twice())
    assert sorted(one.returncode for one in done) == [0, 1]
    failed = next(one for one in done if one.returncode)
    assert re.search("another run|Another restore|has users", failed.stderr), failed.stderr
    assert "Traceback" not in failed.stderr
    assert "No problems found." in empty.manage("check_integrity").stdout


@pytest.mark.parametrize("action", ["backup", "restore"])
def test_run_when_killed_at_each_point_then_nothing_looks_whole(
    action: str, used: ChatServer, empty: ChatServer, copy: Path, tmp_path: Path
) -> None:
    server = used if action == "backup" else empty
    path = tmp_path / "copy" if action == "backup" else copy
    done = subprocess.run(
        [sys.executable, "-m", "operations.tests.kill_points", action, str(path)],
        cwd=ROOT,
        env={**server.env, "DJANGO_SETTINGS_MODULE": "chatproject.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) > 5, done.stdout


def test_check_when_a_restore_is_unfinished_then_says_so(kind: str, empty: ChatServer) -> None:
    if kind == "sqlite":
        pytest.skip("SQLite is replaced by one rename")
    mark = "connection.ensure_connection(); connection.connection['restore_lease'].insert_one({'_id': 'restore'})"
    empty.manage("shell", "-c", f"from django.db import connection; {mark}")
    assert refused(empty, "check_integrity") == "The database is half restored: run restore_database again."
    assert "half restored" in refused(empty, "backup_database", "--to", "/tmp/copy-of-nothing")


def test_commands_when_on_postgresql_then_name_its_own_tools(tmp_path: Path) -> None:
    if not (found := installations()):
        pytest.skip("PostgreSQL is not installed")
    postgresql = PostgreSQLServer(found[0])
    try:
        url = f"{postgresql.start()}/chat"
        create_database(url.rpartition("/")[0], "chat")
        server = ChatServer(DATABASE_URL=url)
        assert "pg_dump" in backup(server, tmp_path / "copy")
        assert "pg_restore" in refused(server, "restore_database", "--from", str(tmp_path))
        assert "not migrated to this release" in refused(server, "check_integrity")
        server.stop()
        postgresql.stop()
        assert "could not be finished" in refused(server, "check_integrity")
    finally:
        postgresql.stop()
