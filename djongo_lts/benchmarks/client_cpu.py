"""CPU the client spends on an operation, through the ORM and in raw pymongo, in one run.
Knows the test app; must not count the server, which is a process of its own.
`python -m djongo_lts.benchmarks.client_cpu [--rounds N]`
"""

import argparse
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable

ROOMS, PAGE = 20, 50
TARGETS = {"insert 1": 2.5, "insert 10": 2.5, "update": 2.5}  # the rest 2


def operations(database) -> dict[str, tuple[Callable, Callable, int]]:
    """Name to (through the ORM, raw, repetitions): both bring the same fields of the same documents."""
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

    def raw_document():
        return {**given, "_id": uuid.uuid4(), "seq": next(numbers)}

    def orm_insert(count):
        objects = [message(rooms[3], next(numbers)) for _ in range(count)]
        Message.objects.bulk_create(objects) if count > 1 else objects[0].save(force_insert=True)

    def raw_insert(count):
        if count == 1:
            messages.insert_one(raw_document())
        else:
            messages.insert_many([raw_document() for _ in range(count)])

    page = {"room_id": room, "seq": {"$gte": 20, "$lt": 20 + PAGE}}
    return {
        "get by pk": (
            lambda: Message.objects.get(pk=pk),
            lambda: messages.find_one({"_id": pk}, projection),
            400,
        ),
        "page of 50": (
            lambda: list(
                Message.objects.filter(room_id=room, seq__gte=20, seq__lt=20 + PAGE).order_by("seq")[:PAGE]
            ),
            lambda: list(messages.find(page, projection, sort=[("seq", 1)], limit=PAGE)),
            100,
        ),
        "exists": (
            lambda: Message.objects.filter(room_id=room, seq=7).exists(),
            lambda: messages.find_one({"room_id": room, "seq": 7}, {"_id": 1}) is not None,
            400,
        ),
        "count": (
            lambda: Message.objects.filter(room_id=room, seq__lt=20).count(),
            lambda: messages.count_documents({"room_id": room, "seq": {"$lt": 20}}),
            400,
        ),
        "update": (
            lambda: Message.objects.filter(pk=pk).update(note="x"),
            lambda: messages.update_many({"_id": pk}, {"$set": {"note": "x"}}),
            400,
        ),
        "insert 1": (lambda: orm_insert(1), lambda: raw_insert(1), 300),
        "insert 10": (lambda: orm_insert(10), lambda: raw_insert(10), 60),
        "insert 100": (lambda: orm_insert(100), lambda: raw_insert(100), 10),
    }


def cpu_us(call: Callable, repetitions: int) -> float:
    start = time.process_time()
    for _ in range(repetitions):
        call()
    return (time.process_time() - start) / repetitions * 1e6


def measure(rounds: int) -> int:
    from django.db import connection

    connection.ensure_connection()
    missed = 0
    print(f"{'':12}{'ORM us':>10}{'raw us':>10}{'ratio':>8}{'spread':>14}{'target':>8}")
    for name, (orm, raw, repetitions) in operations(connection.connection).items():
        orm(), raw()
        pairs = [(cpu_us(orm, repetitions), cpu_us(raw, repetitions)) for _ in range(rounds)]
        ratios = sorted(ours / theirs for ours, theirs in pairs)
        ratio, target = statistics.median(ratios), TARGETS.get(name, 2.0)
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        missed += ratio > target
        spread = f"{ratios[0]:.2f}..{ratios[-1]:.2f}"
        print(f"{name:12}{ours:10.0f}{theirs:10.0f}{ratio:8.2f}{spread:>14}{target:>8}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
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
