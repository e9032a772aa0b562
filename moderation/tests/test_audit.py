"""The audit log: a chain that shows each change, and entries that cannot be changed through their model."""

import json
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import QuerySet

from accounts.models import User
from foundation.errors import Unavailable
from foundation.ids import uuid7
from moderation import audit, chain
from moderation.models import AuditEntry
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .moderator import Moderator

OTHER_KEY = "another-key-0123456789-0123456789-0123456789"


def add_entries(root: User, count: int) -> list[AuditEntry]:
    targets = [audit.Target("room", uuid7(), "a room") for _ in range(count)]
    return [
        audit.record(actor_id=root.pk, actor_name="Root", action="lock_room", target=target, reason="")
        for target in targets
    ]


def rows(**which: Any) -> QuerySet[AuditEntry]:
    """Entries as one who writes past the model sees them."""
    return QuerySet(AuditEntry).filter(**which)


def rewrite(entry: AuditEntry, previous: str, **changes: Any) -> str:
    """Change an entry, with the digest of one who knows the program and not the key; returns the digest."""
    for name, value in {**changes, "previous": previous, "key_id": ""}.items():
        setattr(entry, name, value)
    digest = chain.digest_of(entry, None)
    rows(pk=entry.pk).update(**changes, previous=previous, key_id="", digest=digest)
    return digest


def test_record_when_entries_follow_then_seq_and_digests_form_a_chain(root: User) -> None:
    add_entries(root, 3)
    entries = list(AuditEntry.objects.order_by("seq"))
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert [entry.previous for entry in entries] == ["", entries[0].digest, entries[1].digest]
    assert list(audit.find_breaks()) == []


