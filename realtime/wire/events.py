"""How events are declared: who may send a client event, and a server event with its data and its audience.

An app declares its server events in its `events.py`, and its consumer lists them in `sends`. The tests hold each
declaration against a running server: see docs/decisions/0018-events-declared-once.md.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

import msgspec

from .protocol import Wire

S = TypeVar("S", bound=Wire)

_encoder = msgspec.json.Encoder()


class Allowed(Enum):
    """Who may send a client event. The value is the text in the AsyncAPI document."""

    ANYONE = "every user"
    SELF = "every user, with an access token of their own"
    FILTERED = "every user; the reply leaves out rooms and users that are not visible to them"
    MEMBERS = "members of the room"
    WRITERS = "members of the room who are not muted"
    AUTHOR = "the author of the message, unless muted"
    AUTHOR_OR_ADMIN = "the author of the message, and admins of the room"


class Audience(Enum):
    """Who receives a server event. The value is the text in the AsyncAPI document."""

    CONNECTION = "this connection only"
    USER = "every connection of the user concerned"
    MEMBERS = "every connection of the room's members, the user who caused it included"
    OTHER_MEMBERS = "every connection of the room's members, except those of the user who caused it"
    PEERS = "every connection of the other users who share a small room with the user concerned"


@dataclass(frozen=True, slots=True)
class ServerEvent(Generic[S]):
    """An event that the server sends of its own accord. `summary` says when, in one sentence.

    MESSAGE_RECEIVE = ServerEvent("message:receive", MessageData, audience=Audience.MEMBERS, summary="..")
    """

    name: str
    data: type[S]
    audience: Audience
    summary: str

    def encode(self, data: S) -> bytes:
        """The frame `{"event": .., "data": ..}` as JSON."""
        return _encoder.encode({"event": self.name, "data": data})
