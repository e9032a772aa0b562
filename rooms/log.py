"""The log of messages, as rooms and the hub use it.

Messaging keeps the log, and rooms may not import messaging. Messaging therefore provides it when Django starts
(`MessagingConfig.ready`), in every process: servers, management commands and shells.
"""

from collections.abc import Iterable
from typing import Any, Protocol
from uuid import UUID

from realtime.hub.gap_filler import TopicLog
from realtime.hub.hub import use_log

from .models import Room


class RoomLog(TopicLog, Protocol):
    """The log of every room. The methods below are synchronous; async code calls them through `run_db`."""

    def last_messages(self, rooms: Iterable[Room]) -> dict[UUID, dict[str, Any]]:
        """The last message of each room in its shape on the wire, by room id; without empty rooms."""

    def advance_marks(self, room: Room) -> bool:
        """Move the room's head, and the watermarks of the senders, up to the end of the log.

        False if the log does not reach beyond the head. Safe to repeat.
        """


_log: RoomLog | None = None


def use_room_log(log: RoomLog) -> None:
    """Provide the log to rooms and to the hub; called once, before the process serves requests."""
    global _log
    _log = log
    use_log(log)


def get_room_log() -> RoomLog:
    assert _log is not None, "no app has provided the rooms' log"
    return _log
