"""Files of archives when the database is another than the one that wrote them. Takes about five seconds."""

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from foundation import times
from foundation.ids import uuid7
from messaging import retention
from messaging.archive import Archive
from messaging.models import Message
from messaging.services.changes import _change
from rooms.models import Room

from .archive_problems import archive_problems
from .kill_points import Copy


def archive_all(to: Path) -> None:
    call_command("archive_messages", "--older-than", "1m", "--grace", "0", "--to", str(to))


def write(room: Room, count: int, word: str = "message") -> None:
    """Add messages to the end of the room's log."""
    room.refresh_from_db()
    sender_id = Message.objects.filter(room=room).values_list("sender_id", flat=True)[0]
    old = times.now() - timedelta(hours=1)
    for seq in range(room.last_seq + 1, room.last_seq + count + 1):
        text = f"{word} {seq}"
        Message.objects.create(
            room=room, seq=seq, sender_id=sender_id, content=text, fingerprint="f", created_at=old
        )
    Room.objects.filter(pk=room.pk).update(last_seq=room.last_seq + count)
    room.refresh_from_db()


def files(to: Path, pattern: str = "*/*.jsonl.gz") -> list[str]:
    return [path.name.partition(".")[0].replace("0000000000", "") for path in sorted(to.glob(pattern))]


