"""Two moderators at the same moment: one is told "done", the other that somebody was faster."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from accounts import services as account_services
from accounts.models import User
from foundation import loop
from foundation.database import run_db
from foundation.errors import Conflict
from foundation.ids import uuid7
from messaging.models import Message
from moderation import services
from moderation.models import AuditEntry, Report
from moderation.services import Case
from moderation.services.messages import remove_reported
from moderation.services.reports import resolve_report
from rooms.models import Room
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .moderator import SELECTED, Moderator

ROUNDS = 3
# The model, the action, the kind of row that it is taken on, and one that comes before.
ACTIONS = [
    ("moderation/report", "dismiss", "report", None),
    ("moderation/report", "remove_message", "report", None),
    ("moderation/report", "deactivate_author", "report", None),
    ("messaging/message", "remove", "message", None),
    ("rooms/room", "lock", "room", None),
    ("rooms/room", "unlock", "room", "lock"),
    ("rooms/room", "delete_rooms", "room", None),
    ("rooms/membership", "remove", "member", None),
    ("accounts/user", "deactivate", "author", None),
    ("accounts/user", "reactivate", "author", "deactivate"),
]


@pytest.fixture(scope="session")
def other_moderator(server: ChatServer) -> Moderator:
    return Moderator(server)


@pytest.fixture
def cases(root: User) -> list[Case]:
    other = User.objects.create_superuser(username="Other", email="other@example.com")
    return [Case(root.pk, "Root", reason="first reason"), Case(other.pk, "Other", reason="second reason")]


def reported_message() -> Report:
    name = f"u{uuid7().hex[-12:]}"
    author = User.objects.create_user(username=name, email=f"{name}@example.com")
    room = Room.objects.create(name="room", created_by=author, last_seq=1)
    message = Message.objects.create(room=room, seq=1, sender=author, content="text")
    return Report.objects.create(
        message_id=message.pk, room=room, author=author, reporter=author,
        seq=1, version=1, content="text", reason="rude",
    )  # fmt: skip


@pytest.mark.parametrize(("model", "action", "kind", "before"), ACTIONS, ids=lambda value: str(value))
def test_action_when_two_moderators_take_it_then_one_is_told_done(
    moderator: Moderator,
    other_moderator: Moderator,
    server: ChatServer,
    ben: ChatUser,
    model: str,
    action: str,
    kind: str,
    before: str | None,
) -> None:
    for _ in range(ROUNDS):
        author = server.sign_up()
        room = author.make_room(ben)
        message = author.send(room, "text")["id"]
        ben.http.post(f"/api/rooms/{room}/messages/{message}/report", json={"reason": "rude"})
        found = {
            "report": moderator.row_ids("moderation/report", message=message),
            "member": moderator.row_ids("rooms/membership", room=room, user=author.id),
            "room": [room],
            "message": [message],
            "author": [author.id],
        }
        if before:
            moderator.act(model, before, *found[kind])
        form = {"action": action, SELECTED: found[kind], "confirmed": "yes"}

        def confirm(one: Moderator, form: dict[str, Any] = form) -> str:
            answer = one.post(f"/admin/{model}/", reason=f"reason of {one.name}", **form)
            assert answer.status_code == 302, answer.text
            return one.page(answer.headers["location"])

        with ThreadPoolExecutor(2) as pool:
            pages = list(pool.map(confirm, (moderator, other_moderator)))
        assert ["1 done." in page for page in pages].count(True) == 1, pages


def test_report_when_resolved_since_it_was_read_then_failed_is_recorded(cases: list[Case]) -> None:
    report = reported_message()
    loop.call(services.dismiss_report(case=cases[0], report_id=report.pk))
    # The other moderator's request has read the report when it was open.
    with pytest.raises(Conflict, match="Another moderator"):
        loop.call(resolve_report(cases[1], "dismiss_report", report, Report.Resolution.DISMISSED))
    assert Report.objects.get(pk=report.pk).note == "first reason"
    entries = AuditEntry.objects.filter(target_id=report.pk).order_by("seq")
    assert [(one.actor_name, one.outcome, one.reason) for one in entries] == [
        ("Root", "done", "first reason"),
        ("Other", "done", "second reason"),
        ("Other", "failed", "second reason"),
    ]


def test_report_when_dismissed_while_being_removed_then_the_loser_is_told(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    from moderation.services import messages

    report, real_remove = reported_message(), messages.message_services.remove_message

    async def remove(**arguments: Any) -> Any:
        removed = await real_remove(**arguments)
        await services.dismiss_report(case=cases[1], report_id=report.pk)
        return removed

    monkeypatch.setattr(messages.message_services, "remove_message", remove)
    with pytest.raises(Conflict, match=r"The message is removed\. Another moderator"):
        loop.call(remove_reported(case=cases[0], report_id=report.pk))
    assert Report.objects.get(pk=report.pk).note == "second reason"
    last = AuditEntry.objects.latest("seq")
    assert (last.action, last.outcome, last.reason) == ("resolve_report", "failed", "first reason")


def test_account_when_changed_since_it_was_read_then_conflict(root: User) -> None:
    author = reported_message().author
    stale = User.objects.get(pk=author.pk)
    loop.call(account_services.change_account(user_id=author.pk, is_staff=True))

    async def change() -> None:
        await run_db(account_services._change_account, stale, {"is_staff": False})

    with pytest.raises(Conflict, match="at the same time"):
        loop.call(change())
    assert User.objects.get(pk=author.pk).is_staff
