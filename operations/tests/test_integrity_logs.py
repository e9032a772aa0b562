"""Injections into logs: seqs, times, the state of messages, their earlier versions and keys."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F

from messaging.models import ArchivedKey, Message, MessageRevision
from operations.integrity.archives import check_archive
from operations.integrity.logs import Log, check_log
from operations.integrity.rules import Options
from rooms.models import Room

from .sound_database import HOUR, Database, Injection, rows

pytestmark = pytest.mark.django_db


def move_revision(db: Database) -> None:
    rows(MessageRevision, message_id=db.messages[1].pk).update(version=3)
    keep(db, version=1)


def keep(db: Database, *, version: int, **columns: Any) -> None:
    message = db.messages[1]
    values = {"content": "x", "written_by_id": message.sender_id, "written_at": message.created_at}
    MessageRevision.objects.create(message=message, version=version, **(values | columns))


def other_key(db: Database) -> None:
    """The key of another clientMessageId names a message that is still in the database."""
    message = db.old_messages[3]
    ArchivedKey.objects.create(
        pk=uuid.uuid4(), message_id=message.pk, seq=4, fingerprint="f", created_at=message.created_at
    )


INJECTIONS = [
    Injection("seq_zero", "seq_range", lambda db: add(db, 0)),
    Injection("seq_negative", "seq_range", lambda db: add(db, -3)),
    Injection("a_hole", "seq_dense", lambda db: lose(db, 4)),
    Injection("without_the_first", "seq_dense", lambda db: lose_first(db)),
    Injection("time_back_much", "time_order", lambda db: back(db, HOUR)),
    Injection("time_back_a_little", "time_order", lambda db: back(db, HOUR / 30), repaired=True),
    Injection(
        "text_not_folded", "search_text", lambda db: db.message(1).update(content="Été"), repaired=True
    ),
    Injection("type_of_nothing", "message_shape", lambda db: db.message(1).update(type="NO TYPE")),
    Injection("short_fingerprint", "message_shape", lambda db: db.message(1).update(fingerprint="f")),
    Injection(
        "deleted_with_content", "tombstone", lambda db: db.message(3).update(content="x", search_text="x")
    ),
    Injection("deleted_with_meta", "tombstone", lambda db: db.message(3).update(meta={"a": 1})),
    Injection("deleted_by_nobody", "tombstone", lambda db: db.message(3).update(deleted_by_id=None)),
    Injection("reason_without_deletion", "tombstone", lambda db: db.message(1).update(delete_reason="x")),
    Injection(
        "deleter_without_deletion", "tombstone", lambda db: db.message(1).update(deleted_by_id=db.ann.pk)
    ),
    Injection("edited_by_nobody", "edited", lambda db: db.message(2).update(edited_by_id=None)),
    Injection("editor_without_edit", "edited", lambda db: db.message(1).update(edited_by_id=db.ann.pk)),
    Injection("version_zero", "message_version", lambda db: db.message(1).update(version=0)),
    Injection("version_without_change", "message_version", lambda db: change_nothing(db)),
    Injection(
        "change_without_time", "changed_at", lambda db: db.message(2).update(changed_at=None), repaired=True
    ),
    Injection(
        "change_too_early", "changed_at", lambda db: db.message(2).update(changed_at=db.at(8)), repaired=True
    ),
    Injection(
        "time_without_change",
        "changed_at",
        lambda db: db.message(1).update(changed_at=db.at(9)),
        repaired=True,
    ),
    Injection("reply_to_nothing", "reply", lambda db: db.message(4).update(reply_to=uuid.uuid4())),
    Injection(
        "reply_to_another_room", "reply", lambda db: db.message(4).update(reply_to=db.old_messages[4].pk)
    ),
    Injection("reply_to_a_later_one", "reply", lambda db: db.message(4).update(reply_to=db.messages[4].pk)),
    Injection(
        "revision_lost",
        "revision_gap",
        lambda db: rows(MessageRevision, message_id=db.messages[1].pk)._raw_delete("default"),
    ),
    Injection("revision_too_late", "stray_revision", move_revision),
    Injection("revision_zero", "stray_revision", lambda db: keep(db, version=0)),
    Injection(
        "revision_too_early", "stray_revision", lambda db: keep(db, version=2, written_at=db.begin - HOUR)
    ),
    Injection(
        "key_of_another_message",
        "archived_key",
        lambda db: db.key(3).update(message_id=uuid.uuid4()),
        repaired=True,
    ),
    Injection("key_with_another_seq", "archived_key", lambda db: db.key(3).update(seq=9), repaired=True),
    Injection(
        "key_with_another_fingerprint",
        "archived_key",
        lambda db: db.key(3).update(fingerprint="0" * 32),
        repaired=True,
    ),
    Injection(
        "key_with_another_time",
        "archived_key",
        lambda db: db.key(3).update(created_at=db.begin),
        repaired=True,
    ),
    Injection(
        "key_of_a_deletion", "archived_key", lambda db: db.key(3).update(deleted_at=db.at(9)), repaired=True
    ),
    Injection("key_without_message_id", "stray_key", other_key),
    Injection("key_of_seq_zero", "stray_key", lambda db: db.key(1).update(seq=0)),
]


def add(db: Database, seq: int) -> None:
    db.message(1).update(client_message_id=F("client_message_id"))
    copy = Message.objects.get(pk=db.messages[0].pk)
    copy.pk, copy.seq, copy.client_message_id = uuid.uuid4(), seq, None
    copy.save(force_insert=True)


def lose(db: Database, seq: int) -> None:
    db.message(seq)._raw_delete("default")


def lose_first(db: Database) -> None:
    db.message(4).update(reply_to=None)
    lose(db, 1)


def back(db: Database, time: Any) -> None:
    db.message(4).update(created_at=db.at(3) - time)


def change_nothing(db: Database) -> None:
    keep_of_first = {"message": db.messages[0], "written_by": db.ann, "written_at": db.at(1)}
    MessageRevision.objects.create(version=1, content="x", **keep_of_first)
    db.message(1).update(version=2)


@pytest.mark.parametrize("injection", INJECTIONS, ids=str)
def test_check_when_a_log_is_broken_then_its_rule_names_it(injection: Injection, tmp_path: Path) -> None:
    injection.run(tmp_path)


def test_check_when_messages_are_archived_meanwhile_then_no_violation(tmp_path: Path) -> None:
    """The room was read, and then its messages were archived and removed."""
    db = Database(tmp_path)
    options = Options(archive_dirs=(db.archive.directory,), lag_seconds=0)
    log = Log(Room.objects.get(pk=db.group.pk))
    lose_first(db)
    db.room(db.group).update(first_seq=2)
    assert list(check_log(log, options)) == []
    # Rows that are archived, and are gone between two reads, are no gap either.
    log = Log(Room.objects.get(pk=db.old.pk))
    rows(Message, room_id=db.old.pk, seq=4)._raw_delete("default")
    assert list(check_log(log, options)) == []
    assert list(check_archive(log.room, log, options)) == []
