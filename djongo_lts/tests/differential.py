"""Runs random ORM queries on SQLite and on MongoDB. Both must give the same answer, or MongoDB NotSupportedError.

`python -m djongo_lts.tests.differential --queries 20000 --seed 5`
"""

import argparse
import datetime
import math
import os
import random
import re
import sys
import uuid
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo

MONGO, SQLITE = "default", "sqlite"
HOSTILE = [
    "", "a", "b", "ab", "a.b", "a+b", ".*", "^a", "b$", "(a", "[a]", "{a}", "a|b", "a\\b", "\\", "%", "a%b", "_",
    "a_b", '{"$gt": ""}', "$content", "$ne", "'", '"', "a\nb", "ab\n", "\n", " a ", "é", "日本", "?", "*", "a{2}",
    "null", "#a",
]  # fmt: skip
NAMES = [
    "Ann",
    "ann",
    "BOB",
    "bob.b",
    "Zoë",
    "x%y",
    "Room (1)",
    "room [2]",
    "a_b",
    "C:\\d",
    "$where",
    "",
    "Ab",
    "aB",
]
# Texts to look up in columns that are not text.
DIGITS = [
    "",
    "0",
    "1",
    "1.0",
    "1.5",
    "01",
    "-3",
    "10",
    ".",
    "e",
    " 1",
    "%",
    "2024",
    "2024-01-01",
    "00:",
    "true",
    "9" * 20,
]
ZONES = ["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "UTC", "America/New_York"]
START = datetime.datetime(2023, 12, 20, 21, 30, tzinfo=datetime.UTC)


@dataclass
class Report:
    """The number of queries by outcome. `unsupported` counts by shape; `wrong` describes each wrong answer."""

    right: int = 0
    both_failed: int = 0
    unsupported: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"right {self.right}, unsupported {self.unsupported.total()}, error on both {self.both_failed}, "
            f"wrong {len(self.wrong)}"
        ]
        lines += [f"  unsupported {count:5}  {shape}" for shape, count in self.unsupported.most_common()]
        lines += [f"  WRONG {case}" for case in self.wrong[:20]]
        return "\n".join(lines)


# --- the same data in both databases


def populate(rng: random.Random, messages: int = 40) -> None:
    """Replaces the rows of both databases by the same random rows."""
    from django.contrib.auth.models import User

    from .testapp.models import Message, Room, Tag

    def moment():
        return START + datetime.timedelta(milliseconds=rng.randrange(120 * 86_400_000))

    def maybe(value):
        return None if rng.random() < 0.3 else value

    def identity():
        return uuid.UUID(int=rng.getrandbits(128))

    through = Message.tags.through
    for alias in (MONGO, SQLITE):
        for model in (through, Message, Room, Tag, User):
            model.objects.using(alias).all().delete()
    users = [
        User(id=i, username=f"{name}{i}", is_active=i % 3 > 0, date_joined=START)
        for i, name in enumerate(NAMES[:5], 1)
    ]
    tags = [Tag(id=i, name=name) for i, name in enumerate(HOSTILE[1:7], 1)]
    rooms = [
        Room(
            id=identity(),
            name=rng.choice(NAMES),
            slug=maybe(f"slug-{i}"),
            rank=maybe(rng.randrange(5)),
            open=rng.random() < 0.5,
            founded=maybe(moment().date()),
        )
        for i in range(8)
    ]
    rows: list = []
    for i in range(messages):
        rows.append(
            Message(
                id=identity(),
                room=rng.choice(rooms[:6]),
                author_id=maybe(rng.randrange(1, 5)),
                reply_to=maybe(rng.choice(rows)) if rows else None,
                seq=i if rng.random() < 0.9 else 2**40 + i,
                content=rng.choice(HOSTILE),
                note=maybe(rng.choice(NAMES)),
                client_id=maybe(f"c{i}"),
                score=maybe(rng.choice([0.0, 1.5, 2.0, -3.25, 10.0])),
                price=maybe(Decimal(rng.randrange(-500, 500)) / 4),
                meta={"n": i, "$x": [1, None], "a.b": {}},
                at=moment(),
                edited=maybe(moment()),
                alarm=maybe(datetime.time(rng.randrange(24), rng.randrange(60))),
                took=maybe(datetime.timedelta(seconds=rng.randrange(10_000))),
            )
        )
    links = [(m.pk, t.pk) for m in rows for t in rng.sample(tags[:5], rng.randrange(3))]
    for alias in (MONGO, SQLITE):
        for model, objects in ((User, users), (Tag, tags), (Room, rooms), (Message, rows)):
            for instance in objects:
                instance._state.db = None
            model.objects.using(alias).bulk_create(objects)
        through.objects.using(alias).bulk_create([through(message_id=m, tag_id=t) for m, t in links])


