"""The queries of send, connect and scroll use an index on every database. About three seconds."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from djongo_lts.testing import plans, scans
from foundation import times
from messaging import selectors
from messaging.drafts import Draft
from messaging.log.heads import read_heads
from messaging.log.message_log import MessageLog
from messaging.models import Message
from rooms import selectors as room_selectors
from rooms import snapshots
from rooms.marks import pending_marks
from rooms.models import Membership, Room
from rooms.services import watermarks


class Chat:
    """Twelve rooms with ten messages each, and one user who is a member of all."""

    def __init__(self) -> None:
        self.ann = User.objects.create_user(username="ann", email="ann@example.com")
        self.rooms = [Room.objects.create(name=f"room {n}") for n in range(12)]
        for room in self.rooms:
            Membership.objects.create(room=room, user=self.ann)
        self.log = MessageLog()
        for n in range(10):
            self.send(f"message {n}")
        for room in self.rooms:
            room.refresh_from_db()
        self.room = self.rooms[3]
        self.message = Message.objects.get(room=self.room, seq=4)

    def send(self, content: str) -> None:
        self.log.store([Draft(room.pk, self.ann.pk, content) for room in self.rooms])
        pending_marks.write()


@pytest.fixture
def chat(transactional_db: Any) -> Chat:
    return Chat()


def scanned(action: Callable[[], Any]) -> list[str]:
    """Returns the queries of `action`, at least one, whose plan reads a whole table or collection.

    A queryset that it returns is run, even if it has its rows already.
    """
    if connection.vendor == "djongo":
        with plans(connection) as seen:
            run(action)
        assert seen
        return [query for query, plan in seen if scans(plan)]
    with CaptureQueriesContext(connection) as captured:
        run(action)
    queries = [query["sql"] for query in captured if re.match("SELECT|UPDATE|DELETE", query["sql"])]
    assert queries
    return [query for query in queries if scans_table(query)]


def run(action: Callable[[], Any]) -> None:
    result = action()
    if isinstance(result, QuerySet):
        list(result.all())


def scans_table(query: str) -> bool:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Otherwise PostgreSQL reads so small a table whole.
            cursor.execute("SET enable_seqscan = off")
            cursor.execute(f"EXPLAIN (FORMAT JSON) {query}")
            return any(reads_all(node) for node in nodes(cursor.fetchone()[0][0]["Plan"]))
        cursor.execute(f"EXPLAIN QUERY PLAN {query}")
        return any(
            re.match(r"SCAN (?!CONSTANT)", row[3]) and "USING" not in row[3] for row in cursor.fetchall()
        )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the nodes of a plan of PostgreSQL."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def reads_all(node: dict[str, Any]) -> bool:
    return node["Node Type"] == "Seq Scan" or (
        node["Node Type"].startswith("Index") and "Index Cond" not in node and "Filter" in node
    )


def the_message(chat: Chat) -> dict[str, Any]:
    return {"room_id": chat.room.pk, "message_id": chat.message.pk}


HOT: dict[str, Callable[[Chat], Any]] = {
    "history": lambda chat: selectors.room_history(room=chat.room, limit=5),
    "history before": lambda chat: selectors.room_history(room=chat.room, limit=5, before=9),
    "history after a message": lambda chat: selectors.room_history(room=chat.room, limit=5, after=chat.message.pk),
    "history around a time": lambda chat: selectors.room_history(room=chat.room, limit=5, around=times.now()),
    "rooms with unread counts": lambda chat: snapshots.room_list(user_id=chat.ann.pk, rooms=chat.rooms),
    "one room": lambda chat: snapshots.room_detail(room_id=chat.room.pk, user_id=chat.ann.pk),
    "membership": lambda chat: room_selectors.require_member(room_id=chat.room.pk, user_id=chat.ann.pk),
    "memberships": lambda chat: room_selectors.user_memberships(user_id=chat.ann.pk),
    "recent rooms": lambda chat: room_selectors.recent_room_ids(user_id=chat.ann.pk, limit=5),
    "next rooms": lambda chat: room_selectors.room_ids_after(user_id=chat.ann.pk, after=chat.room.pk, limit=5),
    "heads of rooms": lambda chat: room_selectors.room_heads(
        user_id=chat.ann.pk, room_ids=[room.pk for room in chat.rooms]
    ),
    "list of rooms": lambda chat: room_selectors.user_rooms(user_id=chat.ann.pk).order_by("-last_activity_at")[:5],
    "number of rooms": lambda chat: room_selectors.room_counts(user_ids=[chat.ann.pk]),
    "peers": lambda chat: room_selectors.peers_among(user_id=chat.ann.pk, user_ids=[chat.ann.pk]),
    "receipts": lambda chat: selectors.message_receipts(**the_message(chat)),
    "watermarks": lambda chat: watermarks.advance_watermarks(
        room_id=chat.room.pk, user_id=chat.ann.pk, delivered_seq=10, read_seq=10
    ),
    "heads": lambda chat: read_heads(chat.rooms),
    "send": lambda chat: chat.send("one more"),
    "search": lambda chat: list(
        selectors.search_messages(user_id=chat.ann.pk, text="MESSAGE 4").order_by("-created_at", "-pk")[:5]
    ),
    "search in a room": lambda chat: list(
        selectors.search_messages(user_id=chat.ann.pk, text="4", room_id=chat.room.pk).order_by("-seq")[:5]
    ),
    "changes": lambda chat: selectors.changed_messages(
        room_ids=[room.pk for room in chat.rooms], since=times.now(), limit=5
    ),
    "changes, next page": lambda chat: selectors.changed_messages(
        room_ids=[room.pk for room in chat.rooms], since=times.now(), after_id=chat.message.pk, limit=5
    ),
}  # fmt: skip


def test_hot_queries_when_explained_then_each_uses_an_index(chat: Chat) -> None:
    scanning = {name: scanned(lambda: query(chat)) for name, query in HOT.items()}  # noqa: B023
    assert {name: queries for name, queries in scanning.items() if queries} == {}
    assert len(scanned(lambda: list(Message.objects.filter(type="text")))) == 1


def test_last_messages_when_hints_are_wrong_then_are_still_the_last(chat: Chat) -> None:
    Room.objects.filter(pk=chat.rooms[0].pk).update(last_message_id=None)
    Room.objects.filter(pk=chat.rooms[1].pk).update(last_message_id=chat.message.pk)
    Room.objects.filter(pk=chat.rooms[2].pk).update(last_message_id=chat.rooms[2].pk)
    rooms = list(Room.objects.all())
    assert all(room.last_message_id for room in rooms if room.pk != chat.rooms[0].pk)
    found = selectors.last_messages(rooms=rooms)
    assert {room_id: message["content"] for room_id, message in found.items()} == {
        room.pk: "message 9" for room in chat.rooms
    }
