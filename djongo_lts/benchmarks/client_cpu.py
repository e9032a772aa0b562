"""Measures the client's CPU time per operation, through the ORM and through raw pymongo, in one run.

The server is a separate process and is not measured. Inserted objects are made before the clock starts: instances
for the ORM, documents for pymongo. "make 100" measures the cost of making them. Option: `--rounds N`.
"""

import argparse
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

ROOMS, PAGE = 20, 50
# Highest accepted ratio of ORM to pymongo; 2 for operations that are not listed. "make 100" has none, because only
# Django makes instances, without the engine.
TARGETS = {"insert 1": 2.5, "insert 10": 2.5, "update": 2.5, "make 100": None}


class Operation(NamedTuple):
    """One operation on the same fields of the same documents, through the ORM and through pymongo.

    `makes` has two functions that make the arguments of a call, outside the clock. `repetitions` is the number of
    calls in a turn. Turns are short, so that both sides are measured under the same load.
    """

    orm: Callable
    raw: Callable
    repetitions: int
    makes: tuple[Callable, Callable] = (tuple, tuple)


def operations(database) -> dict[str, Operation]:
    from django.utils import timezone

    from djongo_lts.tests.testapp.models import Message, Room

    now = timezone.now()
    messages = database["testapp_message"]
    rooms = [Room(name=f"room {i}") for i in range(ROOMS)]
    Room.objects.bulk_create(rooms)

    def message(room, seq):
        return Message(room=room, seq=seq, content="Some words, as one writes them.", at=now, meta={"a": 1})

    rows = [message(room, seq) for room in rooms for seq in range(100)]
    Message.objects.bulk_create(rows)
    columns = [field.column for field in Message._meta.concrete_fields]
    projection = dict.fromkeys(columns, 1)
    room, pk = rooms[3].pk, rows[333].pk
    numbers = iter(range(1_000, 10_000_000))

    def document(room_id, seq):
        row = message(Room(pk=room_id), seq)
        return {field.column: getattr(row, field.attname) for field in Message._meta.concrete_fields}

    given = document(room, 0)

    def instances(count):
        return [message(rooms[3], next(numbers)) for _ in range(count)]

    def documents(count):
        return [{**given, "_id": uuid.uuid4(), "seq": next(numbers)} for _ in range(count)]

    def making(count):
        return (lambda: [instances(count)]), (lambda: [documents(count)])

    page = {"room_id": room, "seq": {"$gte": 20, "$lt": 20 + PAGE}}
    return {
        "get by pk": Operation(
            lambda: Message.objects.get(pk=pk),
            lambda: messages.find_one({"_id": pk}, projection),
            80,
        ),
        "page of 50": Operation(
            lambda: list(
                Message.objects.filter(room_id=room, seq__gte=20, seq__lt=20 + PAGE).order_by("seq")[:PAGE]
            ),
            lambda: list(messages.find(page, projection, sort=[("seq", 1)], limit=PAGE)),
            20,
        ),
        "exists": Operation(
            lambda: Message.objects.filter(room_id=room, seq=7).exists(),
            lambda: messages.find_one({"room_id": room, "seq": 7}, {"_id": 1}) is not None,
            80,
        ),
        "count": Operation(
            lambda: Message.objects.filter(room_id=room, seq__lt=20).count(),
            lambda: messages.count_documents({"room_id": room, "seq": {"$lt": 20}}),
            80,
        ),
        "update": Operation(
            lambda: Message.objects.filter(pk=pk).update(note="x"),
            lambda: messages.update_many({"_id": pk}, {"$set": {"note": "x"}}),
            80,
        ),
        "insert 1": Operation(
            lambda made: made[0].save(force_insert=True),
            lambda made: messages.insert_one(made[0]),
            60,
            making(1),
        ),
        "insert 10": Operation(Message.objects.bulk_create, messages.insert_many, 12, making(10)),
        "insert 100": Operation(Message.objects.bulk_create, messages.insert_many, 3, making(100)),
        "make 100": Operation(lambda: instances(100), lambda: documents(100), 3),
    }


def cpu_us(call: Callable, make: Callable, repetitions: int) -> float:
    """The mean CPU time of one call in µs."""
    given = [make() for _ in range(repetitions)]
    start = time.process_time()
    for arguments in given:
        call(*arguments)
    return (time.process_time() - start) / repetitions * 1e6


def measure(rounds: int) -> int:
    """Prints the medians of `rounds` turns for each operation; returns the number of missed targets."""
    from django.db import connection

    connection.ensure_connection()
    missed = 0
    print(f"{'':12}{'ORM us':>10}{'raw us':>10}{'ratio':>8}{'spread':>14}{'target':>8}")
    for name, (orm, raw, repetitions, (make_orm, make_raw)) in operations(connection.connection).items():
        cpu_us(orm, make_orm, 1), cpu_us(raw, make_raw, 1)
        pairs = [
            (cpu_us(orm, make_orm, repetitions), cpu_us(raw, make_raw, repetitions)) for _ in range(rounds)
        ]
        ratios = sorted(orm_us / raw_us for orm_us, raw_us in pairs)
        ratio, target = statistics.median(ratios), TARGETS.get(name, 2.0)
        orm_us, raw_us = (statistics.median(column) for column in zip(*pairs, strict=True))
        missed += target is not None and ratio > target
        spread = f"{ratios[0]:.2f}..{ratios[-1]:.2f}"
        print(f"{name:12}{orm_us:10.0f}{raw_us:10.0f}{ratio:8.2f}{spread:>14}{target or '':>8}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    from djongo_lts.testing import mongo_url

    with mongo_url() as url:
        os.environ["ENGINE_TEST_URL"] = url
        os.environ["DJANGO_SETTINGS_MODULE"] = "djongo_lts.tests.settings"
        import django
        from django.core.management import call_command
        from django.db import connection

        django.setup()
        name = connection.settings_dict["NAME"] = f"engine_{uuid.uuid4().hex[:8]}"
        try:
            call_command("migrate", verbosity=0)
            return 1 if measure(options.rounds) else 0
        finally:
            connection.ensure_connection()
            connection.client_connection.drop_database(name)


if __name__ == "__main__":
    sys.exit(main())
