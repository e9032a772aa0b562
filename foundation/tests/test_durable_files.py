"""Files on real disks: full, read-only, and in memory. Mounting needs root; else these tests are skipped."""

from pathlib import Path

import pytest

from foundation.durable_files import make_folder, memory_filesystem, move_file, write_file
from tests.kit.mounts import Mount

pytestmark = pytest.mark.once  # of the disk, not of the database


def test_folder_when_parents_are_missing_then_all_are_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_folder(folder)
    make_folder(folder)
    assert [oct(one.stat().st_mode & 0o777) for one in (folder, folder.parent)] == ["0o700", "0o700"]


def test_file_when_written_again_then_is_replaced_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"new"):
        write_file(path, content)
    assert path.read_bytes() == b"new"
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert list(tmp_path.iterdir()) == [path]


def test_file_when_moved_then_is_only_in_the_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    moved = move_file(path, tmp_path / "aside")
    assert moved.read_bytes() == b"content"
    assert not path.exists()


def test_file_when_the_disk_is_full_then_the_old_one_stays(small_disk: Mount) -> None:
    path = small_disk.path / "file"
    write_file(path, b"old")
    with pytest.raises(OSError, match="No space left"):
        write_file(path, bytes(2 * small_disk.size_bytes))
    assert path.read_bytes() == b"old"
    assert list(small_disk.path.iterdir()) == [path]


def test_filesystem_when_it_is_in_memory_then_is_named(small_disk: Mount, tmp_path: Path) -> None:
    assert memory_filesystem(small_disk.path) == "tmpfs"
    assert memory_filesystem(small_disk.path / "not" / "yet" / "there") == "tmpfs"
    link = tmp_path / "link"
    link.symlink_to(small_disk.path)
    assert memory_filesystem(link / "archive") == "tmpfs"
