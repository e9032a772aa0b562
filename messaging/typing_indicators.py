"""Typing indicators of one connection: published, never stored, and ended by a timer unless they are renewed."""

import asyncio
from uuid import UUID

from .services.publishing import publish_typing

TYPING_SECONDS = 6.0
MAX_ROOMS_AT_ONCE = 20


class TypingIndicators:
    """The rooms in which a connection's user is typing. Each ends `seconds` after it was last renewed."""

    def __init__(self, user_id: UUID, *, seconds: float = TYPING_SECONDS) -> None:
        self._user_id = user_id
        self._seconds = seconds
        self._timers: dict[UUID, asyncio.TimerHandle] = {}

    def set(self, room_id: UUID, is_typing: bool) -> None:
        """Start, renew or end typing in a room. Ignored for a room beyond MAX_ROOMS_AT_ONCE.

        A renewal is published too, because clients clear what they show after 6 s as well.
        """
        timer = self._timers.pop(room_id, None)
        if timer is not None:
            timer.cancel()
        if is_typing and len(self._timers) < MAX_ROOMS_AT_ONCE:
            loop = asyncio.get_running_loop()
            self._timers[room_id] = loop.call_later(self._seconds, self.set, room_id, False)
            publish_typing(room_id=room_id, user_id=self._user_id, is_typing=True)
        elif timer is not None:
            publish_typing(room_id=room_id, user_id=self._user_id, is_typing=False)

    def is_typing(self, room_id: UUID) -> bool:
        return room_id in self._timers

    def end(self) -> None:
        """End typing in every room."""
        for room_id in tuple(self._timers):
            self.set(room_id, False)
