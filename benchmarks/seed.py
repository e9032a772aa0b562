"""Users, rooms, sessions and, for history, messages in the database of the environment; prints tokens and rooms.

`python -m benchmarks.seed --users 500 --room-size 10 [--messages 1000]`. Writes in bulk what services would singly.
"""

import argparse
import json
import os
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
django.setup()

from accounts import tokens  # noqa: E402
from accounts.models import Session, User  # noqa: E402
from messaging.models import Message  # noqa: E402
from realtime import times  # noqa: E402
from rooms.models import Membership, Room  # noqa: E402

BATCH = 2_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--room-size", type=int, required=True)
    parser.add_argument("--messages", type=int, default=0, help="in the first room")
    arguments = parser.parse_args()

    names = [f"bench{number}" for number in range(arguments.users)]
    users = [User.objects.build(username=name, email=f"{name}@example.com") for name in names]
    User.objects.bulk_create(users, batch_size=BATCH)
    rooms = [Room(name=f"room {number}") for number in range(-(-len(users) // arguments.room_size))]
    Room.objects.bulk_create(rooms, batch_size=BATCH)
    of_user = [rooms[index // arguments.room_size] for index in range(len(users))]
    members = [Membership(room=room, user=user) for room, user in zip(of_user, users, strict=True)]
    Membership.objects.bulk_create(members, batch_size=BATCH)
    access = open_sessions(users)
    write_messages(rooms[0], users[0], arguments.messages)
    print(json.dumps({"tokens": access, "rooms": [str(room.pk) for room in of_user]}))


def open_sessions(users: list[User]) -> list[str]:
    sessions, access = [], []
    for user in users:
        refresh = tokens.new_refresh_token()
        sessions.append(
            Session(user=user, refresh_jti=refresh["jti"], expires_at=times.now() + timedelta(days=1))
        )
        access.append(tokens.token_pair(refresh, sessions[-1]).access_token)
    Session.objects.bulk_create(sessions, batch_size=BATCH)
    return access


def write_messages(room: Room, sender: User, count: int) -> None:
    batch: list[Message] = []
    for first in range(1, count + 1, BATCH):
        batch = [
            Message(room=room, seq=seq, sender=sender, fingerprint="", content=f"message {seq} " + "x" * 100)
            for seq in range(first, min(first + BATCH, count + 1))
        ]
        Message.objects.bulk_create(batch, batch_size=BATCH)
    last_id = batch[-1].pk if count else None
    Room.objects.filter(pk=room.pk).update(last_seq=count, last_message_id=last_id)


main()
