"""Creates a workspace that looks used: users, rooms and their logs.

It writes the models in bulk and not through services, so it keeps their rules itself: dense seqs, ids in the order
of time, watermarks within the log. Memberships are written last, so nobody sees an unfinished room.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from accounts.models import User
from foundation import times
from foundation.ids import first_id_at
from messaging.drafts import Draft, as_message
from messaging.models import Message
from rooms.models import Membership, Room, direct_key

from .seed_words import NAMES, ROOMS, random_text

BATCH = 2_000
RANDOM_BITS = (1 << 80) - 1
VERSION_AND_VARIANT = (0x7 << 76) | (0x2 << 62)
NOT_RANDOM = (0xF << 76) | (0x3 << 62)


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes. `name` is part of every username and email, so that one database can hold several workspaces."""

    name: str
    users: int
    groups: int
    direct_rooms: int
    messages: int
    days: int
    seed: int
    max_members: int


@dataclass(slots=True)
class SeedRoom:
    """A room that is being filled. `last_own` has the last seq that each member wrote."""

    room: Room
    members: list[User]
    messages: int
    last_own: dict[UUID, int]


class Seeder:
    """Writes the workspace of a plan."""

    def __init__(self, plan: Plan, *, encoded_password: str, now: datetime) -> None:
        self.plan = plan
        self.encoded_password = encoded_password
        self.now = now
        # For texts and senders only. Ids come from the system's source, or two workspaces would have the same.
        self.random = random.Random(plan.seed)  # noqa: S311  # nothing secret

    def run(self, note: Callable[[int, str], None]) -> list[User]:
        """Write the plan and return its users. `note(count, room)` is called for each stored batch of messages."""
        users = self._make_users()
        rooms = self._make_rooms(users)
        for room in rooms:
            messages = self._messages(room)
            while batch := list(islice(messages, BATCH)):
                Message.objects.bulk_create(batch)
                note(len(batch), str(room.room))
            Room.objects.filter(pk=room.room.pk).update(
                last_seq=room.messages,
                last_message_id=room.room.last_message_id,
                last_activity_at=room.room.last_activity_at,
            )
        Membership.objects.bulk_create(
            [membership for room in rooms for membership in self._memberships(room)], batch_size=BATCH
        )
        return users

    def _make_users(self) -> list[User]:
        users = []
        for number in range(self.plan.users):
            round_number, index = divmod(number, len(NAMES))
            first = NAMES[index] + (str(round_number + 1) if round_number else "")
            username = f"{first.lower()}.{self.plan.name}"
            user = User.objects.build(
                username=username,
                email=f"{first.lower()}@{self.plan.name}.example",
                display_name=first,
                created_at=self._begin(),
            )
            user.password = self.encoded_password
            users.append(user)
        User.objects.bulk_create(users, batch_size=BATCH)
        return users

    def _make_rooms(self, users: list[User]) -> list[SeedRoom]:
        rooms = [self._group(number, users) for number in range(self.plan.groups)]
        pairs: set[tuple[int, int]] = set()
        possible = len(users) * (len(users) - 1) // 2
        while len(pairs) < min(self.plan.direct_rooms, possible):
            a, b = sorted(self.random.sample(range(len(users)), 2))
            if (a, b) not in pairs:
                pairs.add((a, b))
                rooms.append(self._direct(users[a], users[b]))
        self._distribute_messages(rooms)
        Room.objects.bulk_create([room.room for room in rooms], batch_size=BATCH)
        return rooms

    def _group(self, number: int, users: list[User]) -> SeedRoom:
        """The first group has all users, up to the largest allowed room; the others have some of them."""
        name = ROOMS[number % len(ROOMS)] + (f" {number // len(ROOMS) + 1}" if number >= len(ROOMS) else "")
        size = len(users) if number == 0 else self.random.randint(min(3, len(users)), max(3, len(users) // 2))
        members = self.random.sample(users, min(size, len(users), self.plan.max_members))
        room = Room(
            name=name, created_by=members[0], created_at=self._begin(), meta={"topic": f"All about {name}"}
        )
        return SeedRoom(room, members, 0, {})

    def _direct(self, a: User, b: User) -> SeedRoom:
        room = Room(
            kind=Room.Kind.DIRECT, direct_key=direct_key(a.pk, b.pk), created_by=a, created_at=self._begin()
        )
        return SeedRoom(room, [a, b], 0, {})

    def _distribute_messages(self, rooms: list[SeedRoom]) -> None:
        """Few rooms have most messages: the k-th has 1/k of the first, which also gets the remainder."""
        if not rooms:
            return
        weights = [1 / (rank + 1) for rank in range(len(rooms))]
        for room, weight in zip(rooms, weights, strict=True):
            room.messages = int(self.plan.messages * weight / sum(weights))
        rooms[0].messages += self.plan.messages - sum(room.messages for room in rooms)

    def _messages(self, room: SeedRoom) -> Iterator[Message]:
        """The messages of a room in order, each at least 1 ms after the last."""
        begin = self._begin() + timedelta(minutes=1)
        span_ms = int((self.now - begin).total_seconds() * 1000) - room.messages - 60_000
        offsets = sorted(self.random.randrange(max(1, span_ms)) for _ in range(room.messages))
        recent: list[UUID] = []
        sender = room.members[0]
        for seq, offset in enumerate(offsets, 1):
            # Otherwise the same person writes again.
            if self.random.random() < 0.6:
                sender = self.random.choice(room.members)
            at = times.truncate(begin + timedelta(milliseconds=offset + seq))
            reply_to = self.random.choice(recent) if recent and self.random.random() < 0.08 else None
            draft = Draft(
                room_id=room.room.pk,
                sender_id=sender.pk,
                content=random_text(self.random),
                reply_to=reply_to,
                id=id_at(at),
            )
            room.last_own[sender.pk] = seq
            room.room.last_activity_at = at
            room.room.last_message_id = draft.id
            recent = [*recent[-19:], draft.id]
            yield as_message(draft, id=draft.id, seq=seq, fingerprint=draft.fingerprint, created_at=at)

    def _memberships(self, room: SeedRoom) -> Iterator[Membership]:
        """Half of the members have read everything, the others most of it, and at least their own messages."""
        for number, user in enumerate(room.members):
            own, last = room.last_own.get(user.pk, 0), room.messages
            read = (
                last
                if self.random.random() < 0.5
                else max(own, last - self.random.randint(0, max(1, last // 20)))
            )
            delivered = last if self.random.random() < 0.9 else self.random.randint(read, last)
            role = Membership.Role.MEMBER
            if room.room.kind == Room.Kind.GROUP and number < 2:
                role = (Membership.Role.OWNER, Membership.Role.ADMIN)[number]
            yield Membership(
                room=room.room,
                user=user,
                role=role,
                joined_at=self._begin(),
                delivered_seq=delivered,
                read_seq=read,
            )

    def _begin(self) -> datetime:
        return self.now - timedelta(days=self.plan.days)


def id_at(moment: datetime) -> UUID:
    """A UUID version 7 with the time `moment`."""
    bits = random.SystemRandom().getrandbits(80) & RANDOM_BITS & ~NOT_RANDOM
    return UUID(int=first_id_at(moment).int | VERSION_AND_VARIANT | bits)
