"""Typing indicators: published, never stored, and ended by a timer unless they are renewed."""

import asyncio
from collections import defaultdict
from typing import Any
from uuid import UUID

from foundation import loop
from realtime.session.connection import Connection
from rooms.write_access import on_write_access_changed

from .services.publishing import notify_typing_stopped, on_typing_stopped, publish_typing

TYPING_SECONDS = 6.0
MAX_ROOMS_AT_ONCE = 20


@loop.one_per_loop
def get_typing_indicators() -> "TypingIndicators":
    """The indicators of this process, which listen for members who may no longer write."""
    indicators = TypingIndicators()
    on_write_access_changed(indicators.forbid)
    on_typing_stopped(indicators.show_again)
    return indicators


class TypingIndicators:
    """The connections of this process on which users are typing, by room. Used on the process's loop only.

    Others see the user and not the connection, so typing ends for them when the last connection stops. Each
    process knows its own connections: one where the user goes on typing shows it again at once.
    """

    def __init__(self, *, seconds: float = TYPING_SECONDS) -> None:
        self._seconds = seconds
        self._timers: defaultdict[UUID, dict[Connection, asyncio.TimerHandle]] = defaultdict(dict)
        self._rooms: defaultdict[Connection, set[UUID]] = defaultdict(set)

    def start(self, room_id: UUID, connection: Connection) -> None:
        """Start or renew typing; it ends `seconds` later. Ignored for a room beyond MAX_ROOMS_AT_ONCE.

        A renewal is published too, because clients clear what they show after 6 s as well.
        """
        self._forget(room_id, connection)
        if len(self._rooms[connection]) >= MAX_ROOMS_AT_ONCE:
            return
        end = asyncio.get_running_loop().call_later(self._seconds, self.stop, room_id, connection)
        self._timers[room_id][connection] = end
        self._rooms[connection].add(room_id)
        publish_typing(room_id=room_id, user_id=connection.user_id, is_typing=True)

    def stop(self, room_id: UUID, connection: Connection) -> bool:
        """End typing on this connection. False if it was not typing there."""
        user_id = connection.user_id
        if not self._forget(room_id, connection):
            return False
        if not self._is_typing(room_id, user_id):
            publish_typing(room_id=room_id, user_id=user_id, is_typing=False)
            notify_typing_stopped(room_id=room_id, user_id=user_id)
        return True

    def stop_all(self, connection: Connection) -> None:
        """End typing in every room, when the connection ends."""
        for room_id in tuple(self._rooms.get(connection, ())):
            self.stop(room_id, connection)

    def forbid(self, changed: dict[str, Any]) -> None:
        """End the typing of members whose write access changed: `{"room_id": "..", "user_ids": [".."] or None}`.

        Those who still may write show it again with their next renewal.
        """
        room_id, user_ids = UUID(changed["room_id"]), changed["user_ids"]
        for connection in tuple(self._timers.get(room_id, ())):
            if user_ids is None or str(connection.user_id) in user_ids:
                self.stop(room_id, connection)

    def show_again(self, stopped: dict[str, Any]) -> None:
        """Publish typing again if the user goes on here, after the last connection of a process has stopped."""
        room_id, user_id = UUID(stopped["room_id"]), UUID(stopped["user_id"])
        if self._is_typing(room_id, user_id):
            publish_typing(room_id=room_id, user_id=user_id, is_typing=True)

    def _is_typing(self, room_id: UUID, user_id: UUID) -> bool:
        return any(connection.user_id == user_id for connection in self._timers.get(room_id, ()))

    def _forget(self, room_id: UUID, connection: Connection) -> bool:
        """Cancel the timer. False if there is none."""
        timer = self._timers.get(room_id, {}).pop(connection, None)
        if timer is None:
            return False
        timer.cancel()
        self._rooms[connection].discard(room_id)
        if not self._timers[room_id]:
            del self._timers[room_id]
        if not self._rooms[connection]:
            del self._rooms[connection]
        return True
