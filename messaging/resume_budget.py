"""ResumeBudget: how many messages, and bytes of frames, one resume still sends."""

from typing import Self

from django.conf import settings


class ResumeBudget:
    def __init__(self, *, max_messages: int, max_bytes: int) -> None:
        self.messages_left = max_messages
        self._bytes_left = max_bytes
        self._half = max_messages // 2, max_bytes // 2

    @classmethod
    def configured(cls) -> Self:
        return cls(max_messages=settings.RESUME_MAX_MESSAGES, max_bytes=settings.RESUME_MAX_BYTES)

    def half_spent(self) -> bool:
        messages, size_bytes = self._half
        return self.messages_left <= messages or self._bytes_left <= size_bytes

    def fits(self, frames: list[bytes]) -> bool:
        return len(frames) <= self.messages_left and sum(map(len, frames)) <= self._bytes_left

    def take(self, messages: int, frames: list[bytes]) -> None:
        """Count messages that were read, and the frames that were made of them."""
        self.messages_left -= messages
        self._bytes_left -= sum(map(len, frames))
