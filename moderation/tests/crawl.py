"""Requests every kind of admin page over a large log, and prints the time and the number of queries of each.

`python -m moderation.tests.crawl --messages 1000000`, with SECRET_KEY and DATABASE_URL set (an empty,
migrated database; without DATABASE_URL an SQLite file in DATA_DIR). The rows are inserted in bulk and stay in the
database; `--messages 0` uses those of an earlier run.
"""

import argparse
import logging
import os
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import django
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

ROOMS, USERS, BATCH = 300, 1000, 5000
SMALL_ROOM, TINY_ROOM = 1000, 100
PAGES = [
    "accounts/user/", "accounts/session/", "rooms/room/", "rooms/membership/", "messaging/message/",
    "messaging/messagerevision/", "messaging/archivedkey/", "moderation/report/", "moderation/auditentry/",
    "messaging/message/?room={room}", "messaging/message/?room={room}&p=100",
    "messaging/message/?author={author}", "messaging/message/?author={name}",
    "messaging/message/?since=2026-01-01T00:00", "messaging/message/?q=needle",
    "messaging/message/?room={room}&q=needle", "messaging/message/?room={room}&q=nowhere",
    "messaging/message/?q={message}", "rooms/room/?q=room",
    "rooms/membership/?room={room}", "moderation/report/?state=all&room={room}",
    "moderation/auditentry/?target={room}", "messaging/message/{message}/change/", "rooms/room/{room}/change/",
    "accounts/user/{author}/change/", "accounts/user/?q={name}",
]  # fmt: skip


def fill(count: int) -> None:
    """Create users, and rooms whose members are every tenth user. The first room gets `count` messages.

    The second room gets SMALL_ROOM messages, and the others TINY_ROOM each.
    """
    from accounts.models import User
    from foundation import times
    from foundation.ids import first_id_at
    from messaging.models import Message
    from moderation.models import Report
    from rooms.models import Membership, Room

    first = times.now() - timedelta(days=300)
    password = make_password("a password of the crawl")
    users = [
        User.objects.build(username=f"user{n}", email=f"user{n}@example.com", display_name=f"User {n}")
        for n in range(USERS)
    ]
    for user in users:
        user.password = password
    User.objects.bulk_create(users, batch_size=500)
    sizes = [count, SMALL_ROOM] + [TINY_ROOM] * (ROOMS - 2)
    rooms = [
        Room(name=f"room {n}", last_seq=size, created_by=users[0], created_at=first)
        for n, size in enumerate(sizes)
    ]
    Room.objects.bulk_create(rooms)
    members = [
        Membership(room=room, user=user, delivered_seq=room.last_seq, read_seq=room.last_seq)
        for room in rooms
        for user in users[:: USERS // 10]
    ]
    Membership.objects.bulk_create(members, batch_size=500)
    message = Message.objects.create(
        id=first_id_at(first), room=rooms[0], seq=1, sender=users[0], content="a needle in it", fingerprint="f",
        client_message_id="c1", created_at=first,
    )  # fmt: skip
    copies = Copies(Message, message.pk)
    for room, size in zip(rooms, sizes, strict=True):
        step = timedelta(days=300) / size
        for seq in range(2 if room is rooms[0] else 1, size + 1):
            at = times.truncate(first + seq * step)
            copies.add(
                # Another id of the same millisecond.
                id=UUID(int=first_id_at(at).int + copies.count + 1),
                room=room.pk,
                seq=seq,
                sender=users[seq % 10 * (USERS // 10)].pk,
                content="a needle in it"
                if seq % 1000 == 0
                else f"some text of message {seq}, as long as many",
                client_message_id=f"c{seq}",
                created_at=at,
            )
    copies.flush()
    Report.objects.bulk_create(
        Report(message_id=message.pk, room=rooms[0], author=users[0], reporter=user, seq=1, version=1,
               content="c", reason="r")
        for user in users
    )  # fmt: skip


def names() -> dict[str, Any]:
    """The values for PAGES: the largest room, the author of its first message, and its last message."""
    from messaging.models import Message
    from rooms.models import Room

    log = Message.objects.filter(room=Room.objects.order_by("-last_seq")[0])
    first, last = log.select_related("sender").earliest("seq"), log.latest("seq")
    return {
        "room": last.room_id,
        "author": first.sender_id,
        "name": first.sender.username,
        "message": last.pk,
    }


class Copies:
    """Inserts copies of a row in bulk. It does not use the ORM, which would take ten times as long."""

    def __init__(self, model: Any, pk: UUID) -> None:
        self.table = model._meta.db_table
        self.columns = {field.name: field.column for field in model._meta.concrete_fields}
        self.rows: list[dict[str, Any]] = []
        self.count = 0
        connection.ensure_connection()
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT * FROM {self.table} WHERE "_id" = %s', [pk.hex])
                names = [column[0] for column in cursor.description]
                self.row = dict(zip(names, cursor.fetchone(), strict=True))
        else:
            self.row = connection.connection[self.table].find_one({"_id": pk})

    def add(self, **fields: Any) -> None:
        if connection.vendor == "sqlite":
            fields = {name: _sqlite_value(value) for name, value in fields.items()}
        self.rows.append(self.row | {self.columns[name]: value for name, value in fields.items()})
        self.count += 1
        if len(self.rows) == BATCH:
            self.flush()

    def flush(self) -> None:
        if connection.vendor == "sqlite":
            names = ", ".join(f'"{name}"' for name in self.row)
            marks = ", ".join(["%s"] * len(self.row))
            with transaction.atomic(), connection.cursor() as cursor:
                insert = f"INSERT INTO {self.table} ({names}) VALUES ({marks})"
                cursor.executemany(insert, [tuple(row.values()) for row in self.rows])
        else:
            connection.connection[self.table].insert_many(self.rows)
        self.rows = []


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    return str(value.replace(tzinfo=None)) if isinstance(value, datetime) else value


def crawl(rounds: int) -> None:
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from accounts.models import User

    root = User.objects.filter(is_superuser=True).first() or User.objects.create_superuser(
        username="Root", email="root@example.com", password=None
    )
    named = names()
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(root)
    print(f"{'page':60} queries   ms (best of {rounds})")
    for page in PAGES:
        path, best = "/admin/" + page.format(**named), float("inf")
        for _ in range(rounds):
            with CaptureQueriesContext(connection) as queries:
                started = time.perf_counter()
                answer = browser.get(path)
                best = min(best, time.perf_counter() - started)
            assert answer.status_code == 200, (path, answer.status_code)
        print(f"{page:60} {len(queries):7} {best * 1000:6.0f}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
    django.setup()
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument(
        "--rounds", type=int, default=3, help="requests of each page; 0 only creates the rows"
    )
    given = parser.parse_args()
    if given.messages:
        began = time.perf_counter()
        fill(given.messages)
        print(f"a room of {given.messages} messages in {time.perf_counter() - began:.0f} s", flush=True)
    if given.rounds:
        crawl(given.rounds)