# --- random queries

TEXT, NUMBER, BOOL, MOMENT, DAY, ID, SPAN = "text", "number", "bool", "moment", "day", "id", "span"
MESSAGE = {
    "content": TEXT, "note": TEXT, "client_id": TEXT, "seq": NUMBER, "score": NUMBER, "price": NUMBER,
    "pinned": BOOL, "at": MOMENT, "edited": MOMENT, "took": SPAN, "id": ID, "room": ID, "reply_to": ID,
}  # fmt: skip
ROOM = {"name": TEXT, "slug": TEXT, "rank": NUMBER, "open": BOOL, "founded": DAY, "id": ID}
USER = {"username": TEXT, "is_active": BOOL, "id": NUMBER}
TAG = {"name": TEXT, "id": NUMBER}


def fields_of(model: str) -> dict[str, str]:
    def below(prefix, fields):
        return {f"{prefix}__{name}": kind for name, kind in fields.items()}

    if model == "Message":
        joined = below("room", ROOM) | below("author", USER) | below("tags", TAG)
        return MESSAGE | joined | below("reply_to", {k: MESSAGE[k] for k in ("content", "seq", "edited")})
    if model == "Room":
        return ROOM | below("messages", {k: MESSAGE[k] for k in ("content", "seq", "note", "at", "score")})
    return USER | below("messages", {k: MESSAGE[k] for k in ("content", "seq", "score")})


