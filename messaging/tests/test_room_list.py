"""The queries of a user's room list, with unread counts and last messages. Takes a few seconds."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from messaging.drafts import Draft
from messaging.log.message_log import MessageLog
from rooms.marks import pending_marks
from rooms.models import Membership, Room

MOST_QUERIES = 8


def user_in(name: str, rooms: list[Room]) -> User:
    user = User.objects.create_user(username=name, email=f"{name}@example.com")
    Membership.objects.bulk_create([Membership(room=room, user=user) for room in rooms])
    return user


def listed(user: User) -> tuple[list[dict[str, Any]], int]:
    client = APIClient()
    client.force_authenticate(user)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get("/api/rooms?limit=200")
    assert answer.status_code == 200, answer.content
    return answer.json()["results"], len(captured)


def test_room_list_when_the_user_has_200_rooms_then_queries_stay_few(
    transactional_db: Any,
):
    rooms = [Room(name=f"room {number}") for number in range(200)]
    Room.objects.bulk_create(rooms)
    writer, few, many = (user_in(*who) for who in (("ann", rooms), ("ben", rooms[:2]), ("cleo", rooms)))
    MessageLog().store([Draft(room.pk, writer.pk, "hello") for room in rooms])
    pending_marks.write()
    (two, queries_of_few), (all_rooms, queries_of_many) = listed(few), listed(many)
    assert (len(two), len(all_rooms)) == (2, 200)
    assert {room["unreadCount"] for room in all_rooms} == {1}
    assert {room["lastMessage"]["content"] for room in all_rooms} == {"hello"}
    assert queries_of_many == queries_of_few <= MOST_QUERIES
