"""Migrations forwards and backwards, on empty and on filled collections. Indexes are read back from MongoDB."""

import io

import pytest
from django.core.management import call_command
from django.db import IntegrityError, NotSupportedError, connection, migrations, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from django.db.models import Q

APPS = ["token_blacklist", "testapp", "sessions", "admin", "auth", "contenttypes"]


@pytest.fixture
def empty_database(mongo):
    """A separate database without any collection."""
    settings = connection.settings_dict
    name, settings["NAME"] = settings["NAME"], "test_engine_migrations"
    connection.close()
    connection.run_on_database(lambda database: database.client.drop_database(database.name))
    yield
    connection.run_on_database(lambda database: database.client.drop_database(database.name))
    settings["NAME"] = name
    connection.close()


def test_indexes_when_migrated_then_each_kind_exists(mongo):
    found = {
        name: (dict(index["key"]), index.get("unique", False), index.get("partialFilterExpression"))
        for name, index in connection.indexes("testapp_message").items()
        if name != "message_text"
    }
    assert found == {
        "_id_": ({"_id": 1}, False, None),
        "author_id_idx": ({"author_id": 1}, False, None),
        "reply_to_id_idx": ({"reply_to_id": 1}, False, None),
        "message_room_seq": ({"room_id": 1, "seq": 1}, True, None),
        "message_client": (
            {"room_id": 1, "author_id": 1, "client_id": 1},
            True,
            {"author_id": {"$gte": float("-inf")}, "client_id": {"$gte": ""}},
        ),
        "one_pinned": ({"room_id": 1}, True, {"pinned": True}),
        "message_author_at": ({"author_id": 1, "at": -1}, False, None),
        "message_edited": ({"edited": 1}, False, found["message_edited"][2]),
    }
    assert list(found["message_edited"][2]) == ["edited"]
    assert connection.indexes("auth_user")["__primary_key__"]["unique"]
    assert connection.indexes("auth_user")["username_uniq"]["unique"]


def test_models_when_compared_with_migrations_then_nothing_is_missing(mongo):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_migrations_when_reversed_and_reapplied_then_tables_match(empty_database):
    call_command("migrate", verbosity=0)
    tables = set(connection.introspection.table_names())
    assert {"testapp_message", "auth_user", "token_blacklist_outstandingtoken", "django_session"} <= tables
    for app in APPS:
        call_command("migrate", app, "zero", verbosity=0)
    assert connection.introspection.table_names() == ["django_migrations"]
    call_command("migrate", verbosity=0)
    assert set(connection.introspection.table_names()) == tables


def test_blacklist_migrations_when_tokens_exist_then_they_are_kept(empty_database):
    call_command("migrate", "auth", verbosity=0)
    call_command("migrate", "token_blacklist", "0001", verbosity=0)
    old = MigrationExecutor(connection).loader.project_state(("token_blacklist", "0001_initial")).apps
    token = old.get_model("token_blacklist", "OutstandingToken")
    row = {"token": "t", "created_at": "2024-01-01T00:00Z", "expires_at": "2024-01-02T00:00Z"}
    user = old.get_model("auth", "User").objects.create(username="ann")
    token.objects.create(jti="e" * 32, user=user, **row)
    call_command("migrate", "token_blacklist", verbosity=0)
    from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

    found = OutstandingToken.objects.get()
    assert found.jti.replace("-", "") == "e" * 32
    assert found.user.username == "ann"
    # Back to 0005: to undo that one with rows, the app would need a value for its NOT NULL column jti.
    call_command("migrate", "token_blacklist", "0005", verbosity=0)
    call_command("migrate", "token_blacklist", verbosity=0)
    assert OutstandingToken.objects.get().jti.replace("-", "") == "e" * 32


def test_sqlmigrate_when_printed_then_it_describes_the_steps(mongo):
    out = io.StringIO()
    call_command("sqlmigrate", "testapp", "0001", stdout=out)
    assert "create testapp_room" in out.getvalue()


# --- one operation at a time, on a filled collection


class Steps:
    """Applies migration operations to an app that exists only here, and reverses them."""

    def __init__(self):
        self.states = [ProjectState()]
        self.operations = []

    def apply(self, operation):
        before = self.states[-1]
        after = before.clone()
        operation.state_forwards("probe", after)
        with connection.schema_editor() as editor:
            operation.database_forwards("probe", editor, before, after)
        self.states.append(after)
        self.operations.append(operation)

    def undo(self):
        after, operation = self.states.pop(), self.operations.pop()
        with connection.schema_editor() as editor:
            operation.database_backwards("probe", editor, after, self.states[-1])

    def model(self, name="Item"):
        return self.states[-1].apps.get_model("probe", name)


@pytest.fixture
def steps(empty_database):
    steps = Steps()
    fields = [
        ("id", models.AutoField(primary_key=True)),
        ("name", models.CharField(max_length=10, db_index=True)),
        ("size", models.IntegerField(null=True)),
    ]
    steps.apply(migrations.CreateModel("Item", fields))
    steps.model().objects.bulk_create(
        [steps.model()(name=n, size=s) for n, s in (("a", 1), ("b", 2), ("c", None))]
    )
    return steps