class Shape:
    """One random query. The same seed builds the same query for both databases; `steps` describes it."""

    def __init__(self, seed: str, ids: list[uuid.UUID]):
        self.rng, self.ids, self.steps = random.Random(seed), ids, []

    def pick(self, *options):
        return self.rng.choice(options)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def value(self, kind: str):
        rng = self.rng
        if kind == TEXT:
            return rng.choice(HOSTILE + NAMES)
        if kind == NUMBER:
            return rng.choice([-1, 0, 1, 2, 3, 5, 10, 30, 2**40, 2**70])
        if kind == BOOL:
            return self.chance(0.5)
        if kind == ID:
            return rng.choice(self.ids)
        if kind == SPAN:
            return datetime.timedelta(seconds=rng.randrange(10_000))
        moment = START + datetime.timedelta(milliseconds=rng.randrange(120 * 86_400_000))
        return moment if kind == MOMENT else moment.date()

    def atom(self, model: str):
        from django.db.models import F, Q

        fields = fields_of(model)
        name = self.rng.choice(list(fields))
        kind = fields[name]
        if self.chance(0.12):
            return Q(**{f"{name}__isnull": self.chance(0.5)})
        if kind == NUMBER and self.chance(0.1):
            other = self.rng.choice([n for n, k in fields.items() if k == NUMBER])
            right = F(other) + self.pick(0, 1, -2) if self.chance(0.5) else F(other)
            return Q(**{f"{name}__{self.pick('exact', 'gt', 'lte')}": right})
        if self.chance({TEXT: 0, NUMBER: 0.08, ID: 0.05}.get(kind, 0.01)):
            return self.text_of_another_type(name, kind)
        if kind == TEXT:
            lookup = self.pick("exact", "iexact", "contains", "icontains", "startswith", "istartswith", "endswith",
                               "iendswith", "gt", "lte", "in", "range")  # fmt: skip
            if lookup in ("contains", "startswith", "endswith"):
                # SQLite's LIKE ignores the case of ASCII letters, so only these texts are compared by case.
                text = self.rng.choice(HOSTILE)
                return (
                    Q(**{f"{name}__{lookup}": text})
                    if name.endswith("content")
                    else Q(**{f"{name}__i{lookup}": text})
                )
        elif kind == BOOL:
            lookup = "exact"
        elif kind == ID:
            if self.chance(0.15):
                return self.subquery(model, name)
            lookup = self.pick("exact", "in", "gt", "lte")
        elif kind in (MOMENT, DAY) and self.chance(0.5):
            part = self.pick(
                "year", "month", "day", "week_day", "week", "iso_year", "quarter", "iso_week_day"
            )
            if kind == MOMENT:
                part = self.pick(part, "hour", "minute", "date", "date")
            value = self.value(DAY) if part == "date" else self.pick(1, 2, 3, 10, 15, 23, 2023, 2024)
            if self.chance(0.3):
                part += self.pick("__gt", "__lte", "__gte", "__lt")
            return Q(**{f"{name}__{part}": value})
        else:
            lookup = self.pick("exact", "gt", "gte", "lt", "lte", "in", "range")
        if lookup == "in":
            values = [self.value(kind) for _ in range(self.rng.randrange(4))]
            values = [v for v in values if not isinstance(v, int) or v < 2**63]
            return Q(**{f"{name}__in": [*values, None] if self.chance(0.2) else values})
        if lookup == "range":
            values = [
                v if not isinstance(v, int) else min(v, 2**40) for v in (self.value(kind), self.value(kind))
            ]
            return Q(**{f"{name}__range": sorted(values)})
        return Q(**{f"{name}__{lookup}": self.value(kind)})

    def text_of_another_type(self, name: str, kind: str):
        """A text lookup on a column that is not text."""
        from django.db.models import Q

        lookup, text = "iexact", self.pick(*DIGITS)
        if kind == ID:
            value = self.value(ID)
            text = self.pick(text, str(value), str(value).upper(), value.hex, f"{{{value}}}", value.urn)
            name = f"{name}__id" if name.endswith(("room", "reply_to")) else name
        elif self.chance(0.6):
            lookup = self.pick(
                "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "regex"
            )
        return Q(**{f"{name}__{lookup}": text})

    def subquery(self, model: str, name: str):
        from django.db.models import Exists, OuterRef, Q

        from .testapp.models import Message, Room

        if model == "Message" and name in ("id", "reply_to"):
            inner = Message.objects.using(self.alias).filter(self.tree("Message", 1))
            if self.chance(0.3):
                inner = inner.order_by("seq", "id")[: self.rng.randrange(1, 20)]
            return Q(
                **{f"{name}__in": inner.values(self.pick("id", "reply_to")) if self.chance(0.5) else inner}
            )
        if model == "Room" and name == "id":
            inner = Message.objects.using(self.alias).filter(self.tree("Message", 1))
            return (
                Q(Exists(inner.filter(room=OuterRef("pk"))))
                if self.chance(0.5)
                else Q(id__in=inner.values("room"))
            )
        return Q(**{f"{name}__in": Room.objects.using(self.alias).filter(self.tree("Room", 1))})

    def tree(self, model: str, depth: int):
        node = self.atom(model)
        for _ in range(self.rng.randrange(depth + 1)):
            other = self.tree(model, depth - 1) if depth > 1 else self.atom(model)
            node = node & other if self.chance(0.5) else node | other
        return ~node if self.chance(0.3) else node

    def filtered(self, model: str):
        from django.contrib.auth.models import User

        from .testapp.models import Message, Room

        queryset = {"Message": Message, "Room": Room, "User": User}[model].objects.using(self.alias)
        for _ in range(self.rng.randrange(3)):
            tree = self.tree(model, self.pick(1, 1, 2, 3))
            exclude = self.chance(0.3)
            self.steps.append(f"{'exclude' if exclude else 'filter'}({tree})")
            queryset = queryset.exclude(tree) if exclude else queryset.filter(tree)
        return queryset

    def order(self, model: str) -> list[str]:
        fields = [name for name in fields_of(model) if not name.startswith(("tags", "messages"))]
        chosen = [self.pick("", "-") + name for name in self.rng.sample(fields, self.rng.randrange(3))]
        return [*chosen, "pk"]

    def run(self, alias: str):
        self.alias = alias
        model = self.pick("Message", "Message", "Message", "Room", "User")
        self.steps.append(model)
        queryset = self.filtered(model)
        terminal = self.pick("rows", "rows", "values", "slice", "count", "exists", "distinct", "aggregate", "group",
                             "related", "dates", "first", "sliced count", "in_bulk", "annotated", "tags", "update",
                             "facets", "bulk_update")  # fmt: skip
        self.steps.append(terminal)
        return getattr(self, terminal.replace(" ", "_"))(model, queryset)

    # --- the answers; a list is compared in order, a counter is not

    def rows(self, model, queryset):
        return [vars_of(row) for row in queryset.order_by(*self.order(model))]

    def values(self, model, queryset):
        names = self.rng.sample(list(fields_of(model)), self.rng.randrange(1, 4))
        self.steps.append(str(names))
        return Counter(map(comparable, queryset.values_list(*names)))

    def slice(self, model, queryset):
        order, low = self.order(model), self.rng.randrange(5)
        self.steps.append(str(order))
        return [row.pk for row in queryset.order_by(*order)[low : low + self.rng.randrange(12)]]

    def first(self, model, queryset):
        queryset = queryset.order_by(*self.order(model))
        found = queryset.first() if self.chance(0.5) else queryset.last()
        return found and vars_of(found)

    def count(self, model, queryset):
        return queryset.count()

    def sliced_count(self, model, queryset):
        return queryset.order_by("pk")[self.rng.randrange(3) : self.rng.randrange(3, 20)].count()

    def exists(self, model, queryset):
        return queryset.exists()

    def distinct(self, model, queryset):
        names = self.rng.sample(list(fields_of(model)), self.rng.randrange(1, 3))
        queryset = queryset.order_by().values_list(*names).distinct()
        self.steps.append(str(names))
        if self.chance(0.3):
            return queryset.count()
        if self.chance(0.5):
            return [comparable(row) for row in queryset.order_by(*names)]
        return Counter(map(comparable, queryset))

    def some_aggregate(self, model):
        from django.db.models import Avg, Count, Max, Min, Sum

        fields = fields_of(model)
        numbers = [n for n, k in fields.items() if k == NUMBER]
        return self.pick(
            Count("pk"),
            Count(self.rng.choice(list(fields))),
            Count(self.rng.choice(list(fields)), distinct=True),
            Sum(self.rng.choice(numbers)),
            Sum(self.rng.choice(numbers), default=0),
            Avg(self.rng.choice(numbers)),
            Min(self.rng.choice([n for n, k in fields.items() if k not in (BOOL, ID)])),
            Max(self.rng.choice([n for n, k in fields.items() if k not in (BOOL, ID)])),
        )

    def aggregate(self, model, queryset):
        asked = {f"x{i}": self.some_aggregate(model) for i in range(self.rng.randrange(1, 4))}
        self.steps.append(str(asked))
        return {name: comparable(value) for name, value in queryset.aggregate(**asked).items()}

    def facets(self, model, queryset):
        from django.db.models import Count

        return queryset.aggregate(**{f"f{i}": Count("pk", filter=self.tree(model, 1)) for i in range(3)})

    def group(self, model, queryset):
        names = self.rng.sample(
            [n for n, k in fields_of(model).items() if k != SPAN], self.rng.randrange(1, 3)
        )
        asked = self.some_aggregate(model)
        self.steps.append(f"{names} {asked}")
        queryset = queryset.order_by().values_list(*names).annotate(x=asked)
        if self.chance(0.3):
            queryset = queryset.filter(x__gt=1)
        if self.chance(0.3):
            return queryset.count()
        if self.chance(0.3):
            return [comparable(row) for row in queryset.order_by("x", *names)[:5]]
        return Counter(map(comparable, queryset))

    def annotated(self, model, queryset):
        from django.db.models import Count, F

        if model == "Message":
            queryset = queryset.annotate(x=F("seq") - F("score")).order_by(self.pick("x", "-x"), "pk")
        else:
            queryset = queryset.annotate(x=Count("messages")).order_by(self.pick("x", "-x"), "pk")
        if self.chance(0.5):
            queryset = (
                queryset.exclude(x=1) if self.chance(0.5) else queryset.filter(x__gte=self.pick(0, 1, 5))
            )
        return [comparable((row.pk, row.x)) for row in queryset]

    def related(self, model, queryset):
        if model != "Message":
            return self.rows(model, queryset)
        names = self.pick(("room",), ("author",), ("room", "author"), ("reply_to__room",))
        found = queryset.select_related(*names).order_by(*self.order(model))[: self.pick(5, 50)]
        return [
            (
                row.pk,
                row.room.name,
                row.author and row.author.username,
                row.reply_to and row.reply_to.room.slug,
            )
            for row in found
        ]

    def tags(self, model, queryset):
        if model != "Message":
            return self.rows(model, queryset)
        found = queryset.prefetch_related("tags").order_by("pk")
        return [(row.pk, sorted(tag.name for tag in row.tags.all())) for row in found]

    def in_bulk(self, model, queryset):
        if model != "Message":
            return self.count(model, queryset)
        return {key: vars_of(row) for key, row in queryset.in_bulk(self.rng.sample(self.ids, 5)).items()}

    def dates(self, model, queryset):
        if model == "Room":
            return list(
                queryset.dates("founded", self.pick("year", "month", "week", "day"), self.pick("ASC", "DESC"))
            )
        if model == "User":
            return list(queryset.dates("date_joined", "year"))[:0]
        kind = self.pick("year", "month", "week", "day", "hour", "minute")
        self.steps.append(kind)
        return list(queryset.datetimes(self.pick("at", "edited"), kind, self.pick("ASC", "DESC")))

    def update(self, model, queryset):
        from django.db.models import F

        from .testapp.models import Message

        if model != "Message":
            return self.count(model, queryset)
        changes = self.pick(
            {"note": self.rng.choice(NAMES)},
            {"score": F("score") + 1, "note": "$note"},
            {"score": F("seq") * 2 - 1},
            {"edited": self.value(MOMENT), "price": None},
            {"seq": F("seq")},
        )
        self.steps.append(str(changes))
        changed = queryset.update(**changes)
        return changed, [vars_of(row) for row in Message.objects.using(self.alias).order_by("pk")]

    def bulk_update(self, model, queryset):
        from .testapp.models import Message

        if model != "Message":
            return self.exists(model, queryset)
        found = list(queryset.order_by("pk")[:10])
        for row in found:
            row.note, row.score = self.pick("$x", None, "é"), self.pick(1.5, None)
        changed = Message.objects.using(self.alias).bulk_update(found, ["note", "score"])
        return changed, [vars_of(row) for row in Message.objects.using(self.alias).order_by("pk")]


