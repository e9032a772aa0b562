"""What the desk's pages cost: as many queries for many rows as for few, and never a count of a table."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from foundation import times
from foundation.ids import uuid7
from messaging.models import ArchivedKey, Message, MessageRevision
from moderation import audit
from moderation.models import Report
from rooms.models import Membership, Room
from tests.kit.users import PASSWORD

MOST_QUERIES = 8  # session, user, the page, and what one page of its rows shows or offers besides
PAGES = [
    "accounts/user/", "accounts/session/", "rooms/room/", "rooms/membership/", "messaging/message/",
    "messaging/messagerevision/", "messaging/archivedkey/", "moderation/report/", "moderation/auditentry/",
    "messaging/message/?room={room}", "messaging/message/?author={author}", "messaging/message/?author={name}",
    "messaging/message/?since=2020-01-01T00:00", "messaging/message/?q=text", "rooms/room/?q=room",
    "rooms/membership/?room={room}", "moderation/report/?state=all&room={room}",
    "moderation/auditentry/?target={room}", "messaging/message/{message}/change/", "rooms/room/{room}/change/",
    "accounts/user/{author}/change/", "accounts/user/?q={name}",
]  # fmt: skip


@pytest.fixture
def root(transactional_db: Any) -> User:
    return User.objects.create_superuser(username="Root", email="root@example.com", password=PASSWORD)


@pytest.fixture
def browser(root: User) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(root)
    return client


def add_rows(root: User, count: int) -> dict[str, Any]:
    """Users, each with a room of their own that holds an edited, reported message."""
    for _ in range(count):
        name = f"u{uuid7().hex[-12:]}"
        user = User.objects.create_user(username=name, email=f"{name}@example.com")
        room = Room.objects.create(name=f"room of {name}", created_by=user, last_seq=1)
        Membership.objects.create(room=room, user=user)
        message = Message.objects.create(room=room, seq=1, sender=user, content="some text", reply_to=uuid7())
        now = times.now()
        MessageRevision.objects.create(
            message=message, version=1, content="x", written_by=user, written_at=now
        )
        ArchivedKey.objects.create(id=uuid7(), message_id=uuid7(), seq=1, fingerprint="f", created_at=now)
        Report.objects.create(
            message_id=message.pk,
            room=room,
            author=user,
            reporter=user,
            seq=1,
            version=1,
            content="c",
            reason="r",
        )
        target = audit.Target("room", room.pk, room.name)
        audit.record(actor_id=root.pk, actor_name="Root", action="lock_room", target=target, reason="")
    return {"room": room.pk, "author": user.pk, "name": user.username, "message": message.pk}


@pytest.mark.parametrize("page", PAGES)
def test_page_when_it_has_more_rows_then_costs_no_more_queries(
    browser: Client, root: User, page: str
) -> None:
    counts = []
    for more in (1, 9):
        path = "/admin/" + page.format(**add_rows(root, more))
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(path).status_code == 200
        counts.append(len(queries))
        assert not [query["sql"] for query in queries if "COUNT(*)" in query["sql"] and "GROUP" not in query["sql"]
                    and "rooms_membership" not in query["sql"]]  # fmt: skip
    assert counts[1] <= counts[0] <= MOST_QUERIES


def test_audit_entry_when_somebody_writes_over_it_then_refused(root: User) -> None:
    add_rows(root, 2)
    entry = audit.AuditEntry.objects.get(seq=1)
    entry.reason = "another"
    for attempt in (entry.save, entry.delete, audit.AuditEntry.objects.all().delete):
        with pytest.raises(RuntimeError, match="written once"):
            attempt()
    with pytest.raises(RuntimeError, match="written once"):
        audit.AuditEntry.objects.update(reason="another")
    assert list(audit.breaks()) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows.update(reason="another"), "entry 2 was changed"),
        (lambda rows: rows._raw_delete(rows.db), "entries 2 to 2 are missing"),
    ],
)
def test_audit_log_when_changed_behind_the_model_then_the_break_is_found(
    root: User, change: Callable[[QuerySet], object], problem: str
) -> None:
    add_rows(root, 3)
    change(QuerySet(audit.AuditEntry).filter(seq=2))
    assert problem in list(audit.breaks())
