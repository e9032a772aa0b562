"""Heads of many rooms at once, as the hub reads them. Takes a few seconds."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from messaging.drafts import Draft
from messaging.log.message_log import MessageLog
from messaging.models import Message
from messaging.room_logs import cached_heads, exact_heads
from rooms.marks import pending_marks
from rooms.models import Membership, Room


def test_exact_heads_when_a_crash_left_one_behind_then_advance_it(
    transactional_db: Any,
):
    rooms = [Room(name=f"room {number}") for number in range(200)]
    Room.objects.bulk_create(rooms)
    user = User.objects.create_user(username="ann", email="ann@example.com")
    Membership.objects.bulk_create([Membership(room=room, user=user) for room in rooms])
    MessageLog().store([Draft(room.pk, user.pk, "published") for room in rooms])
    pending_marks.write()
    stranded = rooms[7].pk
    Message.objects.create(
        room_id=stranded, seq=2, sender=user, fingerprint="", content="stored, but not published"
    )

    ids = [room.pk for room in rooms]
    with CaptureQueriesContext(connection) as captured:
        hints = cached_heads(ids)
    assert (len(captured), hints[stranded]) == (1, 1)
    assert exact_heads([stranded]) == {stranded: 2}
    assert cached_heads(ids) == dict.fromkeys(ids, 1) | {stranded: 2}
