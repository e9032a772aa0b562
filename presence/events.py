"""Shapes of presence on the wire, for sockets and REST."""

from typing import Annotated
from uuid import UUID

import msgspec

from realtime.wire.events import Audience, ServerEvent
from realtime.wire.ids import Id
from realtime.wire.protocol import Wire

MAX_QUERY_USERS = 200


class PresenceUpdate(Wire):
    """`presence:update`. `lastSeen` of a user who is online is the time at which they came online."""

    user_id: UUID
    online: bool
    last_seen: str | None


PRESENCE_UPDATE = ServerEvent(
    "presence:update",
    PresenceUpdate,
    audience=Audience.PEERS,
    summary="A user with whom you share a small room came online or went offline.",
)


class QueryPresence(Wire):
    user_ids: Annotated[list[Id], msgspec.Meta(max_length=MAX_QUERY_USERS)]


class PresenceState(Wire):
    """`lastSeen` of a user who is online is now. It is null if the user was never online."""

    online: bool
    last_seen: str | None


class MemberPresence(Wire):
    """The presence of a member of a room, with the fields of PresenceState."""

    user_id: UUID
    online: bool
    last_seen: str | None


class UserPresence(MemberPresence):
    """The presence of a user, with the ids of the devices on which they are online."""

    devices: list[str]
