"""Runs over archives with wrong directories, bad rooms, and disks that are full or read-only. About ten seconds."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models import QuerySet

from foundation import times
from messaging import retention
from messaging.archive import Archive
from messaging.models import Message
from rooms.models import Room
from tests.kit.mounts import Mount

from .test_archive import Log, archive_all, archived, files, write


def seqs(room: Room) -> list[int]:
    return list(Message.objects.filter(room=room).order_by("seq").values_list("seq", flat=True))


def another_room(like: Room, **columns: Any) -> Room:
    """A room with two old messages."""
    room = Room.objects.create(last_seq=2, **columns)
    for message in Message.objects.filter(room=like, seq__lte=2):
        Message.objects.create(
            room=room, seq=message.seq, sender_id=message.sender_id, content="m", fingerprint="f",
            created_at=message.created_at,
        )  # fmt: skip
    return room


@contextmanager
def refused(text: str) -> Iterator[None]:
    """The command fails with a sentence that contains the text."""
    with pytest.raises(CommandError) as caught:
        yield
    assert text in str(caught.value)
    assert caught.value.returncode == 1


def test_rooms_when_some_are_bad_then_are_named_and_the_others_archived(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room, _ = log
    hole, foreign, damaged, strange = (another_room(room) for _ in range(4))
    holed: QuerySet[Message] = QuerySet(Message).filter(room=hole, seq=1)
    holed._raw_delete(holed.db)
    Room.objects.filter(pk=strange.pk).update(first_seq=-5)
    (tmp_path / str(foreign.pk)).mkdir(parents=True)
    (tmp_path / str(foreign.pk) / "manifest.json").write_text("[]")
    (tmp_path / str(damaged.pk)).mkdir()
    (tmp_path / str(damaged.pk) / "000000000001-000000000001.0123456789ab.jsonl.gz").write_bytes(b"?")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "notes.txt").write_text("somebody's")
    bad = {hole: "no message 1", foreign: "is damaged", damaged: "is missing", strange: "no message -5"}
    with refused(
        "4 room(s) were skipped, and 0 file(s) of archives set aside; they are named above. 2 messages"
    ):
        archive_all(tmp_path)
    printed = capsys.readouterr().out
    for one, reason in bad.items():
        (line,) = [line for line in printed.splitlines() if f"skipped room {one.pk}" in line]
        assert reason in line
    assert [seqs(one) for one in (hole, foreign, damaged, strange)] == [[2], [1, 2], [1, 2], [1, 2]]
    assert seqs(room) == [3]
    with refused("2 room(s) were skipped"):
        call_command("restore_messages", "--from", str(tmp_path))
    assert seqs(room) == [1, 2, 3]


def test_retention_when_a_policy_is_odd_then_is_named_and_not_obeyed(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    room, _ = log
    Message.objects.update(created_at=times.now() - timedelta(days=40))
    never, huge = (another_room(room, retention_days=days) for days in (0, 2_000_000_000))
    Message.objects.update(created_at=times.now() - timedelta(days=40))
    settings.RETENTION_DAYS = 30
    with refused("1 room(s) were skipped"):
        call_command("apply_retention", "--grace", "0", "--to", str(tmp_path))
    assert f"skipped room {huge.pk}: its retention_days is 2000000000" in capsys.readouterr().out
    assert [seqs(one) for one in (room, never, huge)] == [[3], [1, 2], [1, 2]]


@pytest.mark.once  # of paths
def test_restore_when_there_is_no_archive_then_refuses_and_makes_nothing(log: Log, tmp_path: Path) -> None:
    room, _ = log
    archive, empty, file = tmp_path / "archive", tmp_path / "empty", tmp_path / "file"
    archive_all(archive)
    empty.mkdir()
    file.touch()
    for place, reason in (
        (tmp_path / "typo", "is not a directory"), (file, "is not a directory"), (empty, "is no archive"),
    ):  # fmt: skip
        with refused(reason):
            call_command("restore_messages", "--from", str(place))
    assert not (tmp_path / "typo").exists()
    assert list(empty.iterdir()) == []
    other = another_room(room)
    with refused(f"has no archive of room {other.pk}"):
        call_command(
            "restore_messages", "--from", str(archive), "--room", str(room.pk), "--room", str(other.pk)
        )
    with refused("There is no room"):
        call_command("restore_messages", "--from", str(archive), "--room", str(uuid4()))
    assert seqs(room) == [3]
    shutil.copytree(archive / str(room.pk), archive / "copy of a room")
    shutil.copytree(archive / str(room.pk), archive / str(uuid4()))
    with refused(
        "2 room(s) were skipped, and 0 file(s) of archives set aside; they are named above. 2 messages"
    ):
        call_command("restore_messages", "--from", str(archive))
    assert seqs(room) == [1, 2, 3]


def test_archive_when_a_room_is_unknown_then_does_nothing(log: Log, tmp_path: Path) -> None:
    room, _ = log
    command = ["archive_messages", "--older-than", "1m", "--grace", "0", "--to", str(tmp_path / "archive")]
    with refused("Nothing was done"):
        call_command(*command, "--room", str(room.pk), "--room", str(uuid4()))
    assert not (tmp_path / "archive").exists()
    assert seqs(room) == [1, 2, 3]


@pytest.mark.once  # of disks
def test_archive_when_the_directory_is_wrong_then_removes_nothing(
    log: Log, tmp_path: Path, small_disk: Mount
) -> None:
    room, _ = log
    file = tmp_path / "file"
    file.touch()
    with refused("file/below: Not a directory"):
        archive_all(file / "below")
    with refused("file/lock: Not a directory"):
        archive_all(file)
    with refused("is on tmpfs, in memory"):
        archive_all(small_disk.path / "archive")
    small_disk.make_read_only()
    with refused("Read-only file system"):
        archive_in_memory(small_disk.path / "archive")
    assert seqs(room) == [1, 2, 3]
    assert list(small_disk.path.iterdir()) == []


def archive_in_memory(to: Path) -> None:
    command = ["archive_messages", "--older-than", "1m", "--grace", "0", "--in-memory"]
    call_command(*command, "--to", str(to))


def test_archive_when_its_disk_is_full_then_goes_on_later(log: Log, small_disk: Mount) -> None:
    room, _ = log
    write(room, 4)
    to = small_disk.path / "archive"
    failures = 0
    for pages in count():
        filling = small_disk.fill(leave_bytes=4096 * pages)
        try:
            archive_in_memory(to)
        except CommandError as error:
            reason = str(error)
        else:
            break
        finally:
            filling.unlink()
        failures += 1
        assert "No space left on device" in reason
        assert not list(to.rglob("*.part"))
        kept = {seq for seq, _ in archived(to)}
        assert kept | set(seqs(room)) == set(range(1, 8)), "each message is in the database or in the archive"
    assert failures >= 2
    assert seqs(room) == [7]
    assert [seq for seq, _ in archived(to)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.once  # of disks
def test_restore_when_the_archive_is_read_only_then_says_so(log: Log, small_disk: Mount) -> None:
    room, _ = log
    archive_in_memory(small_disk.path / "archive")
    small_disk.make_read_only()
    with refused("Read-only file system"):
        call_command("restore_messages", "--from", str(small_disk.path / "archive"))
    assert seqs(room) == [3]


@pytest.mark.once  # of locks of files
def test_runs_when_there_are_two_at_once_then_the_second_refuses(log: Log, tmp_path: Path) -> None:
    room, _ = log
    with Archive(tmp_path).locked(), refused("Another run is using this archive"):
        archive_all(tmp_path)
    archive_all(tmp_path)
    with Archive(tmp_path).locked(), refused("Another run is using this archive"):
        call_command("restore_messages", "--from", str(tmp_path))
    assert files(tmp_path) == ["01-02"]
    assert seqs(room) == [3]


@pytest.mark.once  # tests the order of steps
def test_archive_when_a_killed_run_goes_on_then_waits_for_edits(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room, _ = log
    assert list(retention.archive_room(room=room, through=2, archive=Archive(tmp_path))) == [2]
    command = ["archive_messages", "--older-than", "1m", "--to", str(tmp_path), "--grace", "0.1"]
    call_command(*command)
    assert "archived 0 messages in all\nwaiting 0.1 s for edits in progress\n" in capsys.readouterr().out
    call_command(*command)
    assert "waiting" not in capsys.readouterr().out
