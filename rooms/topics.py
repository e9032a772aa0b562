"""The topics of rooms, such as `room.01a20bd2-4a6e-7c0b-8f6d-3b7f0f0e9a11`."""

from uuid import UUID

PREFIX = "room."


def room_topic(room_id: UUID | str) -> str:
    """The topic that every socket of every member subscribes to."""
    return f"{PREFIX}{room_id}"


def room_of(topic: str) -> UUID | None:
    """The id of the room with this topic; None for a topic of another kind."""
    return UUID(topic.removeprefix(PREFIX)) if topic.startswith(PREFIX) else None
