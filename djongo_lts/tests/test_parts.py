"""IN lists that do not fit into one command: the answers are those of one command, for all places of the list."""

import bson
import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.db.models import Avg, Count, Exists, F, Max, Min, OuterRef, Q, Sum

from djongo_lts.parts import ELEMENT_BYTES, cut_filter

from .testapp import make
from .testapp.models import Message, Room, Tag

CUT = 16 * ELEMENT_BYTES


@pytest.fixture
def chat(mongo):
    """40 messages in 10 rooms, with nulls, equal values, replies, authors and tags."""
    rooms = [Room.objects.create(name=f"room {n}", rank=None if n % 4 == 0 else n % 3) for n in range(10)]
    authors = [User.objects.create_user(f"user {n}") for n in range(3)]
    made = [
        make.message(
            rooms[n % 10],
            n,
            content=f"message {n % 7}",
            note=None if n % 3 == 0 else f"n{n % 5}",
            score=None if n % 5 == 0 else n / 4,
            price=None if n % 2 else n,
            author=None if n % 6 == 0 else authors[n % 3],
            meta={"n": n},
        )
        for n in range(40)
    ]
    Message.objects.bulk_create(made)
    for message in made[10:]:
        message.reply_to = made[message.seq % 10]
    Message.objects.bulk_update(made[10:], ["reply_to"])
    for tag in [Tag.objects.create(name=name) for name in "ab"]:
        tag.messages.add(*made[::3])
    return made


def large(chat):
    """Conditions with lists that are cut, below AND, OR and NOT, given and from subqueries."""
    pks, seqs = [m.pk for m in chat[5:30]], list(range(0, 60, 2))
    early = Message.objects.filter(seq__lt=25)
    return [
        ~Q(pk__in=pks),
        Q(seq__in=seqs, pk__in=pks),
        Q(seq__in=seqs) | Q(pk__in=pks),
        Q(pk__in=pks[:15]) | ~Q(pk__in=pks[5:]),
        ~Q(reply_to__in=early),
        Q(note__in=[f"n{n}" for n in range(0, 40, 2)] + ["", "ü"]),
        ~Q(note__in=[f"n{n}" for n in range(0, 40, 2)] + ["", "ü"]),
        Q(price__in=list(range(0, 80, 4))),
        Q(at__in=[m.at for m in chat[3:20]]),
        ~Q(room__name__in=[f"room {n}" for n in range(2, 22)]),
        ~Q(Exists(early.filter(reply_to=OuterRef("pk")))),
        Q(tags__in=[*range(-30, 0), *Tag.objects.values_list("pk", flat=True)]),
        Q(author__username__in=[f"user {n}" for n in range(1, 22)]) | Q(author=None),
    ]


def answers(condition):
    """What many kinds of queries answer, by their name."""
    found = Message.objects.filter(condition)
    return {
        "order": list(found.order_by("-note", "price", "pk").values_list("seq", "price")),
        "related": [(m.seq, m.room.name) for m in found.select_related("room").order_by("-seq")[2:9]],
        "computed": list(found.order_by(F("seq") * -1, "pk").values_list("seq", flat=True)[1:6]),
        "slice": list(found.order_by("author", "-seq")[3:9].values_list("pk", flat=True)),
        "unordered slice": len(found[4:11]),
        "count": found.count(),
        "sliced count": found.order_by("seq")[5:12].count(),
        "exists": (found.exists(), found[30:].exists(), found.filter(seq=7).exists()),
        "distinct": list(
            found.values_list("note", "room__rank").distinct().order_by("note", "room__rank")[1:]
        ),
        "distinct count": found.values("score").distinct().count(),
        "aggregate": found.aggregate(
            Sum("seq"),
            Avg("score"),
            Avg("price"),
            Min("at"),
            Max("note"),
            Count("note", distinct=True),
            Sum("price"),
            rest=Count("pk", filter=Q(seq__gt=9)),
            none=Sum("seq", filter=Q(seq=-1), default=5),
        ),
        "groups": list(
            found.values("room__rank")
            .annotate(Count("pk"), Avg("score"), Max("price"))
            .order_by("-room__rank")
        ),
        "having": list(
            found.values("note")
            .annotate(n=Count("room", distinct=True))
            .filter(n__gt=2)
            .order_by("-n", "note")
        ),
        "aggregate of groups": found.values("note").annotate(n=Sum("seq")).aggregate(Max("n"), Avg("n")),
        "aggregate of a slice": found.order_by("-seq")[2:8].aggregate(Sum("seq"), Avg("seq")),
        "nested": Room.objects.filter(pk__in=found.values("room")).count(),
    }


@pytest.mark.parametrize("number", range(13))
def test_query_when_lists_are_cut_then_it_is_as_in_one_command(chat, monkeypatch, number):
    conditions = large(chat)
    assert len(conditions) == 13
    condition = conditions[number]
    whole = answers(condition)
    assert whole["count"] > 0
    with monkeypatch.context() as patch:
        patch.setattr(connections["default"], "max_list_bytes", CUT)
        for name, found in answers(condition).items():
            assert found == whole[name], name
    matching = set(Message.objects.filter(condition).values_list("pk", flat=True))
    before = dict(Message.objects.values_list("pk", "seq"))
    monkeypatch.setattr(connections["default"], "max_list_bytes", CUT)
    # Each row moves into the range of another part, which must not change it again.
    assert Message.objects.filter(condition).update(seq=F("seq") + 12, at=make.NOON) == len(matching)
    after = {pk: seq + 12 * (pk in matching) for pk, seq in before.items()}
    assert dict(Message.objects.values_list("pk", "seq")) == after
    doomed = Message.objects.filter(~Q(pk__in=list(matching)), pk__in=list(before), tags=None)
    # Without the cascade, which asks for the primary keys first.
    gone = set(doomed.values_list("pk", flat=True))
    assert (doomed._raw_delete("default") or 0) == len(gone)
    assert set(Message.objects.values_list("pk", flat=True)) == before.keys() - gone


def test_filter_when_cut_then_each_part_keeps_to_the_bound():
    ids = [f"{n:016}" for n in range(5000)]
    where = {
        "$or": [
            {"_id": {"$in": ids[:3000]}},
            {"$nor": [{"_id": {"$in": ids[2000:]}, "n": {"$in": [*range(900)]}}]},
        ]
    }
    parts = cut_filter(where, 20_000)
    assert all(len(bson.encode(part)) < 20_500 for part in parts)


def test_list_when_above_16_mib_then_reads_and_writes_run(chat):
    texts = [*(f"{n} " + "x" * 100_000 for n in range(200)), "message 1", "message 2"]
    assert len(bson.encode({"$in": texts})) > 16 * 1024 * 1024
    found = Message.objects.filter(content__in=texts)
    assert [m.seq for m in found.order_by("-seq")[:3]] == [37, 36, 30]
    assert found.count() == 12
    assert Message.objects.exclude(content__in=texts).count() == 28
    assert found.update(note="x") == 12
    assert Message.objects.filter(note="x").count() == 12
    assert found._raw_delete("default") == 12
