"""A consistent database with rows of every model, and a table of injections: each breaks one row."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import DatabaseError, connection, models, transaction
from django.db.models import QuerySet

from accounts.models import Session, SigningSeed, User
from foundation import times
from messaging.archive import Archive
from messaging.archive_keys import keep_keys
from messaging.archive_lines import encode_line
from messaging.archive_manifest import Manifest
from messaging.drafts import Draft, as_message
from messaging.models import ArchivedKey, Message, MessageRevision
from moderation import audit
from moderation.audit import Target
from moderation.models import Report
from operations import integrity
from rooms.models import Membership, Room, direct_key

# Values that no row has.
HOUR = timedelta(hours=1)
SQLITE, POSTGRESQL, MONGODB = "sqlite", "postgresql", "djongo"


def rows(model: type[models.Model], **conditions: Any) -> QuerySet[Any]:
    """Rows to be broken: also of models whose own managers refuse changes."""
    return QuerySet(model).filter(**conditions)


class Database:
    """Three users in a group whose log has an edit, a deletion and a reply; a direct room; a room that is archived
    up to seq 4, of which 3 and 4 are still to be removed; reports, an audit log and sessions."""

    def __init__(self, folder: Path) -> None:
        self.begin = times.now() - timedelta(days=1)
        self.archive = Archive(folder / "archive")
        self.ann, self.ben, self.eve = (self._user(name) for name in ("ann", "ben", "eve"))
        rows(User, pk=self.eve.pk).update(is_active=False)
        self._permit()
        self.group = self._room(name="Group", created_by=self.ann)
        self.direct = self._room(kind="direct", direct_key=direct_key(self.ann.pk, self.ben.pk))
        self.old = self._room(name="Old")
        self.messages = [self._message(self.group, seq) for seq in range(1, 6)]
        self.old_messages = [self._message(self.old, seq) for seq in range(1, 7)]
        self._change()
        self._archive()
        for room, seq in ((self.group, 5), (self.direct, 0), (self.old, 6)):
            for user in (self.ann, self.ben) if room is self.direct else (self.ann, self.ben, self.eve):
                role = "owner" if user is self.ann and room is not self.direct else "member"
                marks = {"joined_seq": min(1, seq), "delivered_seq": seq, "read_seq": seq}
                Membership.objects.create(room=room, user=user, role=role, **marks)
        self._moderate()
        for user, revoked_at in ((self.ann, None), (self.eve, times.now())):
            expires_at = times.now() + HOUR
            Session.objects.create(user=user, refresh_jti="a", expires_at=expires_at, revoked_at=revoked_at)
        SigningSeed.objects.create(seed="0" * 64, signs_from=times.now())

    def at(self, seq: int) -> Any:
        return self.begin + timedelta(minutes=seq)

    def of(self, user: User, room: Room) -> QuerySet[Membership]:
        return rows(Membership, user_id=user.pk, room_id=room.pk)

    def message(self, seq: int) -> QuerySet[Message]:
        """The row of a message of the group: 2 is edited, 3 is deleted, 4 is a reply to 1."""
        return rows(Message, room_id=self.group.pk, seq=seq)

    def room(self, room: Room) -> QuerySet[Room]:
        return rows(Room, pk=room.pk)

    def report(self, state: str) -> QuerySet[Report]:
        return rows(Report, reason=state)

    def key(self, seq: int) -> QuerySet[ArchivedKey]:
        return rows(ArchivedKey, message_id=self.old_messages[seq - 1].pk)

    def manifest(self) -> Manifest:
        return self.archive.manifest(self.old.pk)

    def file(self, chunk: int) -> Path:
        return self.archive.directory / str(self.old.pk) / self.manifest().chunks[chunk].file

    def _user(self, name: str) -> User:
        return User.objects.create_user(
            username=name.title(),
            email=f"{name}@example.com",
            created_at=self.begin,
            display_name=name.title(),
        )

    def _room(self, **columns: Any) -> Room:
        return Room.objects.create(created_at=self.begin, last_activity_at=self.begin, **columns)

    def _message(self, room: Room, seq: int) -> Message:
        draft = Draft(
            room_id=room.pk,
            sender_id=(self.ann if seq % 2 else self.ben).pk,
            content=f"Text {seq}",
            client_message_id=f"c{seq}" if seq % 2 else None,
            reply_to=self.messages_so_far[0].pk if seq == 4 and room is self.group else None,
        )
        message = as_message(
            draft, id=draft.id, seq=seq, fingerprint=draft.fingerprint, created_at=self.at(seq)
        )
        message.save(force_insert=True)
        if room is self.group:
            self.messages_so_far.append(message)
        last = {"last_seq": seq, "last_message_id": message.pk, "last_activity_at": self.at(seq)}
        self.room(room).update(**last)
        return message

    @property
    def messages_so_far(self) -> list[Message]:
        return self.__dict__.setdefault("_so_far", [])

    def _change(self) -> None:
        edited, deleted = self.messages[1:3]
        for message in (edited, deleted):
            MessageRevision.objects.create(
                message=message,
                version=1,
                content=message.content,
                written_by_id=message.sender_id,
                written_at=message.created_at,
            )
        at = self.at(9)
        self.message(2).update(version=2, edited_at=at, edited_by_id=edited.sender_id, changed_at=at)
        self.message(3).update(
            version=2, content="", search_text="", deleted_at=at, deleted_by_id=self.ann.pk, changed_at=at
        )

    def _archive(self) -> None:
        manifest = Manifest(self.old.pk)
        for first, last in ((1, 2), (3, 4)):
            chunk = self.old_messages[first - 1 : last]
            self.archive.write(manifest, [encode_line(message, ()) for message in chunk], first, last)
            keep_keys(chunk)
        manifest.chunks[0].removed = True
        self.archive.save(manifest)
        rows(Message, room_id=self.old.pk, seq__lte=2).delete()
        self.room(self.old).update(first_seq=5)

    def _permit(self) -> None:
        """Rows of Django's own tables."""
        editors, permission = Group.objects.create(name="editors"), Permission.objects.first()
        editors.permissions.add(permission)
        self.ann.groups.add(editors)
        self.ann.user_permissions.add(permission)
        kind = {"content_type": permission.content_type, "action_flag": CHANGE}
        LogEntry.objects.create(user=self.ann, object_id="1", object_repr="x", **kind)

    def _moderate(self) -> None:
        resolved = {"resolved_at": times.now(), "resolved_by": self.ann, "resolution": "removed"}
        reported = (
            ("open", self.messages[4], {}),
            ("resolved", self.messages[2], resolved),
            ("archived", self.old_messages[0], {}),
        )
        for reason, message, state in reported:
            report = Report.objects.create(
                message_id=message.pk,
                room_id=message.room_id,
                author_id=message.sender_id,
                reporter=self.ben,
                seq=message.seq,
                version=1,
                content=message.content,
                reason=reason,
                **state,
            )
        targets = (
            Target("room", self.group.pk),
            Target("user", self.eve.pk),
            Target("report", report.pk),
            Target("message", self.old_messages[0].pk),
        )
        for target in targets:
            audit.record(
                actor_id=self.ann.pk, actor_name="ann", action="look", target=target, reason="to see"
            )


