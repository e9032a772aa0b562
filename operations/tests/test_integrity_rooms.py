"""Injections into rooms and their members."""

import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from accounts.models import User
from foundation import times
from messaging.models import Message, MessageRevision
from operations.integrity.logs import Log
from operations.integrity.members import check_members
from operations.integrity.rooms import check_room
from operations.integrity.rules import Options
from rooms.models import Membership, Room

from .sound_database import HOUR, Database, Injection, rows

pytestmark = pytest.mark.django_db


def turn_key(db: Database) -> None:
    """Reverse the pair in the key, which would allow a second room for it."""
    key = str(db.direct.direct_key)
    db.room(db.direct).update(direct_key=":".join(reversed(key.split(":"))))


def lose_the_log(db: Database) -> None:
    # What refers to the lost messages is named by other rules.
    db.report("open").delete()
    db.report("resolved").delete()
    rows(MessageRevision)._raw_delete("default")
    rows(Message, room_id=db.group.pk)._raw_delete("default")


def lose_an_archived_log(db: Database) -> None:
    rows(Message, room_id=db.old.pk)._raw_delete("default")


def join_direct(db: Database) -> None:
    Membership.objects.create(room=db.direct, user=db.eve)


def delete_only_the_room(db: Database) -> None:
    db.room(db.group).update(deleted_at=times.now())


def deactivate_the_owner(db: Database) -> None:
    rows(User, pk=db.ann.pk).update(is_active=False)
    db.of(db.ann, db.old).delete()
    db.of(db.ben, db.old).update(role="owner")
    db.ann.sessions.update(revoked_at=times.now())


def become_nobody(db: Database) -> None:
    db.of(db.ann, db.group).update(role="member")


INJECTIONS = [
    Injection("head_behind", "room_head", lambda db: set_head(db, 4), repaired=True),
    Injection("head_ahead", "room_head", lambda db: db.room(db.group).update(last_seq=9)),
    Injection("log_lost", "room_head", lose_the_log),
    Injection("archived_log_lost", "room_head", lose_an_archived_log),
    Injection(
        "last_message_of_nothing",
        "last_message",
        lambda db: db.room(db.group).update(last_message_id=uuid.uuid4()),
        repaired=True,
    ),
    Injection(
        "last_message_of_another_room",
        "last_message",
        lambda db: db.room(db.group).update(last_message_id=db.old_messages[5].pk),
        repaired=True,
    ),
    Injection(
        "last_message_of_another_seq",
        "last_message",
        lambda db: db.room(db.group).update(last_message_id=db.messages[3].pk),
        repaired=True,
    ),
    Injection(
        "last_message_of_an_empty_room",
        "last_message",
        lambda db: db.room(db.direct).update(last_message_id=db.messages[3].pk),
        repaired=True,
    ),
    Injection(
        "activity_too_early",
        "room_activity",
        lambda db: db.room(db.group).update(last_activity_at=db.at(4)),
        repaired=True,
    ),
    Injection(
        "activity_too_late",
        "room_activity",
        lambda db: db.room(db.group).update(last_activity_at=db.at(5) + HOUR),
        repaired=True,
    ),
    Injection(
        "activity_without_messages",
        "room_activity",
        lambda db: db.room(db.direct).update(last_activity_at=db.begin + HOUR),
        repaired=True,
    ),
    Injection("first_seq_zero", "first_seq", lambda db: db.room(db.group).update(first_seq=0)),
    Injection("first_seq_beyond_the_head", "first_seq", lambda db: db.room(db.group).update(first_seq=6)),
    Injection("first_seq_of_an_empty_room", "first_seq", lambda db: db.room(db.direct).update(first_seq=2)),
    Injection(
        "room_name_not_folded", "search_name", lambda db: db.room(db.group).update(name="Été"), repaired=True
    ),
    Injection("key_garbled", "direct_key", lambda db: db.room(db.direct).update(direct_key="nonsense")),
    Injection("key_turned", "direct_key", turn_key),
    Injection("key_lost", "direct_key", lambda db: db.room(db.direct).update(direct_key=None)),
    Injection("key_of_a_group", "direct_key", lambda db: db.room(db.group).update(direct_key="a:b")),
    Injection(
        "direct_room_deleted", "direct_key", lambda db: db.room(db.direct).update(deleted_at=times.now())
    ),
    Injection("direct_left", "direct_members", lambda db: db.of(db.ben, db.direct).delete(), repaired=True),
    Injection("direct_joined", "direct_members", join_direct),
    Injection("deleted_with_members", "deleted_room", delete_only_the_room, repaired=True),
    Injection("no_owner", "group_owner", become_nobody, repaired=True),
    Injection("no_active_owner", "group_owner", deactivate_the_owner, repaired=True),
    Injection(
        "read_beyond_the_head",
        "watermark",
        lambda db: db.of(db.ben, db.group).update(delivered_seq=9, read_seq=9),
        repaired=True,
    ),
    Injection(
        "read_undelivered",
        "watermark",
        lambda db: db.of(db.ben, db.group).update(delivered_seq=1, read_seq=2),
        repaired=True,
    ),
    Injection(
        "watermarks_negative",
        "watermark",
        lambda db: db.of(db.ben, db.group).update(delivered_seq=-1, read_seq=-2, joined_seq=0),
        repaired=True,
    ),
    Injection(
        "joined_beyond_the_head",
        "joined_seq",
        lambda db: db.of(db.ben, db.group).update(joined_seq=9),
        repaired=True,
    ),
    Injection(
        "joined_unread",
        "joined_seq",
        lambda db: db.of(db.ben, db.group).update(joined_seq=4, read_seq=3),
        repaired=True,
    ),
    Injection(
        "joined_negative",
        "joined_seq",
        lambda db: db.of(db.ben, db.group).update(joined_seq=-1),
        repaired=True,
    ),
]


def set_head(db: Database, seq: int) -> None:
    db.room(db.group).update(
        last_seq=seq, last_message_id=db.messages[seq - 1].pk, last_activity_at=db.at(seq)
    )


@pytest.mark.parametrize("injection", INJECTIONS, ids=str)
def test_check_when_a_room_is_broken_then_its_rule_names_it(injection: Injection, tmp_path: Path) -> None:
    injection.run(tmp_path)


def test_check_when_a_message_comes_meanwhile_then_no_violation(tmp_path: Path) -> None:
    """The log was read, and then a message came whose sender has read it."""
    db = Database(tmp_path)
    log = Log(Room.objects.get(pk=db.group.pk))
    for message in Message.objects.filter(room_id=db.group.pk, seq__lt=5).order_by("seq"):
        log.add(message)
    log.room.last_seq = 4
    assert list(check_members(log.room, log, Options(lag_seconds=0))) == []


def test_check_when_the_head_lags_for_a_moment_then_no_violation(tmp_path: Path) -> None:
    """The head is written after its message: the check read the room in between."""
    db = Database(tmp_path)
    room = Room.objects.get(pk=db.group.pk)
    room.last_seq, room.last_message_id, room.last_activity_at = 4, db.messages[3].pk, db.at(4)
    log = Log(room)
    for message in Message.objects.filter(room_id=db.group.pk).order_by("seq"):
        log.add(message)
    db.message(5).update(created_at=times.now() - timedelta(milliseconds=1))
    assert list(check_room(room, log, Options(lag_seconds=0))) == []