def archived(to: Path, pattern: str = "*/*.jsonl.gz") -> dict[tuple[int, str], str]:
    """The content of each archived message, by seq and id."""
    lines = [
        json.loads(line)
        for path in sorted(to.glob(pattern))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    return {(line["seq"], line["id"]): line["content"] for line in lines}


Log = tuple[Room, list[Message]]


@pytest.mark.smoke
def test_archive_when_the_database_is_older_then_no_message_is_lost(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room, _ = log
    copy = Copy(room)
    write(room, 4)
    archive_all(tmp_path)
    before = archived(tmp_path)
    assert sorted(seq for seq, _ in before) == [1, 2, 3, 4, 5, 6]
    copy.load()
    write(room, 5, "other")
    capsys.readouterr()
    with pytest.raises(CommandError, match=r"1 file\(s\) of archives set aside"):
        archive_all(tmp_path)
    (aside,) = tmp_path.glob("*/aside/*")
    assert f"set aside {aside}" in capsys.readouterr().out
    assert before.items() <= (archived(tmp_path) | archived(tmp_path, "*/aside/*")).items()
    assert list(Message.objects.values_list("seq", flat=True)) == [8]
    archive_all(tmp_path)
    call_command("restore_messages", "--from", str(tmp_path))
    contents = list(Message.objects.order_by("seq").values_list("content", flat=True))
    assert [content.split()[0] for content in contents] == ["m1", "m2", "m3", *["other"] * 5]


def test_archive_when_an_older_copy_went_no_further_then_keeps_the_rest(log: Log, tmp_path: Path) -> None:
    """The file ends after the copy: what the database has is the same, and the rest stays in the archive."""
    room, _ = log
    copy = Copy(room)
    write(room, 4)
    archive_all(tmp_path)
    before = archived(tmp_path)
    copy.load()
    archive_all(tmp_path)
    assert archived(tmp_path) == before
    assert files(tmp_path) == ["01-02", "03-06"]
    assert not list(tmp_path.glob("*/aside"))
    write(room, 2, "other")
    with pytest.raises(CommandError, match="set aside"):
        archive_all(tmp_path)
    # Message 3 is the same one, and 4 another. The database does not have 4 to 6.
    assert files(tmp_path) == ["01-02", "03-04"]
    assert files(tmp_path, "*/aside/*") == ["03-06"]
    assert before.items() <= (archived(tmp_path) | archived(tmp_path, "*/aside/*")).items()


def test_archive_when_less_is_archived_again_then_the_rest_stays(log: Log, tmp_path: Path) -> None:
    room, _ = log
    write(room, 4)
    archive_all(tmp_path)
    before = archived(tmp_path)
    call_command("restore_messages", "--from", str(tmp_path))
    room.refresh_from_db()
    to = Archive(tmp_path)
    assert list(retention.archive_room(room=room, through=3, archive=to)) == [3]
    assert files(tmp_path) == ["01-03", "04-06"]
    assert archived(tmp_path) == before
    assert list(retention.remove_archived(room=room, archive=to)) == [3]
    assert list(Message.objects.order_by("seq").values_list("seq", flat=True)) == [4, 5, 6, 7]


def test_archive_when_the_copy_lacks_a_deletion_then_keeps_both(log: Log, tmp_path: Path) -> None:
    room, messages = log
    copy = Copy(room)
    now = times.now()
    _change(messages[0], {"content": "", "deleted_at": now, "changed_at": now})
    archive_all(tmp_path)
    copy.load()
    with pytest.raises(CommandError, match="set aside"):
        archive_all(tmp_path)
    assert archived(tmp_path)[1, str(messages[0].pk)].startswith("m1")
    assert archived(tmp_path, "*/aside/*")[1, str(messages[0].pk)] == ""


def test_archive_when_a_copy_has_rows_before_first_seq_then_removes_them(log: Log, tmp_path: Path) -> None:
    """The copy was made between the moment when the room began later and the removal of its rows."""
    room, messages = log
    to = Archive(tmp_path)
    assert list(retention.archive_room(room=room, through=2, archive=to)) == [2]
    copy = Copy(room)
    # An edit that was in progress, so the archive gets a later version than the copy has.
    Room.objects.filter(pk=room.pk).update(first_seq=1)
    now = times.now()
    _change(messages[0], {"content": "late", "edited_at": now, "changed_at": now})
    Room.objects.filter(pk=room.pk).update(first_seq=3)
    archive_all(tmp_path)
    before = archived(tmp_path)
    copy.load()
    archive_all(tmp_path)
    assert list(Message.objects.values_list("seq", flat=True)) == [3]
    assert archived(tmp_path) == before
    assert before[1, str(messages[0].pk)] == "late"


def test_archive_when_it_has_another_message_then_no_row_is_removed(log: Log, tmp_path: Path) -> None:
    room, messages = log
    assert list(retention.archive_room(room=room, through=2, archive=Archive(tmp_path))) == [2]
    other = Message.objects.get(pk=messages[0].pk)
    Message.objects.filter(pk=other.pk)._raw_delete("default")
    other.pk = uuid7()
    other.save(force_insert=True)
    with pytest.raises(CommandError, match="1 room"):
        archive_all(tmp_path)
    assert list(Message.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]


@pytest.mark.once  # of files
@pytest.mark.parametrize("kept", [True, False])
def test_archive_when_killed_before_unlinking_then_the_next_decides(
    log: Log, tmp_path: Path, kept: bool
) -> None:
    room, _ = log
    write(room, 2)
    to = Archive(tmp_path)
    assert list(retention.archive_room(room=room, through=2, archive=to)) == [2]
    (file,) = tmp_path.glob("*/*.jsonl.gz")
    lines = gzip.decompress(file.read_bytes())
    old = lines if kept else lines.replace(b"m2", b"xx")
    left = file.with_name("000000000001-000000000002.0123456789ab.jsonl.gz")
    left.write_bytes(gzip.compress(old, 1))
    foreign = file.with_name("notes.jsonl.gz")
    foreign.write_bytes(b"somebody's")
    assert list(retention.archive_room(room=room, through=4, archive=to)) == [2]
    assert not left.exists()
    assert to.set_aside == ([] if kept else [left.parent / "aside" / left.name])
    assert foreign.read_bytes() == b"somebody's"


@pytest.mark.once  # of files
def test_archive_when_damaged_in_any_way_then_is_not_read(log: Log, tmp_path: Path) -> None:
    room, _ = log
    assert list(retention.archive_room(room=room, through=2, archive=Archive(tmp_path))) == [2]
    folder = tmp_path / str(room.pk)
    manifest = folder / "manifest.json"
    good = json.loads(manifest.read_text())
    (chunk,) = good["chunks"]
    other_room = str(UUID(int=7))
    wrong: list[Any] = [
        {**good, "room_id": other_room}, {**good, "format": 2}, {**good, "chunks": [{**chunk, "file": "../x"}]},
        {**good, "chunks": [chunk, chunk]}, {**good, "chunks": [{**chunk, "first_seq": 0}]},
        {**good, "chunks": [{**chunk, "last_seq": 1}]}, {**good, "chunks": [{**chunk, "sha256": "0"}]},
        {**good, "chunks": [{**chunk, "file": "gone"}]}, {"chunks": 1}, None,
    ]  # fmt: skip
    for content in wrong:
        manifest.write_text(json.dumps(content))
        found = list(archive_problems(room=room, archive=Archive(tmp_path)))
        assert len(found) in (1, 2), content
        assert str(tmp_path) in found[0]
    manifest.unlink()
    (found,) = archive_problems(room=room, archive=Archive(tmp_path))
    assert "manifest.json is missing" in found
    manifest.write_text(json.dumps(good))
    assert list(archive_problems(room=room, archive=Archive(tmp_path))) == []


@pytest.mark.once  # of files
def test_problems_when_messages_are_in_no_file_then_are_named(log: Log, tmp_path: Path) -> None:
    room, _ = log
    write(room, 4)
    to = Archive(tmp_path)
    Room.objects.filter(pk=room.pk).update(first_seq=3)
    room.refresh_from_db()
    assert list(archive_problems(room=room, archive=to)) == ["the archive has no messages 1 to 2"]
    assert list(retention.archive_room(room=room, through=4, archive=to)) == [2]
    assert list(archive_problems(room=room, archive=to)) == ["the archive has no messages 1 to 2"]
    Room.objects.filter(pk=room.pk).update(first_seq=7)
    room.refresh_from_db()
    assert list(archive_problems(room=room, archive=to)) == [
        "the archive has no messages 1 to 2", "the archive has no messages 5 to 6"
    ]  # fmt: skip


def test_archivable_when_times_are_in_no_order_then_stops_at_the_first(log: Log) -> None:
    """A clock went back: the messages behind today's look old."""
    room, _ = log
    write(room, 5)
    now = times.now()
    ages = {1: 400, 2: 0, 3: 400, 4: 400, 5: 400, 6: 400, 7: 400, 8: 0}
    for seq, days in ages.items():
        Message.objects.filter(room=room, seq=seq).update(created_at=now - timedelta(days=days))
    old = now - timedelta(days=30)
    assert retention.archivable_through(room=room, older_than=old) == 1
    assert retention.archivable_through(room=room, older_than=now + timedelta(days=1)) == 7
