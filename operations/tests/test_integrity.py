"""Each kind of corruption is reported, and repaired where that is safe."""

import uuid
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Session, User
from foundation import times
from messaging.models import Message
from operations import integrity
from rooms.models import Membership, Room, direct_key

pytestmark = pytest.mark.django_db


class Database:
    """A consistent database: a group of two with three messages, and a direct room."""

    def __init__(self) -> None:
        self.ann, self.ben, self.eve = (
            User.objects.create_user(username=name, email=f"{name}@example.com")
            for name in ("ann", "ben", "eve")
        )
        self.group = Room.objects.create(name="group", last_seq=3)
        self.direct = Room.objects.create(
            kind=Room.Kind.DIRECT, direct_key=direct_key(self.ann.pk, self.ben.pk), last_seq=0
        )
        for room in (self.group, self.direct):
            for user in (self.ann, self.ben):
                Membership.objects.create(room=room, user=user)
        self.messages = [
            Message.objects.create(room=self.group, seq=seq, sender=self.ann, content="x", fingerprint="")
            for seq in (1, 2, 3)
        ]
        Session.objects.create(user=self.ann, refresh_jti="a", expires_at=times.now())

    def of(self, user: User, room: Room) -> Membership:
        return Membership.objects.get(user=user, room=room)


def rules(*, repair: bool = False) -> set[tuple[str, bool]]:
    return {(violation.rule, violation.repaired) for violation in integrity.check(repair=repair)}


def test_check_when_the_database_is_consistent_then_no_violation(capsys: pytest.CaptureFixture[str]) -> None:
    Database()
    assert rules() == set()
    call_command("check_integrity")
    assert capsys.readouterr().out == "No problems found.\n"


def test_check_when_the_oldest_are_archived_then_no_violation() -> None:
    db = Database()
    db.messages[0].delete()
    Room.objects.filter(pk=db.group.pk).update(first_seq=2)
    assert rules() == set()


def lag(db: Database) -> None:
    Room.objects.filter(pk=db.group.pk).update(last_seq=1)


def run_ahead(db: Database) -> None:
    Room.objects.filter(pk=db.group.pk).update(last_seq=9)


def punch_hole(db: Database) -> None:
    db.messages[1].delete()


def lose_the_first(db: Database) -> None:
    db.messages[0].delete()


def read_beyond(db: Database) -> None:
    Membership.objects.filter(pk=db.of(db.ben, db.group).pk).update(delivered_seq=9, read_seq=9)


def read_undelivered(db: Database) -> None:
    Membership.objects.filter(pk=db.of(db.ben, db.group).pk).update(delivered_seq=1, read_seq=2)


def leave_direct(db: Database) -> None:
    db.of(db.ben, db.direct).delete()


def join_direct(db: Database) -> None:
    Membership.objects.create(room=db.direct, user=db.eve)


def turn_key(db: Database) -> None:
    """Reverse the pair in the key, which would allow a second room for it."""
    key = str(db.direct.direct_key)
    Room.objects.filter(pk=db.direct.pk).update(direct_key=":".join(reversed(key.split(":"))))


def lose_key(db: Database) -> None:
    Room.objects.filter(pk=db.direct.pk).update(direct_key=None)


def garble_key(db: Database) -> None:
    Room.objects.filter(pk=db.direct.pk).update(direct_key="nonsense")


def write_as_before_the_column(db: Database) -> None:
    Message.objects.filter(pk=db.messages[1].pk).update(content="Été")


def rename_as_before_the_column(db: Database) -> None:
    Room.objects.filter(pk=db.group.pk).update(name="Été")


def keep_an_old_key(db: Database) -> None:
    User.objects.filter(pk=db.ann.pk).update(display_name="José", display_name_key="josé")


@pytest.mark.parametrize(
    ("corrupt", "rule", "safe"),
    [
        (write_as_before_the_column, "search_text", True),
        (rename_as_before_the_column, "search_name", True),
        (keep_an_old_key, "display_name_key", True),
        (lag, "head_hint", True),
        (run_ahead, "head_hint", False),
        (punch_hole, "seq_dense", False),
        (lose_the_first, "seq_dense", False),
        (read_beyond, "watermark", True),
        (read_undelivered, "watermark", True),
        (leave_direct, "direct_members", True),
        (join_direct, "direct_members", False),
        (garble_key, "direct_key", False),
        (turn_key, "direct_key", False),
        (lose_key, "direct_key", False),
    ],
)
def test_check_when_corrupt_then_reports_and_repairs_what_is_safe(
    corrupt: Callable[[Database], None], rule: str, safe: bool
) -> None:
    corrupt(Database())
    assert rules() == {(rule, False)}
    assert rules(repair=True) == {(rule, safe)}
    assert rules() == (set() if safe else {(rule, False)})


def test_command_when_it_repairs_then_says_what_is_repaired_and_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    db = Database()
    lag(db)
    with pytest.raises(CommandError, match=r"1 violation\(s\) remain, 0 repaired\."):
        call_command("check_integrity")
    call_command("check_integrity", "--repair")
    printed = capsys.readouterr().out
    assert f"repaired head_hint: room {db.group.pk}" in printed
    assert printed.endswith("All 1 violation(s) repaired.\n")
    read_beyond(db)
    punch_hole(db)
    with pytest.raises(CommandError, match=r"1 violation\(s\) remain, 1 repaired\."):
        call_command("check_integrity", "--repair")


@pytest.mark.parametrize(
    ("model", "column", "rule", "safe"),
    [
        (Membership, "room_id", "membership_room", True),
        (Membership, "user_id", "membership_user", True),
        (Session, "user_id", "session_user", True),
        (Message, "sender_id", "message_sender", False),
        (Message, "room_id", "message_room", False),
    ],
)
def test_check_when_a_reference_is_broken_then_only_messages_stay(
    model: type, column: str, rule: str, safe: bool
) -> None:
    db = Database()
    row = model.objects.filter(**{column: (db.group if column == "room_id" else db.ann).pk}).first()
    # Foreign keys are checked at the end of the transaction, and the test undoes everything before.
    model.objects.filter(pk=row.pk).update(**{column: uuid.uuid4()})
    try:
        assert (rule, False) in rules()
        assert (rule, safe) in rules(repair=True)
        assert ((rule, False) in rules()) is not safe
    finally:
        model.objects.filter(pk=row.pk).delete()
