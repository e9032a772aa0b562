"""Shapes of presence on the wire, for socket and REST alike. Must not know Redis, the database or sockets."""

from typing import Annotated
from uuid import UUID

import msgspec

from realtime.wire.events import Audience, ServerEvent
from realtime.wire.protocol import Wire

MAX_QUERY_USERS = 200


class PresenceUpdate(Wire):
    """`presence:update`. `lastSeen` of someone online is the time they came."""

    user_id: UUID
    online: bool
    last_seen: str | None


PRESENCE_UPDATE = ServerEvent(
    "presence:update",
    PresenceUpdate,
    audience=Audience.PEERS,
    summary="Somebody you share a small room with came or went.",
)


class QueryPresence(Wire):
    user_ids: Annotated[list[UUID], msgspec.Meta(max_length=MAX_QUERY_USERS)]


class PresenceState(Wire):
    """`lastSeen` of someone online is now; null for someone who never was."""

    online: bool
    last_seen: str | None


class MemberPresence(Wire):
    """A member of a room, as PresenceState."""

    user_id: UUID
    online: bool
    last_seen: str | None


class UserPresence(MemberPresence):
    """A user with the ids of the devices they are online with."""

    devices: list[str]