def test_record_all_when_another_entry_comes_first_then_all_follow_it(
    root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_entries(root, 1)
    real_sign, raced = chain.sign, []

    def sign(entry: Any, *, after: Any) -> None:
        if not raced:
            raced.append(True)
            add_entries(root, 1)
        real_sign(entry, after=after)

    # Between the read of the last entry and the write.
    monkeypatch.setattr(chain, "sign", sign)
    targets = [audit.Target("room", uuid7()) for _ in range(3)]
    audit.record_all(actor_id=root.pk, actor_name="Root", action="read_room", targets=targets, reason="")
    entries = AuditEntry.objects.order_by("seq")
    assert [entry.target_id for entry in entries[2:]] == [target.id for target in targets]
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
        (
            lambda rows: rows.update(key_id="0" * 16),
            "entry 2 has the key 0000000000000000, which is not among",
        ),
    ],
)
def test_log_when_changed_past_the_model_then_the_break_is_found(
    root: User, change: Callable[[QuerySet], object], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_entries(root, 3)
    change(rows(seq=2))
    assert problem in "\n".join(audit.find_breaks())
    with pytest.raises(CommandError, match="was changed"):
        call_command("verify_audit")
    assert problem in capsys.readouterr().out


def test_log_when_recomputed_without_the_key_then_it_is_found(root: User) -> None:
    add_entries(root, 3)
    digest = ""
    for entry in AuditEntry.objects.order_by("seq"):
        digest = rewrite(entry, digest, reason="nothing happened")
    assert list(audit.find_breaks()) == ["entry 3, the last one, has no key"]
    add_entries(root, 1)
    assert list(audit.find_breaks()) == ["entry 4 has a key, and the entry before has none"]


def test_log_when_its_end_is_recomputed_without_the_key_then_it_is_found(root: User) -> None:
    add_entries(root, 3)
    digest = AuditEntry.objects.get(seq=1).digest
    for entry in AuditEntry.objects.filter(seq__gt=1).order_by("seq"):
        digest = rewrite(entry, digest, reason="nothing happened")
    add_entries(root, 1)
    assert list(audit.find_breaks()) == [
        "entry 2 has no key, and the entry before has one",
        "entry 4 has a key, and the entry before has none",
    ]


def test_log_when_the_last_entry_is_removed_then_the_expected_shows_it(
    root: User, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    add_entries(root, 3)
    heads = [
        f"{one.__dict__['seq']}:{one.__dict__['digest']}"
        for one in caplog.records
        if one.name == "chat.audit"
    ]
    assert [head.partition(":")[0] for head in heads] == ["1", "2", "3"]
    call_command("verify_audit", expect=[], verbosity=0)
    assert f"Its last entry is {heads[2]}" in capsys.readouterr().out
    call_command("verify_audit", "--expect", heads[0], "--expect", heads[2])
    rows(seq=3)._raw_delete(connection.alias)
    assert list(audit.find_breaks()) == []
    with pytest.raises(CommandError, match="1 place"):
        call_command("verify_audit", "--expect", heads[2])
    assert "entry 3 is expected and missing: the log ends with entry 2" in capsys.readouterr().out
    # Another entry in its place, signed by the server itself.
    add_entries(root, 1)
    with pytest.raises(CommandError):
        call_command("verify_audit", "--expect", heads[2])
    assert "entry 3 is not the one that was expected" in capsys.readouterr().out


@pytest.mark.parametrize("head", ["", "3", "x:y", "0:" + "a" * 64, "3:abc", "9" * 30 + ":" + "a" * 64])
def test_verify_audit_when_the_expected_entry_is_malformed_then_says_so(head: str) -> None:
    with pytest.raises(CommandError, match="SEQ:DIGEST"):
        call_command("verify_audit", "--expect", head)


def test_log_when_secret_key_is_rotated_then_older_entries_verify(root: User, settings: Any) -> None:
    add_entries(root, 1)
    first = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OTHER_KEY, [first]
    add_entries(root, 1)
    assert list(audit.find_breaks()) == []
    settings.SECRET_KEY_FALLBACKS = []
    (problem,) = audit.find_breaks()
    assert problem.startswith("entry 1 has the key")
    settings.AUDIT_KEY_FALLBACKS = [first]
    assert list(audit.find_breaks()) == []
    settings.AUDIT_KEY = OTHER_KEY[::-1]
    add_entries(root, 1)
    assert list(audit.find_breaks()) == []
    assert len({entry.key_id for entry in AuditEntry.objects.all()}) == 3


def test_migration_when_the_log_has_entries_without_key_then_seals_them(root: User) -> None:
    seal = import_module("moderation.migrations.0003_seal_audit").seal
    with connection.schema_editor() as editor:
        seal(apps, editor)
    assert not AuditEntry.objects.exists()
    add_entries(root, 2)
    digest = ""
    for entry in AuditEntry.objects.order_by("seq"):
        digest = rewrite(entry, digest)
    for _ in range(2):
        with connection.schema_editor() as editor:
            seal(apps, editor)
    last = AuditEntry.objects.latest("seq")
    assert (last.seq, last.action, last.details) == (3, "seal_log", {"last": 2})
    assert list(audit.find_breaks()) == []
    # What was without a key cannot be recomputed any more.
    rewrite(AuditEntry.objects.get(seq=2), AuditEntry.objects.get(seq=1).digest, reason="another")
    assert list(audit.find_breaks()) == ["entry 3 does not follow entry 2"]


def test_record_when_every_place_is_taken_then_is_unavailable(
    root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MAX_ATTEMPTS", 0)
    with pytest.raises(Unavailable):
        add_entries(root, 1)


@pytest.mark.smoke
def test_log_when_moderators_have_acted_then_it_is_intact(
    moderator: Moderator, server: ChatServer, alice: ChatUser
) -> None:
    moderator.act("accounts/user", "end_sessions", alice.id)
    assert moderator.get("/admin/moderation/auditentry/add/").status_code == 403
    heads = [json.loads(line) for line in server.log.read_text().splitlines() if '"chat.audit"' in line]
    done = server.manage("verify_audit", "--expect", "{seq}:{digest}".format(**heads[-1]))
    assert "The audit log is intact." in done.stdout
    assert re.search(r"^Its last entry is \d+:[0-9a-f]{64}$", done.stdout, re.MULTILINE)
