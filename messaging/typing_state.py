"""Who is typing: never stored, first to be dropped, and ended by itself when nobody renews it.

Knows a clock, a timer and a function that tells; must not know sockets. One TypingState belongs to one connection.
"""

import asyncio
from collections.abc import Callable
from uuid import UUID

from accounts.topics import user_address
from realtime.hub.hub import get_hub
from rooms.topics import room_topic

from .events import TYPING, TypingUpdate

TYPING_SECONDS = 6.0
MAX_ROOMS_AT_ONCE = 20


def tell_typing(*, room_id: UUID, user_id: UUID, is_typing: bool) -> None:
    """Tell the other members; the typist's own sockets do not hear it."""
    frame = TYPING.encode(TypingUpdate(room_id=room_id, user_id=user_id, is_typing=is_typing))
    get_hub().publish(room_topic(room_id), frame, droppable=True, exclude_address=user_address(user_id))


class TypingState:
    """In which rooms this connection types; each ends after `seconds` without a renewal."""

    def __init__(self, tell: Callable[[UUID, bool], None], *, seconds: float = TYPING_SECONDS) -> None:
        self._tell = tell
        self._seconds = seconds
        self._timers: dict[UUID, asyncio.TimerHandle] = {}

    def set(self, room_id: UUID, is_typing: bool) -> None:
        timer = self._timers.pop(room_id, None)
        if timer is not None:
            timer.cancel()
        if is_typing and len(self._timers) < MAX_ROOMS_AT_ONCE:
            loop = asyncio.get_running_loop()
            self._timers[room_id] = loop.call_later(self._seconds, self.set, room_id, False)
            self._tell(room_id, True)
        elif timer is not None:
            self._tell(room_id, False)

    def is_typing(self, room_id: UUID) -> bool:
        return room_id in self._timers

    def end(self) -> None:
        for room_id in tuple(self._timers):
            self.set(room_id, False)
