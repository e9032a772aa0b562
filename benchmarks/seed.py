"""Creates users, rooms, sessions and messages in the configured database; prints tokens and rooms as JSON.

`python -m benchmarks.seed --users 500 --room-size 10 [--messages 1000 1000000]`. Rows are written in bulk, not by
services. A room that already has the wanted number of messages is used again.
"""

import argparse
import json
import os
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
django.setup()

from accounts import keys, tokens  # noqa: E402
from accounts.models import Session, User  # noqa: E402
from foundation import times  # noqa: E402
from foundation.ids import uuid7  # noqa: E402
from messaging.models import Message  # noqa: E402
from rooms.models import Membership, Room  # noqa: E402

BATCH = 2_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--room-size", type=int, required=True)
    parser.add_argument(
        "--messages",
        type=int,
        nargs="*",
        default=[],
        help="sizes of rooms, each of which the first user joins",
    )
    arguments = parser.parse_args()

    run = uuid7().hex[-8:]
    names = [f"bench{run}{number}" for number in range(arguments.users)]
    users = [User.objects.build(username=name, email=f"{name}@example.com") for name in names]
    User.objects.bulk_create(users, batch_size=BATCH)
    rooms = [Room(name=f"room {number}") for number in range(-(-len(users) // arguments.room_size))]
    Room.objects.bulk_create(rooms, batch_size=BATCH)
    of_user = [rooms[index // arguments.room_size] for index in range(len(users))]
    members = [Membership(room=room, user=user) for room, user in zip(of_user, users, strict=True)]
    Membership.objects.bulk_create(members, batch_size=BATCH)
    access = open_sessions(users)
    histories = [str(room_of(count, users[0]).pk) for count in arguments.messages]
    print(json.dumps({"tokens": access, "rooms": histories or [str(room.pk) for room in of_user]}))


def open_sessions(users: list[User]) -> list[str]:
    keys.get_seeds().reread()
    sessions, access = [], []
    for user in users:
        refresh = tokens.new_refresh_token()
        sessions.append(
            Session(user=user, refresh_jti=refresh["jti"], expires_at=times.now() + timedelta(days=1))
        )
        access.append(tokens.token_pair(refresh, sessions[-1]).access_token)
    Session.objects.bulk_create(sessions, batch_size=BATCH)
    return access


def room_of(count: int, member: User) -> Room:
    room = Room.objects.filter(last_seq=count, first_seq=1).first()
    if room is None:
        room = Room.objects.create(name=f"of {count} messages")
        write_messages(room, member, count)
    Membership.objects.create(room=room, user=member)
    return room


def write_messages(room: Room, sender: User, count: int) -> None:
    for first in range(1, count + 1, BATCH):
        batch = [
            Message(room=room, seq=seq, sender=sender, fingerprint="", content=f"message {seq} " + "x" * 100)
            for seq in range(first, min(first + BATCH, count + 1))
        ]
        Message.objects.bulk_create(batch, batch_size=BATCH)
    Room.objects.filter(pk=room.pk).update(last_seq=count, last_message_id=batch[-1].pk)


main()