@dataclass(frozen=True)
class Injection:
    """Breaks one row, which only `rule` names, and mends if `repaired`. The databases in `refused` refuse it."""

    name: str
    rule: str
    corrupt: Callable[[Database], object]
    repaired: bool = False
    refused: tuple[str, ...] = ()
    checksums: bool = False

    def __str__(self) -> str:
        return self.name

    def run(self, folder: Path) -> None:
        """Inject, find, repair, and look again. All is undone, so that no foreign key stays broken."""
        with transaction.atomic():
            database = Database(folder)
            assert self._found(database) == set()
            if connection.vendor in self.refused:
                with pytest.raises(DatabaseError), transaction.atomic():
                    self.corrupt(database)
            else:
                self.corrupt(database)
                assert self._found(database) == {(self.rule, False)}
                assert self._found(database, repair=True) == {(self.rule, self.repaired)}
                assert self._found(database) == (set() if self.repaired else {(self.rule, False)})
            transaction.set_rollback(True)

    def _found(self, database: Database, *, repair: bool = False) -> set[tuple[str, bool]]:
        return found(database, repair=repair, checksums=self.checksums)


def found(database: Database, **options: Any) -> set[tuple[str, bool]]:
    """The rules that are broken, and whether they are repaired. Nothing else is using the database: no waits."""
    chosen = integrity.Options(archive_dirs=(database.archive.directory,), lag_seconds=0, **options)
    return {(violation.rule, violation.repaired) for violation in integrity.check(chosen)}
