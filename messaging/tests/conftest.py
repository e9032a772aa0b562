"""A room with old messages in the database of the tests' own process."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from foundation import times
from messaging.models import Message
from rooms.models import Room


@pytest.fixture
def log(transactional_db: Any) -> tuple[Room, list[Message]]:
    """A room with three messages of an hour ago in the database of this process."""
    author = User.objects.create_user(username="author", email="author@example.com")
    room = Room.objects.create(name="log", last_seq=3)
    return room, [
        Message.objects.create(
            room=room, seq=n, sender=author, content=f"m{n} \u2028", fingerprint="f", client_message_id=f"c{n}",
            meta={"z": 1, "a": [1.5, None]}, created_at=times.now() - timedelta(hours=1),
        )
        for n in (1, 2, 3)
    ]  # fmt: skip
