"""The admin pages: they answer, record changes, and need as many queries for many rows as for few."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from foundation import times
from foundation.ids import uuid7
from messaging.models import ArchivedKey, Message, MessageRevision
from moderation import audit
from moderation.models import Report
from rooms.models import Membership, Room
from tests.kit.users import ChatUser

from .moderator import Moderator

# Session, user, the page, and other tables that a page of rows shows values of.
MAX_QUERIES = 8
# For pages with messages: which rooms were read lately, their names, the last entry of the audit log, and a
# transaction with the new ones.
READING_QUERIES = 6
PAGES = [
    "accounts/user/", "accounts/session/", "rooms/room/", "rooms/membership/", "messaging/message/",
    "messaging/messagerevision/", "messaging/archivedkey/", "moderation/report/", "moderation/auditentry/",
    "messaging/message/?room={room}", "messaging/message/?author={author}", "messaging/message/?author={name}",
    "messaging/message/?since=2020-01-01T00:00", "messaging/message/?q=text", "rooms/room/?q=room",
    "rooms/membership/?room={room}", "moderation/report/?state=all&room={room}",
    "moderation/auditentry/?target={room}", "messaging/message/{message}/change/", "rooms/room/{room}/change/",
    "accounts/user/{author}/change/", "accounts/user/?q={name}",
]  # fmt: skip


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
def test_page_when_it_has_more_rows_then_needs_no_more_queries(
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
    reading = READING_QUERIES if page.startswith("messaging/message") else 0
    assert counts[1] <= counts[0] <= MAX_QUERIES + reading


def test_user_page_when_saved_then_the_change_is_recorded(moderator: Moderator, alice: ChatUser) -> None:
    path = f"/admin/accounts/user/{alice.id}/change/"
    answer = moderator.post(path, display_name="Alice the Great", avatar_url="", is_staff="on")
    assert answer.status_code == 302, answer.text
    assert alice.http.get("/api/users/me").json()["displayName"] == "Alice the Great"
    entry = moderator.audit_log()
    assert "change_account" in entry


def test_room_page_when_retention_is_set_then_stored_and_recorded(
    moderator: Moderator, alice: ChatUser
) -> None:
    room = alice.make_room()
    path = f"/admin/rooms/room/{room}/change/"
    assert moderator.post(path, retention_days="30").status_code == 302
    assert 'value="30"' in moderator.get(path).text
    assert "set_retention" in moderator.audit_log()


@pytest.mark.parametrize("days", ["-1", "36501", "2147483648", "9" * 30, "1.5", "x"])
def test_room_page_when_retention_is_out_of_bounds_then_shows_why(
    moderator: Moderator, alice: ChatUser, days: str
) -> None:
    path = f"/admin/rooms/room/{alice.make_room()}/change/"
    before = moderator.audit_log()
    answer = moderator.post(path, retention_days=days)
    assert answer.status_code == 200
    assert "errorlist" in answer.text
    # Of this field: the random token of the form may begin with the same letter.
    assert not re.search(
        f'name="(initial-)?retention_days"[^>]*value="{re.escape(days)}', moderator.get(path).text
    )
    assert moderator.audit_log() == before


def test_search_when_no_filter_is_set_then_the_last_day_is_searched(
    moderator: Moderator, alice: ChatUser
) -> None:
    room = alice.make_room(name="needle room")
    alice.send(room, "a needle in a haystack")
    page = moderator.page("/admin/messaging/message/", q="a needle in")
    assert "Only the last 24 hours were searched." in page
    assert "a needle in a haystack" in page
    for narrow in ({"room": room}, {"author": alice.username}, {"since": "2020-01-01T00:00"}):
        page = moderator.page("/admin/messaging/message/", q="a needle in", **narrow)
        assert "a needle in a haystack" in page
        assert "were searched" not in page
    nothing = moderator.page("/admin/messaging/message/", room=room, until="2020-01-01T00:00")
    assert "a needle" not in nothing


@pytest.mark.parametrize(
    "model",
    [
        "accounts/user", "accounts/session", "rooms/room", "rooms/membership", "messaging/message",
        "messaging/messagerevision", "messaging/archivedkey", "moderation/report", "moderation/auditentry",
        "auth/group",
    ],
)  # fmt: skip
@pytest.mark.smoke
def test_list_when_opened_for_each_model_then_it_answers(moderator: Moderator, model: str) -> None:
    moderator.page(f"/admin/{model}/")
    moderator.page(f"/admin/{model}/", q="x")