def vars_of(row) -> tuple:
    return comparable(getattr(row, f.attname) for f in row._meta.concrete_fields)


def comparable(value):
    if isinstance(value, (str, bytes)) or value is None:
        return value
    if isinstance(value, dict):
        return repr(value)
    if hasattr(value, "__iter__"):
        return tuple(map(comparable, value))
    if isinstance(value, (float, Decimal)):
        return float(f"{value:.9g}") if math.isfinite(value) else str(value)
    return value


def known_ids():
    from .testapp.models import Message, Room

    return [
        list(m.objects.using(SQLITE).values_list("pk", flat=True).order_by("pk")) for m in (Message, Room)
    ]


def run(queries: int, seed: str) -> Report:
    """Runs `queries` random queries on both databases, which must be migrated; it fills them first."""
    from django.db import NotSupportedError
    from django.utils import timezone

    report = Report()
    rng = random.Random(seed)
    populate(rng)
    ids, rooms = known_ids()
    for number in range(queries):
        with timezone.override(ZoneInfo(rng.choice(ZONES))):
            answers = {}
            for alias in (SQLITE, MONGO):
                shape = Shape(f"{seed}/{number}", ids + rooms)
                try:
                    answers[alias] = shape.run(alias)
                except NotSupportedError as error:
                    answers[alias] = error
                except Exception as error:
                    answers[alias] = error
            sqlite, mongo = answers[SQLITE], answers[MONGO]
            if isinstance(mongo, NotSupportedError):
                report.unsupported[re.sub(r".*djongo_lts does not support ", "", str(mongo))] += 1
            elif isinstance(sqlite, OverflowError) or (
                # SQLite's date functions overflow, so there is no answer to compare with.
                isinstance(sqlite, Exception) and isinstance(mongo, Exception)
            ):
                report.both_failed += 1
            elif isinstance(sqlite, Exception) or isinstance(mongo, Exception) or sqlite != mongo:
                report.wrong.append(
                    f"#{number} {' '.join(shape.steps)}\n    sqlite {sqlite!r:.600}\n    mongo  {mongo!r:.600}"
                )
            else:
                report.right += 1
                continue
            if "update" in shape.steps[-1] or "update" in " ".join(shape.steps[-2:]):
                # One database may have changed and the other not.
                populate(rng)
                ids, rooms = known_ids()
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    from ..testing import mongo_url

    with mongo_url() as url:
        os.environ["ENGINE_TEST_URL"] = url
        os.environ["DJANGO_SETTINGS_MODULE"] = "djongo_lts.tests.settings"
        import django
        from django.core.management import call_command
        from django.db import connection

        django.setup()
        name = connection.settings_dict["NAME"] = f"engine_{uuid.uuid4().hex[:8]}"
        try:
            for alias in (MONGO, SQLITE):
                call_command("migrate", database=alias, verbosity=0)
            report = run(options.queries, options.seed)
        finally:
            connection.ensure_connection()
            connection.client_connection.drop_database(name)
    print(f"seed {options.seed}: {report}")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
