"""The audit log: a chain that shows each change, and entries that cannot be changed through their model."""

from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.db.models import QuerySet

from accounts.models import User
from foundation.ids import uuid7
from moderation import audit
from moderation.models import AuditEntry
from tests.kit.servers import ChatServer

from .moderator import Moderator


def add_entries(root: User, count: int) -> None:
    for _ in range(count):
        target = audit.Target("room", uuid7(), "a room")
        audit.record(actor_id=root.pk, actor_name="Root", action="lock_room", target=target, reason="")


def test_record_when_entries_follow_then_seq_and_digests_form_a_chain(root: User) -> None:
    add_entries(root, 3)
    entries = list(AuditEntry.objects.order_by("seq"))
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert [entry.previous for entry in entries] == ["", entries[0].digest, entries[1].digest]
    assert list(audit.find_breaks()) == []


def test_entry_when_written_to_or_deleted_then_it_is_refused(root: User) -> None:
    add_entries(root, 2)
    entry = AuditEntry.objects.get(seq=1)
    entry.reason = "another"
    for attempt in (entry.save, entry.delete, AuditEntry.objects.all().delete):
        with pytest.raises(RuntimeError, match="written once"):
            attempt()
    with pytest.raises(RuntimeError, match="written once"):
        AuditEntry.objects.update(reason="another")
    assert list(audit.find_breaks()) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows.update(reason="another"), "entry 2 was changed"),
        (lambda rows: rows._raw_delete(rows.db), "entries 2 to 2 are missing"),
    ],
)
def test_log_when_changed_past_the_model_then_the_break_is_found(
    root: User, change: Callable[[QuerySet], object], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_entries(root, 3)
    change(QuerySet(AuditEntry).filter(seq=2))
    assert problem in list(audit.find_breaks())
    with pytest.raises(CommandError, match="was changed"):
        call_command("verify_audit")
    assert problem in capsys.readouterr().out


@pytest.mark.smoke
def test_log_when_moderators_have_acted_then_it_is_intact(moderator: Moderator, server: ChatServer) -> None:
    assert "intact" in server.manage("verify_audit").stdout
    assert moderator.get("/admin/moderation/auditentry/add/").status_code == 403