def indexes() -> dict:
    return {
        name: dict(index["key"])
        for name, index in connection.indexes("probe_item").items()
        if name not in ("_id_", "__primary_key__")
    }


def rows(steps, *names) -> list:
    return list(steps.model().objects.order_by("name").values_list(*names))


def test_field_when_added_and_removed_then_rows_and_indexes_follow(steps):
    steps.apply(migrations.AddField("item", "flag", models.BooleanField(default=True, db_index=True)))
    steps.apply(migrations.AddField("item", "code", models.CharField(max_length=5, null=True, unique=True)))
    steps.apply(migrations.AddField("item", "rank", models.IntegerField(db_default=models.Value(7))))
    steps.apply(migrations.AddField("item", "note", models.TextField(db_default="", default="")))
    assert rows(steps, "flag", "code", "rank", "note") == [(True, None, 7, "")] * 3
    assert steps.model().objects.create(name="z").rank in (7, models.expressions.DatabaseDefault)
    assert steps.model().objects.filter(rank=7).count() == 4
    assert indexes() == {"name_idx": {"name": 1}, "flag_idx": {"flag": 1}, "code_uniq": {"code": 1}}
    for _ in range(4):
        steps.undo()
    assert indexes() == {"name_idx": {"name": 1}}
    assert connection.run_on_database(lambda database: database["probe_item"].find_one())["name"] == "a"


def test_not_null_field_when_added_without_default_then_integrity_error(steps):
    with pytest.raises(IntegrityError):
        steps.apply(migrations.AddField("item", "must", models.DateField()))


def test_field_when_renamed_then_values_and_indexes_have_the_new_name(steps):
    steps.apply(migrations.RenameField("item", "name", "title"))
    assert list(steps.model().objects.order_by("title").values_list("title", flat=True)) == ["a", "b", "c"]
    assert indexes() == {"title_idx": {"title": 1}}
    steps.undo()
    assert indexes() == {"name_idx": {"name": 1}}


def test_field_when_altered_then_values_and_indexes_are_converted(steps):
    steps.apply(migrations.AlterField("item", "size", models.IntegerField(default=9)))
    assert rows(steps, "size") == [(1,), (2,), (9,)]
    steps.apply(migrations.AlterField("item", "size", models.CharField(max_length=5, unique=True)))
    assert rows(steps, "size") == [("1",), ("2",), ("9",)]
    assert "size_uniq" in indexes()
    steps.undo()
    assert rows(steps, "size") == [(1,), (2,), (9,)]
    assert "size_uniq" not in indexes()
    steps.apply(migrations.AlterField("item", "name", models.TextField()))
    assert indexes() == {}
    with pytest.raises(NotSupportedError):
        steps.apply(migrations.AlterField("item", "name", models.JSONField()))
    with pytest.raises(NotSupportedError, match="primary key"):
        steps.apply(migrations.AlterField("item", "name", models.CharField(primary_key=True, max_length=9)))


def test_field_when_made_not_null_without_default_then_integrity_error(steps):
    with pytest.raises(IntegrityError):
        steps.apply(migrations.AlterField("item", "size", models.IntegerField()))


def test_constraints_when_added_and_removed_then_indexes_follow(steps):
    steps.apply(migrations.AddIndex("item", models.Index(fields=["name", "-size"], name="by_size")))
    steps.apply(migrations.RenameIndex("item", "by_name_size", old_name="by_size"))
    assert indexes()["by_name_size"] == {"name": 1, "size": -1}
    unique = models.UniqueConstraint(fields=["name"], condition=Q(size__gt=1, size__isnull=False), name="big")
    steps.apply(migrations.AddConstraint("item", unique))
    steps.apply(migrations.AlterUniqueTogether("item", [("name", "size")]))
    assert set(indexes()) == {"name_idx", "by_name_size", "big", "name_size_uniq"}
    steps.model().objects.create(name="b", size=1)
    with pytest.raises(IntegrityError):
        steps.model().objects.create(name="b", size=1)
    with pytest.raises(IntegrityError):
        steps.model().objects.create(name="b", size=5)
    for _ in range(4):
        steps.undo()
    assert set(indexes()) == {"name_idx"}


def test_renamed_column_when_in_a_condition_then_rows_stay_unique(steps):
    within = Q(size__lt=9, size__isnull=False)
    for fields, condition, name in (
        (["size"], within, "same"),
        (["name"], Q(size__gt=5), "other"),
    ):
        unique = models.UniqueConstraint(fields=fields, condition=condition, name=name)
        steps.apply(migrations.AddConstraint("item", unique))
    steps.apply(migrations.RenameField("item", "size", "length"))
    with pytest.raises(IntegrityError):
        steps.model().objects.create(name="d", length=1)
    steps.model().objects.create(name="d", length=20)
    with pytest.raises(IntegrityError):
        steps.model().objects.create(name="d", length=30)
    steps.undo()
    with pytest.raises(IntegrityError):
        steps.model().objects.create(name="e", size=1)
    with pytest.raises(IntegrityError):
        steps.model().objects.create(name="d", size=40)


