"""Injections into reports and the audit log."""

import uuid
from pathlib import Path

import pytest

from moderation import audit
from moderation.audit import Target
from moderation.models import AuditEntry

from .sound_database import Database, Injection, rows

pytestmark = pytest.mark.django_db


def name_nothing(db: Database, kind: str) -> None:
    audit.record(
        actor_id=db.ann.pk, actor_name="ann", action="look", target=Target(kind, uuid.uuid4()), reason="x"
    )


INJECTIONS = [
    Injection(
        "report_of_nothing", "report_message", lambda db: db.report("open").update(message_id=uuid.uuid4())
    ),
    Injection(
        "report_of_another_room", "report_message", lambda db: db.report("open").update(room_id=db.old.pk)
    ),
    Injection("report_of_another_seq", "report_message", lambda db: db.report("open").update(seq=1)),
    Injection(
        "report_of_another_author", "report_message", lambda db: db.report("open").update(author_id=db.ben.pk)
    ),
    Injection("report_of_a_later_version", "report_message", lambda db: db.report("open").update(version=2)),
    Injection("archived_report_beyond", "report_message", lambda db: db.report("archived").update(seq=5)),
    Injection(
        "resolved_by_nobody", "report_state", lambda db: db.report("resolved").update(resolved_by_id=None)
    ),
    Injection("resolved_in_no_way", "report_state", lambda db: db.report("resolved").update(resolution="")),
    Injection(
        "resolved_at_no_time", "report_state", lambda db: db.report("resolved").update(resolved_at=None)
    ),
    Injection(
        "open_with_a_resolution", "report_state", lambda db: db.report("open").update(resolution="removed")
    ),
    Injection("entry_changed", "audit_chain", lambda db: rows(AuditEntry, seq=2).update(reason="another")),
    Injection("entry_removed", "audit_chain", lambda db: rows(AuditEntry, seq=2)._raw_delete("default")),
    *(
        Injection(f"entry_of_no_{kind}", "audit_target", lambda db, kind=kind: name_nothing(db, kind))
        for kind in ("room", "user", "report")
    ),
]


@pytest.mark.parametrize("injection", INJECTIONS, ids=str)
def test_check_when_moderation_is_broken_then_its_rule_names_it(injection: Injection, tmp_path: Path) -> None:
    injection.run(tmp_path)
