"""Makes rows for tests."""

import datetime

from .models import Message, Room

NOON = datetime.datetime(2024, 3, 30, 12, tzinfo=datetime.UTC)


def message(room: Room, seq: int, **fields) -> Message:
    return Message(
        **{"room": room, "seq": seq, "at": NOON + datetime.timedelta(minutes=seq % 1440), **fields}
    )


def messages(room: Room, count: int) -> list[Message]:
    return Message.objects.bulk_create([message(room, seq, content=f"message {seq}") for seq in range(count)])