def test_removed_column_when_in_a_condition_then_its_index_is_dropped(steps):
    steps.apply(migrations.AddIndex("item", models.Index(fields=["name"], condition=Q(size__gt=1), name="i")))
    both = models.UniqueConstraint(fields=["name"], condition=Q(size__gt=1, size__isnull=False), name="u")
    steps.apply(migrations.AddConstraint("item", both))
    steps.apply(migrations.RemoveField("item", "size"))
    assert indexes() == {"name_idx": {"name": 1}}


def test_column_when_its_type_changes_then_rows_stay_unique(steps):
    unique = models.UniqueConstraint(fields=["name", "size"], condition=Q(name__gt=""), name="u")
    steps.apply(migrations.AddConstraint("item", unique))
    steps.apply(migrations.AlterField("item", "size", models.CharField(max_length=5, null=True)))
    with pytest.raises(IntegrityError):
        steps.model().objects.create(name="a", size="1")
    steps.model().objects.create(name="c", size=None)
    steps.undo()
    with pytest.raises(IntegrityError):
        steps.model().objects.create(name="a", size=1)


def test_column_when_a_condition_has_its_values_then_its_type_stays(steps):
    unique = models.UniqueConstraint(fields=["name"], condition=Q(size__gt=1), name="u")
    steps.apply(migrations.AddConstraint("item", unique))
    steps.apply(migrations.AlterField("item", "size", models.FloatField(null=True)))
    with pytest.raises(NotSupportedError, match="condition of the index u"):
        steps.apply(migrations.AlterField("item", "size", models.CharField(max_length=5, null=True)))
    with pytest.raises(IntegrityError):
        steps.model().objects.create(name="b", size=5)


def test_unique_field_when_altered_then_its_unique_constraints_stay(steps):
    steps.apply(migrations.AlterField("item", "name", models.CharField(max_length=10, unique=True)))
    steps.apply(migrations.AlterUniqueTogether("item", [("name", "size")]))
    for fields in (["name"], ["name", "size"]):
        unique = models.UniqueConstraint(fields=fields, condition=Q(size__gt=1), name="_".join(fields))
        steps.apply(migrations.AddConstraint("item", unique))
    assert set(indexes()) == {"name", "name_size", "name_uniq", "name_size_uniq"}
    steps.apply(migrations.AlterUniqueTogether("item", []))
    steps.apply(migrations.AlterField("item", "name", models.CharField(max_length=10)))
    assert set(indexes()) == {"name", "name_size"}


def test_unique_index_when_rows_are_duplicates_then_integrity_error(steps):
    steps.model().objects.create(name="a")
    with pytest.raises(IntegrityError):
        steps.apply(migrations.AddConstraint("item", models.UniqueConstraint(fields=["name"], name="u")))


@pytest.mark.parametrize(
    "constraint",
    [
        models.UniqueConstraint(models.functions.Lower("name"), name="u"),
        models.UniqueConstraint(fields=["name"], condition=~Q(size=1), name="u"),
        models.UniqueConstraint(fields=["name"], condition=Q(size=1) | Q(size=2), name="u"),
        models.UniqueConstraint(fields=["name"], deferrable=models.Deferrable.DEFERRED, name="u"),
        models.UniqueConstraint(fields=["name"], condition=Q(extra__isnull=False), name="u"),
    ],
)
def test_constraint_when_mongodb_cannot_hold_it_then_it_is_unsupported(steps, constraint):
    steps.apply(migrations.AddField("item", "extra", models.JSONField(null=True)))
    with pytest.raises(NotSupportedError):
        steps.apply(migrations.AddConstraint("item", constraint))


def test_relations_and_table_when_renamed_then_rows_stay(steps):
    steps.apply(migrations.AddField("item", "parent", models.ForeignKey("self", models.CASCADE, null=True)))
    steps.apply(migrations.AddField("item", "friends", models.ManyToManyField("self")))
    first, second = steps.model().objects.order_by("name")[:2]
    first.friends.add(second)
    second.parent = first
    second.save()
    steps.apply(migrations.RenameModel("Item", "Thing"))
    thing = steps.model("Thing").objects.get(name="b")
    assert thing.parent.name == "a"
    assert [friend.name for friend in thing.friends.all()] == ["a"]
    assert thing.pk == second.pk
    # The counter was renamed with the table.
    assert steps.model("Thing").objects.create(name="next").pk == 4
    for _ in range(3):
        steps.undo()
    assert rows(steps, "name") == [("a",), ("b",), ("c",), ("next",)]


def test_raw_sql_when_in_a_migration_then_it_is_unsupported(steps):
    with pytest.raises(NotSupportedError, match="raw SQL"):
        steps.apply(migrations.RunSQL("SELECT 2"))
