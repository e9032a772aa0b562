"""The command and its options, and that each rule has an injection. The injections are in `test_integrity_*`."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from messaging.models import Message
from operations import integrity
from tests.kit.paths import ROOT

from . import (
    test_integrity_accounts,
    test_integrity_archives,
    test_integrity_logs,
    test_integrity_moderation,
    test_integrity_rooms,
    test_integrity_tables,
)
from .sound_database import Database, found

MODULES = (
    test_integrity_accounts,
    test_integrity_archives,
    test_integrity_logs,
    test_integrity_moderation,
    test_integrity_rooms,
    test_integrity_tables,
)
# Injected by tests of their own in test_integrity_tables.
BY_TESTS = {"loose_row", "loose_column", "unique_index", "duplicate"}


@pytest.mark.once  # sources
def test_rules_when_declared_then_each_has_an_injection() -> None:
    injected = {injection.rule for module in MODULES for injection in module.INJECTIONS}
    assert injected | BY_TESTS == integrity.RULES.keys()


@pytest.mark.once  # sources
def test_rules_when_not_repaired_then_the_runbook_says_what_to_do() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    _, _, section = runbook.partition("## When check_integrity finds something")
    section = section.partition("\n## ")[0]
    left = {rule.name for rule in integrity.RULES.values() if not rule.repair}
    partly = {
        injection.rule for module in MODULES for injection in module.INJECTIONS if not injection.repaired
    }
    assert {name for name in left | partly | BY_TESTS if f"`{name}`" not in section} - {
        "loose_row",
        "loose_column",
    } == set()
    assert "`nothing`" not in section


@pytest.mark.django_db
def test_command_when_all_is_sound_then_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = Database(tmp_path)
    call_command("check_integrity", "--archive", str(db.archive.directory))
    assert capsys.readouterr().out == "No problems found.\n"
    call_command("check_integrity", "--archive-elsewhere")
    with pytest.raises(CommandError, match=r"1 violation\(s\) remain, 0 repaired"):
        call_command("check_integrity", "--archive", str(tmp_path / "typo"))
    assert f"archive_covers: room {db.old.pk}: {tmp_path}/typo does not have" in capsys.readouterr().out


@pytest.mark.django_db
def test_command_when_it_repairs_then_says_what_is_repaired_and_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = Database(tmp_path)
    archive = ("--archive", str(db.archive.directory))
    db.room(db.group).update(last_seq=4, last_message_id=None)
    with pytest.raises(CommandError, match=r"1 violation\(s\) remain, 0 repaired\."):
        call_command("check_integrity", *archive)
    call_command("check_integrity", "--repair", *archive)
    printed = capsys.readouterr().out
    assert f"repaired room_head: room {db.group.pk}" in printed
    assert printed.endswith("All 1 violation(s) repaired.\n")
    db.of(db.ben, db.group).update(delivered_seq=9, read_seq=9)
    db.room(db.group).update(first_seq=0)
    with pytest.raises(CommandError, match=r"1 violation\(s\) remain, 1 repaired\."):
        call_command("check_integrity", "--repair", *archive)


@pytest.mark.django_db
def test_check_when_the_log_is_long_then_reads_it_in_pages(tmp_path: Path) -> None:
    """The number of queries grows with the pages, and not with the messages."""
    db = Database(tmp_path)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert found(db) == set()
        return len(captured)

    before = queries()
    last = db.messages[4]
    rows = [
        Message(room=db.group, seq=seq, sender=db.ann, content="x", search_text="x", fingerprint="0" * 32)
        for seq in range(6, 1406)
    ]
    Message.objects.bulk_create(rows)
    db.of(db.ann, db.group).update(delivered_seq=1405, read_seq=1405)
    newest = {"last_seq": 1405, "last_message_id": rows[-1].pk, "last_activity_at": rows[-1].created_at}
    db.room(db.group).update(**newest)
    assert last.created_at < rows[0].created_at
    # Two more pages, with a query each for the rows, their users and what follows.
    assert queries() - before <= 3 * 4
