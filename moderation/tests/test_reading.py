"""Who reads which room on the desk is in the audit log: once for a moderator and room in a quarter of an hour."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from foundation import times
from messaging.models import Message
from moderation.models import AuditEntry
from moderation.services import reading
from rooms.models import Room

from .test_admin import add_rows

MESSAGES, REVISIONS = "/admin/messaging/message/", "/admin/messaging/messagerevision/"


def read_rooms() -> list[tuple[str, str, str]]:
    """The entries of reading: who, which room, and its name."""
    entries = AuditEntry.objects.filter(action="read_room").order_by("seq")
    return [(one.actor_name, str(one.target_id), one.target_name) for one in entries]


@pytest.fixture
def rooms(root: User) -> list[Room]:
    return [Room.objects.get(pk=add_rows(root, 1)["room"]) for _ in range(3)]


@pytest.mark.parametrize("path", [MESSAGES, REVISIONS])
def test_list_when_opened_then_each_room_on_it_is_recorded(
    browser: Client, rooms: list[Room], path: str
) -> None:
    browser.get(path)
    assert sorted(read_rooms()) == sorted(("Root", str(room.pk), room.name) for room in rooms)


def test_message_when_opened_again_and_again_then_recorded_once(
    browser: Client, rooms: list[Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    room = rooms[0]
    message = Message.objects.get(room=room)
    for _ in range(3):
        browser.get(f"{MESSAGES}{message.pk}/change/")
        browser.get(MESSAGES, {"room": str(room.pk)})
    assert read_rooms() == [("Root", str(room.pk), room.name)]
    other = User.objects.create_superuser(username="Other", email="other@example.com")
    browser.force_login(other)
    browser.get(MESSAGES, {"room": str(room.pk)})
    assert [who for who, *_ in read_rooms()] == ["Root", "Other"]
    # A quarter of an hour later.
    later = times.now() + reading.READING + timedelta(seconds=1)
    monkeypatch.setattr(reading.times, "now", lambda: later)
    browser.get(MESSAGES, {"room": str(room.pk)})
    assert [who for who, *_ in read_rooms()] == ["Root", "Other", "Other"]


def test_pages_without_messages_when_opened_then_nothing_is_recorded(
    browser: Client, rooms: list[Room]
) -> None:
    for path in (
        "/admin/rooms/room/",
        f"/admin/rooms/room/{rooms[0].pk}/change/",
        "/admin/moderation/report/",
    ):
        assert browser.get(path).status_code == 200
    browser.get(MESSAGES, {"q": "no message has this"})
    assert read_rooms() == []


def test_list_when_the_log_takes_no_entry_then_shows_no_message(
    browser: Client, rooms: list[Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    from moderation import audit

    monkeypatch.setattr(audit, "MAX_ATTEMPTS", 0)
    message = Message.objects.get(room=rooms[0])
    for path in (MESSAGES, f"{MESSAGES}{message.pk}/change/"):
        answer = browser.get(path)
        assert (answer.status_code, "some text" in answer.text) == (503, False)
