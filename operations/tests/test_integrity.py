"""`manage.py check_integrity`: each corruption is put in by hand, named, and mended where that is safe."""

import uuid
from collections.abc import Callable

import pytest

from accounts.models import Session, User
from foundation import times
from messaging.models import Message
from operations import integrity
from rooms.models import Membership, Room, direct_key

pytestmark = pytest.mark.django_db


class Database:
    """A sound database: a group of two with three messages, and a direct room."""

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


def test_sound_database_then_has_no_violation() -> None:
    Database()
    assert rules() == set()


def test_log_whose_oldest_were_archived_then_is_sound() -> None:
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
    """The other of the two ways to name a pair, which would allow a second room for it."""
    key = str(db.direct.direct_key)
    Room.objects.filter(pk=db.direct.pk).update(direct_key=":".join(reversed(key.split(":"))))


def lose_key(db: Database) -> None:
    Room.objects.filter(pk=db.direct.pk).update(direct_key=None)


def garble_key(db: Database) -> None:
    Room.objects.filter(pk=db.direct.pk).update(direct_key="nonsense")


@pytest.mark.parametrize(
    ("corrupt", "rule", "safe"),
    [
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
def test_corruption_then_is_named_and_mended_only_where_that_is_safe(
    corrupt: Callable[[Database], None], rule: str, safe: bool
) -> None:
    corrupt(Database())
    assert rules() == {(rule, False)}
    assert rules(repair=True) == {(rule, safe)}
    assert rules() == (set() if safe else {(rule, False)})


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
def test_row_that_points_at_nothing_then_is_named_and_removed_unless_it_is_a_message(
    model: type, column: str, rule: str, safe: bool
) -> None:
    db = Database()
    row = model.objects.filter(**{column: (db.group if column == "room_id" else db.ann).pk}).first()
    # Foreign keys are checked at the end of the transaction, and this one ends with everything undone.
    model.objects.filter(pk=row.pk).update(**{column: uuid.uuid4()})
    try:
        assert (rule, False) in rules()
        assert (rule, safe) in rules(repair=True)
        assert ((rule, False) in rules()) is not safe
    finally:
        model.objects.filter(pk=row.pk).delete()
