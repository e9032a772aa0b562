"""Queries: commands that use an index, correct answers, and NotSupportedError without a correct translation."""

import os
import subprocess
import sys
import uuid

import bson
import pytest
from django.contrib.auth.models import User
from django.db import NotSupportedError, connection, connections
from django.db.models import (
    Avg,
    Case,
    CharField,
    Count,
    F,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.expressions import NegatedExpression
from django.db.models.functions import Cast, Greatest, Lower, RowNumber
from django.db.models.lookups import Contains, IExact
from django.test.utils import CaptureQueriesContext

from djongo_lts.testing import plans, scans

from .testapp import make
from .testapp.models import Message, Room, Tag

SPECIAL_TEXTS = [
    ".*",
    "a.b",
    "+",
    "(",
    "[a]",
    "{2}",
    "^",
    "$",
    "|",
    "\\",
    "%",
    "_",
    "\0",
    "\n",
    '{"$gt": ""}',
    "$ne",
    "'\"",
]


# --- special characters in text are literal


@pytest.mark.parametrize("text", SPECIAL_TEXTS)
def test_text_lookup_when_text_has_special_characters_then_it_is_literal(room, text):
    make.message(room, 1, content=f"x{text}y").save()
    make.message(room, 2, content="xy").save()
    make.message(room, 3, content=f"{text}").save()
    make.message(room, 4, content=f"{text}\n").save()

    def found(**lookup):
        return list(Message.objects.filter(**lookup).order_by("seq").values_list("seq", flat=True))

    assert found(content__contains=text) == found(content__icontains=text) == [1, 3, 4]
    assert found(content__startswith=text) == found(content__istartswith=text) == [3, 4]
    assert 4 not in found(content__endswith=f"x{text}")
    assert found(content__endswith=f"{text}y") == [1]
    assert found(content=text) == found(content__iexact=text) == found(content__in=[text]) == [3]
    assert found(content__gte=text, content__lte=text) == [3]


def test_text_lookup_when_the_field_is_a_number_then_digits_match(room):
    for rank in (18, 81, -180, None):
        Room.objects.create(name=f"{rank}", rank=rank)

    def found(**lookup):
        return set(Room.objects.filter(**lookup).exclude(pk=room.pk).values_list("rank", flat=True))

    assert found(rank__icontains="18") == {18, -180}
    assert found(rank__startswith="1") == {18}
    assert found(rank__endswith="0") == {-180}
    assert found(rank__contains=".") == set()
    searched = Room.objects.exclude(rank__contains="8").exclude(pk=room.pk)
    assert list(searched.values_list("rank", flat=True)) == [None]
    as_text = Room.objects.alias(text=Cast("rank", CharField()))
    assert [found.rank for found in as_text.filter(text__exact="18")] == [18]
    # A null matches neither the filter nor its negation.
    assert as_text.exclude(text__exact="18").count() == 2


def test_iexact_when_the_field_is_a_number_or_uuid_then_its_text_matches(room):
    first, second = (Room.objects.create(name="n", rank=rank) for rank in (18, None))

    def found(**lookup):
        return set(Room.objects.filter(name="n", **lookup).values_list("pk", flat=True))

    assert found(rank__iexact="18") == {first.pk}
    assert found(rank__iexact="018") == found(rank__iexact="x") == found(rank__iexact=str(2**70)) == set()
    assert found(pk__iexact=str(first.pk).upper()) == found(pk__iexact=first.pk.hex) == {first.pk}
    assert found(pk__iexact=f"{{{first.pk}}}") == found(pk__iexact=first.pk.urn) == set()
    # A null is unknown, so it matches neither a lookup nor its negation.
    unequal = NegatedExpression(IExact(F("rank"), "x"))
    assert set(Room.objects.filter(unequal, name="n")) == {first}
    assert set(Room.objects.exclude(rank__iexact="x").filter(name="n")) == {first, second}


def test_exclude_when_one_side_of_or_is_unknown_then_it_matches_not(room):
    notes = [None, "x", "y"]
    Message.objects.bulk_create([make.message(room, seq, note=note) for seq, note in enumerate(notes)])
    # For the null this is NOT (unknown OR false).
    assert not Message.objects.exclude(Q(Contains(F("note"), "x")) | Q(note__isnull=False)).exists()
    # And this NOT (unknown AND false).
    both = Message.objects.exclude(Q(Contains(F("note"), "x")) & Q(note__isnull=False))
    assert set(both.values_list("note", flat=True)) == {None, "y"}


@pytest.mark.parametrize("field", ["score", "price", "at", "alarm", "took", "pinned", "room__founded"])
@pytest.mark.parametrize("lookup", ["iexact", "contains", "istartswith", "endswith", "regex"])
def test_text_lookup_when_texts_differ_by_database_then_it_is_unsupported(messages, field, lookup):
    with pytest.raises(NotSupportedError, match=f"{lookup} on"):
        Message.objects.filter(**{f"{field}__{lookup}": "1"}).exists()


@pytest.mark.parametrize("text", SPECIAL_TEXTS)
def test_update_when_text_has_special_characters_then_it_is_literal(messages, text):
    Message.objects.filter(seq=1).update(note=text)
    # This update is a pipeline, in which "$x" could be read as a field path.
    Message.objects.filter(seq=2).update(note=text, seq=F("seq") + 100)
    chosen = Case(When(pk=messages[3].pk, then=Value(text)), default=F("content"))
    Message.objects.filter(pk=messages[3].pk).update(content=chosen)
    assert set(Message.objects.filter(note=text).values_list("seq", flat=True)) == {1, 102}
    assert Message.objects.get(pk=messages[3].pk).content == text


# --- commands


def executed_commands(call) -> list[str]:
    commands = []

    def keep(execute, sql, params, many, context):
        commands.append(str(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        call()
    return commands


def test_frequent_queries_when_explained_then_each_uses_an_index(messages):
    room, author = messages[0].room, User.objects.create_user("ann")
    with plans(connection) as seen:
        list(Message.objects.filter(room=room, seq__gte=5, seq__lt=15).order_by("seq")[:10])
        list(Message.objects.filter(room=room, seq__in=[1, 2, 3]))
        list(Message.objects.filter(pk__in=[m.pk for m in messages[:3]]))
        Message.objects.filter(room=room, seq__gt=3).count()
        Message.objects.filter(room=room, seq=3).exists()
        Message.objects.filter(room=room, author=author, client_id="x").exists()
        list(Message.objects.filter(author=author).order_by("-at")[:5])
        list(Message.objects.filter(room=room).values("room_id").annotate(Max("seq"), Count("pk")))
        list(Message.objects.filter(room=room, seq__lt=9).select_related("author", "room").order_by("seq"))
        Room.objects.filter(slug="x").exists()
        User.objects.get(username="ann")
    assert len(seen) == 11
    for text, plan in seen:
        assert not scans(plan), text


def test_plans_when_no_index_fits_then_the_scan_is_reported(messages):
    with plans(connection) as seen:
        Message.objects.filter(note="x").count()
    assert scans(seen[0][1])
    assert "COLLSCAN" in Message.objects.filter(note="x").explain()
    assert "IXSCAN" in Message.objects.filter(room=messages[0].room, seq=1).explain()


def test_simple_filters_when_compiled_then_operators_are_native(messages):
    room = messages[0].room
    keyset, pairs = Q(seq__lt=20) | Q(seq=20, id__lt=messages[20].pk), Q()
    for seq in range(200):
        pairs |= Q(room=room, seq=seq)
    texts = executed_commands(
        lambda: [
            list(Message.objects.filter(room=room, seq__gte=1, seq__lt=3).order_by("seq")[:2]),
            list(Message.objects.exclude(content="x").filter(note__isnull=True, content__startswith="m")),
            list(Message.objects.filter(pairs)),
            list(Message.objects.filter(room=room).filter(keyset).order_by("-seq", "-id")[:10]),
            Message.objects.filter(at__date=make.NOON.date()).count(),
            Message.objects.filter(at__year=2024).exists(),
            Message.objects.filter(room=room, seq=1).update(note="x"),
            Message.objects.filter(room=room, seq=2).delete(),
            list(Message.objects.filter(room__in=Room.objects.filter(name="room"))),
        ]
    )
    assert not [text for text in texts if "$expr" in text or "$where" in text]
    assert f"find({{'room_id': {room.pk!r}, 'seq': {{'$gte': 1, '$lt': 3}}}}" in texts[0]
    assert "{'sort': {'seq': 1}, 'limit': 2}" in texts[0]
    assert not [text for text in texts if "aggregate(" in text]


def test_conditional_update_when_run_then_one_command_counts_matches(messages):
    first = Message.objects.filter(pk=messages[5].pk)
    commands = executed_commands(
        lambda: [first.filter(score__isnull=True).update(score=1), first.filter(score=7).update(score=2)]
    )
    assert len(commands) == 2
    assert all("update_many" in command for command in commands)
    # It counts matches, although nothing changes.
    assert first.filter(score=1).update(score=1) == 1
    assert first.filter(score__lt=1).update(score=3) == 0


def test_watermarks_when_many_are_raised_then_one_update_never_lowers(messages):
    rows = messages[:3]
    Message.objects.filter(pk=rows[1].pk).update(seq=5000)
    raised = Case(*[When(pk=row.pk, then=Value(1000 + i)) for i, row in enumerate(rows)], default=F("seq"))
    notes = Case(*[When(pk=row.pk, then=Value(f"$n{i}")) for i, row in enumerate(rows)], default=F("note"))
    wanted = Message.objects.filter(pk__in=[row.pk for row in messages[:4]])
    commands = executed_commands(lambda: wanted.update(seq=Greatest(F("seq"), raised), note=notes))
    assert len(commands) == 1
    found = dict(Message.objects.filter(pk__in=[row.pk for row in messages[:4]]).values_list("seq", "note"))
    assert found == {1000: "$n0", 5000: "$n1", 1002: "$n2", 3: None}


def test_bulk_update_when_some_values_are_null_then_all_are_stored(messages):
    for message in messages[:5]:
        message.note, message.content = f"$note {message.seq}", "changed"
    messages[4].note = None
    assert Message.objects.bulk_update(messages[:5], ["note", "content"]) == 5
    assert list(Message.objects.filter(content="changed").order_by("seq").values_list("note", flat=True)) == [
        *[f"$note {seq}" for seq in range(4)],
        None,
    ]


def test_bulk_update_when_above_16_mib_then_each_command_fits(messages):
    for message in messages:
        message.content, message.meta = f"{message.seq} " + "x" * 500_000, {"text": "y" * 500_000}
    sizes = []

    def measure(execute, sql, params, many, context):
        sizes.append(len(bson.encode(sql.explainable(), codec_options=connection.connection.codec_options)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(measure):
        assert Message.objects.bulk_update(messages, ["content", "meta"]) == 30
    assert sum(sizes) > 16 * 1024 * 1024 > max(sizes)
    stored = Message.objects.order_by("seq").values_list("content", "meta")
    assert list(stored) == [(message.content, message.meta) for message in messages]


def test_select_related_when_a_row_is_missing_then_one_command_gives_none(messages):
    author = User.objects.create_user("ann")
    Message.objects.filter(seq__lt=3).update(author=author)

    def page():
        found = Message.objects.filter(room=messages[0].room, seq__lt=6).select_related("author", "room")
        return [(m.room.name, m.author and m.author.username) for m in found.order_by("seq")]

    assert len(executed_commands(page)) == 1
    assert page() == [("room", "ann")] * 3 + [("room", None)] * 3


def test_delete_when_rows_refer_to_it_then_they_cascade_or_become_null(messages):
    tag = Tag.objects.create(name="t")
    messages[0].tags.add(tag)
    Message.objects.filter(seq=1).update(reply_to=messages[0])
    messages[0].delete()
    assert Message.objects.get(seq=1).reply_to is None
    assert Message.tags.through.objects.count() == 0
    count, by_model = messages[1].room.delete()
    assert by_model == {"testapp.Message": 29, "testapp.Room": 1}
    assert count == 30


def test_aggregate_when_rows_are_grouped_or_sliced_then_it_covers_those(messages):
    messages[0].tags.set([Tag.objects.create(name=name) for name in "abc"])
    assert Message.objects.annotate(n=Count("tags")).aggregate(Avg("n"), Max("n")) == {
        "n__avg": 0.1,
        "n__max": 3,
    }
    assert Message.objects.order_by("seq")[:5].aggregate(Sum("seq")) == {"seq__sum": 10}
    assert Message.objects.filter(tags__isnull=False).distinct().aggregate(Max("at")) == {
        "at__max": make.NOON
    }


def test_group_when_the_model_has_ordering_then_groups_stay_whole(messages):
    tags = [Tag.objects.create(name=name) for name in "cab"]
    for tag in tags:
        tag.messages.add(messages[0])
    assert [tag.name for tag in Tag.objects.all()] == ["a", "b", "c"]
    grouped = Tag.objects.values("messages__room").annotate(n=Count("pk"))
    assert list(grouped) == [{"messages__room": messages[0].room_id, "n": 3}]


# --- unsupported queries


@pytest.mark.parametrize(
    ("shape", "query"),
    [
        ("select_for_update", lambda: Message.objects.select_for_update().first()),
        ("select_for_update", lambda: Room.objects.update_or_create(name="x")),
        ("union", lambda: list(Room.objects.all().union(Room.objects.all()))),
        ("distinct() on fields", lambda: list(Room.objects.distinct("name"))),
        ("Subquery", lambda: list(Room.objects.annotate(x=Subquery(Message.objects.values("seq")[:1])))),
        ("correlated", lambda: list(Room.objects.filter(pk__in=Message.objects.filter(note=OuterRef("name"))))),
        ("window", lambda: list(Room.objects.annotate(x=Window(RowNumber())).filter(x=1))),
        ("Window", lambda: list(Room.objects.annotate(x=Window(RowNumber())))),
        ("Lower", lambda: list(Room.objects.order_by(Lower("name")))),
        ("Random", lambda: list(Room.objects.order_by("?"))),
        ("JSON", lambda: list(Message.objects.filter(meta={"a": 1}))),
        ("KeyTransform", lambda: list(Message.objects.filter(meta__a=1))),
        ("XOR", lambda: list(Message.objects.filter(Q(seq=1) ^ Q(seq=2)))),
        ("raw SQL", lambda: list(Room.objects.raw("SELECT 1"))),
        ("regex on IntegerField", lambda: list(Room.objects.filter(rank__regex="1"))),
        ("nulls", lambda: list(Room.objects.order_by(F("rank").asc(nulls_last=True)))),
        ("Sum over distinct", lambda: Message.objects.aggregate(Sum("seq", distinct=True))),
        (
            "When() with a condition other than pk",
            lambda: Message.objects.update(seq=Case(When(seq=1, then=2), default=F("seq"))),
        ),
        (
            "Greatest() of a nullable expression",
            lambda: Message.objects.update(score=Greatest(F("seq"), F("score"))),
        ),
        ("_id", lambda: Room.objects.update(id=uuid.uuid4())),
        ("select_for_update()", lambda: Room.objects.select_for_update().exists()),
        ("extra()", lambda: list(Room.objects.extra(tables=["auth_user"]))),
    ],
)  # fmt: skip
def test_query_when_it_has_no_correct_translation_then_it_is_unsupported(room, shape, query):
    with pytest.raises(NotSupportedError) as raised:
        query()
    assert shape in str(raised.value)


def test_raw_sql_when_given_to_the_cursor_then_it_is_unsupported(mongo):
    with connection.cursor() as cursor:
        for call in (cursor.execute, lambda sql: cursor.executemany(sql, [])):
            with pytest.raises(NotSupportedError, match="raw SQL"):
                call("SELECT 1")
        assert not hasattr(cursor, "no_such_collection")


def test_djongos_translator_when_queries_run_then_it_is_never_called(messages):
    called = []

    def watch(frame, event, argument):
        if event == "call" and "djongo/sql2mongo" in frame.f_code.co_filename:
            called.append(frame.f_code.co_qualname)

    sys.setprofile(watch)
    try:
        list(Message.objects.filter(content__icontains="m").select_related("room").order_by("-at")[:3])
        list(Message.objects.values("room").annotate(Count("pk")))
        Message.objects.filter(seq=1).update(seq=F("seq") + 100)
        messages[3].save()
        messages[4].delete()
        str(Message.objects.all().query)
    finally:
        sys.setprofile(None)
    assert called == []


def test_count_and_exists_when_on_one_collection_then_one_command_each(messages):
    with CaptureQueriesContext(connection) as logged:
        assert Message.objects.filter(seq__gte=20).order_by("at").count() == 10
        assert Message.objects.filter(seq__gte=20).exists()
        assert not Message.objects.filter(seq=30).exists()
        assert Message.objects.none().count() == 0
        assert Message.objects.select_related("room").select_for_update().count() == 30
    names = [query["sql"].removeprefix("db.testapp_message.").split("(")[0] for query in logged]
    assert names == ["count_documents"] * 4


def test_count_and_exists_when_sliced_or_joined_then_they_are_right(messages):
    assert Message.objects.all()[25:].count() == Message.objects.all()[5:10].count() == 5
    assert Message.objects.all()[29:].exists()
    assert not Message.objects.all()[30:].exists()
    assert Message.objects.filter(room__name="room").count() == 30
    assert not Message.objects.filter(room__name="other").exists()
    assert Message.objects.values("room").distinct().count() == 1
    assert Message.objects.annotate(double=F("seq") * 2).filter(double__gt=50).count() == 4


def test_count_when_the_database_is_sqlite_then_it_runs_sql(mongo):
    with CaptureQueriesContext(connections["sqlite"]) as logged:
        assert Room.objects.using("sqlite").count() == 0
        assert not Room.objects.using("sqlite").exists()
    assert [query["sql"].split()[0] for query in logged] == ["SELECT", "SELECT"]


def test_count_when_only_sqlite_is_used_then_djangos_query_is_untouched():
    script = (
        "import django; from django.db.models.sql.query import Query\n"
        "counted, has_results = Query.get_count, Query.has_results\n"
        "django.setup()\n"
        "from django.db import connections\n"
        "from djongo_lts.tests.testapp.models import Room\n"
        "import djongo_lts.base\n"
        "connections['sqlite'].cursor().execute('CREATE TABLE testapp_room (_id)')\n"
        "assert Room.objects.using('sqlite').count() == 0\n"
        "assert (Query.get_count, Query.has_results) == (counted, has_results)\n"
        "connections['default'].ensure_connection()\n"
        "assert Query.get_count is not counted\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "djongo_lts.tests.settings"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_order_when_columns_and_expressions_mix_then_rows_follow_it(messages):
    Message.objects.filter(seq__lt=3).update(note="a")
    assert [m.seq for m in Message.objects.order_by("-note", "-seq")[:4]] == [2, 1, 0, 29]
    assert [m.seq for m in Message.objects.order_by("room__name", "-seq")[:2]] == [29, 28]
    assert [m.seq for m in Message.objects.order_by(F("seq").desc(), "at").reverse()[:2]] == [0, 1]
    assert Message.objects.order_by("seq").last().seq == Message.objects.order_by("-seq").first().seq == 29


def test_order_when_filtered_by_a_list_then_its_order_is_ignored(mongo):
    tags = Tag.objects.bulk_create([Tag(name=name) for name in "abc"])
    asked = Tag.objects.filter(pk__in=[tags[2].pk, tags[0].pk, tags[1].pk])
    assert list(asked.order_by("pk")) == tags
    assert list(asked.order_by("-pk")) == tags[::-1]


def test_subquery_when_on_another_database_then_value_error(mongo):
    with pytest.raises(ValueError, match="different databases"):
        list(Room.objects.filter(pk__in=Room.objects.using("sqlite").filter(name="x")))
