"""The log of messages as rooms and the hub read it.

messaging keeps the log, and rooms may not import messaging. So messaging provides it when Django starts
(`MessagingConfig.ready`), in every process: servers, management commands and shells.
"""

from collections.abc import Iterable
from typing import Any, Protocol
from uuid import UUID

from realtime.hub.gap_filler import TopicLog
from realtime.hub.hub import use_log

from .models import Room


class RoomLog(TopicLog, Protocol):
    """The log of every room. The methods of its own are synchronous and called through `run_db` from async code."""

    def last_messages(self, rooms: Iterable[Room]) -> dict[UUID, dict[str, Any]]:
        """The last message of each room as the contract shows it, by room id; empty rooms are left out."""

    def advance_marks(self, room: Room) -> bool:
        """Move the room's head and the watermarks of those who wrote up to the end of the log.

        False where nothing lay beyond the head. Safe to repeat.
        """


_log: RoomLog | None = None


def use_room_log(log: RoomLog) -> None:
    """Provide the log, for rooms and for what the hub repairs from it; called once, before anything is served."""
    global _log
    _log = log
    use_log(log)


def get_room_log() -> RoomLog:
    assert _log is not None, "no app has provided the rooms' log"
    return _log
