"""Injections into the archive, and into the rooms that rely on it."""

import gzip
import shutil
import uuid
from pathlib import Path

import pytest

from messaging.archive import Archive
from messaging.archive_manifest import Manifest
from operations import integrity

from .sound_database import Database, Injection, found

pytestmark = pytest.mark.django_db


def lose_archive(db: Database) -> None:
    shutil.rmtree(db.archive.directory)


def lose_chunk(db: Database) -> None:
    manifest = db.manifest()
    del manifest.chunks[0]
    db.archive.save(manifest)


def move_first_seq(db: Database) -> None:
    """Beyond what was archived."""
    db.room(db.old).update(first_seq=6)


def call_removed(db: Database) -> None:
    manifest = db.manifest()
    manifest.chunks[1].removed = True
    db.archive.save(manifest)


def break_manifest(db: Database) -> None:
    (db.file(0).parent / "manifest.json").write_text("{}")


def change_one_byte(db: Database) -> None:
    data = bytearray(db.file(0).read_bytes())
    data[len(data) // 2] ^= 1
    db.file(0).write_bytes(data)


def another_room(db: Database) -> None:
    folder = db.file(0).parent
    shutil.copytree(folder, folder.parent / str(uuid.uuid4()))


def another_folder(db: Database) -> None:
    folder = db.archive.directory / "lost+found"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")


INJECTIONS = [
    Injection("archive_gone", "archive_covers", lose_archive),
    Injection("chunk_not_in_the_manifest", "archive_covers", lose_chunk),
    Injection("first_seq_beyond_the_archive", "archive_covers", move_first_seq),
    Injection("rows_that_are_called_removed", "archive_rows", call_removed),
    Injection("manifest_damaged", "archive_file", break_manifest),
    Injection("file_gone", "archive_file", lambda db: db.file(0).unlink()),
    Injection("file_cut", "archive_file", lambda db: db.file(1).write_bytes(gzip.compress(b""))),
    Injection("file_changed", "archive_file", change_one_byte, checksums=True),
    Injection("folder_of_no_room", "archive_folder", another_room),
    Injection("folder_of_nothing", "archive_folder", another_folder),
    Injection(
        "archived_without_key", "archive_key", lambda db: db.key(1).delete(), repaired=True, checksums=True
    ),
]


@pytest.mark.parametrize("injection", INJECTIONS, ids=str)
def test_check_when_the_archive_is_broken_then_its_rule_names_it(
    injection: Injection, tmp_path: Path
) -> None:
    injection.run(tmp_path)


def test_check_when_the_archive_is_elsewhere_then_is_not_missed(tmp_path: Path) -> None:
    db = Database(tmp_path)
    lose_archive(db)
    chosen = integrity.Options(archive_dirs=(), lag_seconds=0)
    assert list(integrity.check(chosen)) == []
    assert found(db) == {("archive_covers", False)}


def test_check_when_the_archive_is_in_two_places_then_they_count_together(tmp_path: Path) -> None:
    db = Database(tmp_path)
    manifest, file = db.manifest(), db.file(1)
    second = Archive(tmp_path / "second")
    chunk = manifest.chunks.pop()
    second.save(Manifest(db.old.pk, [chunk]))
    shutil.move(file, second.directory / str(db.old.pk))
    db.archive.save(manifest)
    assert found(db) == {("archive_covers", False)}
    both = integrity.Options(archive_dirs=(db.archive.directory, second.directory), lag_seconds=0)
    assert list(integrity.check(both)) == []
