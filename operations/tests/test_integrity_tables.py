"""Injections into single columns and foreign keys of every model, and into unique indexes."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models, transaction

from accounts.models import Session, User
from foundation import times
from messaging.models import ArchivedKey, Message
from moderation.models import AuditEntry, Report
from operations import integrity
from operations.integrity.references import foreign_keys
from rooms.models import Membership, Room

from .sound_database import HOUR, POSTGRESQL, SQLITE, Database, Injection, found, rows

pytestmark = pytest.mark.django_db


BOTH = (SQLITE, POSTGRESQL)
INJECTIONS = [
    Injection("unknown_role", "column_value", lambda db: db.of(db.ben, db.group).update(role="boss")),
    Injection("no_role", "column_value", lambda db: db.of(db.ben, db.group).update(role="")),
    Injection("unknown_kind", "column_value", lambda db: db.room(db.group).update(kind="crowd")),
    Injection(
        "unknown_resolution", "column_value", lambda db: db.report("resolved").update(resolution="lost")
    ),
    Injection(
        "name_too_long",
        "column_value",
        lambda db: db.room(db.group).update(name="x" * 101, search_name="x" * 101),
        refused=(POSTGRESQL,),
    ),
    Injection("username_of_spaces", "column_value", lambda db: rename(db, "a b")),
    Injection("avatar_of_a_script", "column_value", lambda db: avatar(db, "javascript:alert(1)")),
    Injection("retention_beyond_bounds", "column_value", lambda db: retain(db, 2**31 - 1)),
    Injection("retention_negative", "column_value", lambda db: retain(db, -1), refused=BOTH),
    Injection("meta_of_a_list", "column_value", lambda db: db.room(db.group).update(meta=[1])),
    Injection("message_meta_of_a_text", "column_value", lambda db: db.message(1).update(meta="x")),
    Injection("null_name", "column_value", lambda db: clear(db.group, "name"), refused=BOTH),
    Injection("null_version", "column_value", lambda db: clear(db.messages[0], "version"), refused=BOTH),
    Injection("empty_token", "column_value", lambda db: rows(Session).update(refresh_jti="")),
    Injection(
        "long_message_type",
        "column_value",
        lambda db: db.message(1).update(type="x" * 33),
        refused=(POSTGRESQL,),
    ),
    Injection(
        "user_of_the_future", "future_time", lambda db: rows(User, pk=db.ben.pk).update(last_seen=soon())
    ),
    Injection("message_of_the_future", "future_time", lambda db: send_tomorrow(db)),
    Injection(
        "edited_before_written",
        "times_reversed",
        lambda db: db.message(2).update(edited_at=db.begin - HOUR),
    ),
    Injection(
        "room_deleted_before_made",
        "times_reversed",
        lambda db: empty_and_delete(db),
    ),
    Injection(
        "report_resolved_too_early",
        "times_reversed",
        lambda db: db.report("resolved").update(resolved_at=db.begin - HOUR),
    ),
    Injection(
        "session_expires_before_it_begins",
        "times_reversed",
        lambda db: rows(Session, user_id=db.ann.pk).update(expires_at=db.begin),
    ),
    Injection(
        "message_of_no_room",
        "reference",
        lambda db: db.message(5).update(room_id=uuid.uuid4()) and shorten(db),
    ),
]


def clear(row: models.Model, column: str) -> None:
    """Past the engine for MongoDB, which refuses it as the other databases do."""
    if connection.vendor == "djongo":
        collection = connection.connection[row._meta.db_table]
        assert collection.update_one({"_id": row.pk}, {"$set": {column: None}}).modified_count
    else:
        rows(type(row), pk=row.pk).update(**{column: None})


def soon() -> Any:
    return times.now() + HOUR


def retain(db: Database, days: int) -> None:
    db.room(db.group).update(retention_days=days)


def rename(db: Database, name: str) -> None:
    rows(User, pk=db.ben.pk).update(username=name, username_key=name)


def avatar(db: Database, url: str) -> None:
    rows(User, pk=db.ben.pk).update(avatar_url=url)


def send_tomorrow(db: Database) -> None:
    db.message(5).update(created_at=soon())
    db.room(db.group).update(last_activity_at=db.message(5).get().created_at)


def empty_and_delete(db: Database) -> None:
    rows(Membership, room_id=db.group.pk).delete()
    db.room(db.group).update(deleted_at=db.begin - HOUR)


def shorten(db: Database) -> None:
    """The room, as it is without its last message."""
    db.report("open").delete()
    db.room(db.group).update(last_seq=4, last_message_id=db.messages[3].pk, last_activity_at=db.at(4))
    db.of(db.ann, db.group).update(delivered_seq=4, read_seq=4)
    rows(Membership, room_id=db.group.pk).update(delivered_seq=4, read_seq=4)


@pytest.mark.parametrize("injection", INJECTIONS, ids=str)
def test_check_when_a_value_is_broken_then_its_rule_names_it(injection: Injection, tmp_path: Path) -> None:
    injection.run(tmp_path)


FOREIGN_KEYS = [
    (model, key)
    for model in apps.get_models(include_auto_created=True)
    for key in foreign_keys(model)
    if model._meta.managed
]
# Columns that name a row without a foreign key, and the rules that look for it.
IDS = {
    (Room, "last_message_id"): "last_message",
    (Message, "reply_to"): "reply",
    (ArchivedKey, "message_id"): "stray_key",
    (Report, "message_id"): "report_message",
    (AuditEntry, "target_id"): "audit_target",
}


@pytest.mark.parametrize(
    ("model", "key"), FOREIGN_KEYS, ids=[f"{model.__name__}.{key.name}" for model, key in FOREIGN_KEYS]
)
def test_check_when_a_foreign_key_names_nothing_then_is_found(
    model: type[models.Model], key: Any, tmp_path: Path
) -> None:
    """Other rules may name the row as well: a member who left a room without an owner, for example."""
    with transaction.atomic():
        db = Database(tmp_path)
        row = (
            rows(model).filter(**{f"{key.attname}__isnull": False}).order_by("pk").last()
            or rows(model).last()
        )
        assert row is not None, "the database of the tests has no such row"
        if model is Message:
            row = db.message(5).get()
        nothing = uuid.uuid4() if isinstance(key.remote_field.model._meta.pk, models.UUIDField) else 99_999
        rows(model, pk=row.pk).update(**{key.attname: nothing})
        safe = expected(model, key) != "reference"
        names = {"reference", "loose_row", "loose_column"}
        assert {one for one in found(db) if one[0] in names} == {(expected(model, key), False)}
        assert (expected(model, key), safe) in found(db, repair=True)
        assert {one for one in found(db) if one[0] in names} == (set() if safe else {("reference", False)})
        transaction.set_rollback(True)


def expected(model: type[models.Model], key: Any) -> str:
    if key.remote_field.on_delete is models.SET_NULL:
        return "loose_column"
    return "loose_row" if model in (Membership, Session) or model._meta.auto_created else "reference"


def test_columns_when_they_name_rows_then_have_a_rule() -> None:
    """A new column with the id of another row needs a foreign key, or a rule in this table."""
    ids = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.UUIDField) and not field.primary_key
    }
    assert ids == IDS.keys()
    assert IDS.items() <= {(column, rule) for column, rule in IDS.items() if rule in integrity.RULES}


@pytest.mark.django_db(transaction=True)
def test_check_when_a_unique_index_is_missing_then_names_the_duplicates(tmp_path: Path) -> None:
    db = Database(tmp_path)
    constraint = next(one for one in Message._meta.constraints if one.name == "message_client_id_once")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Message, constraint)
    try:
        assert found(db) == {("unique_index", False)}
        db.message(5).update(client_message_id="c1")
        assert found(db, repair=True) == {("unique_index", False), ("duplicate", False)}
    finally:
        db.message(5).update(client_message_id="c5")
        with connection.schema_editor() as editor:
            editor.add_constraint(Message, constraint)
    assert found(db) == set()
