"""Server events: each is declared once, with its name, the shape of its data and its audience.

An app declares its server events in its `events.py`, and its consumer lists them in `sends`. Decision 18 says what
comes from a declaration, and which check fails where a part of one is missing.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

import msgspec

from .protocol import encode_frame

S = TypeVar("S", bound=msgspec.Struct)


class Audience(Enum):
    """Who receives a server event. The value is its text in the AsyncAPI document."""

    CONNECTION = "this connection only"
    USER = "every connection of the user concerned"
    MEMBERS = "every connection of the room's members, the user who caused it included"
    OTHER_MEMBERS = "every connection of the room's members, except those of the user who caused it"
    PEERS = "every connection of the users who share a small room with the user concerned"


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
        return encode_frame(self.name, data)
