"""Names of what the hub fans out for rooms."""

from uuid import UUID

PREFIX = "room."


def room_topic(room_id: UUID | str) -> str:
    """Heard by every socket of every member."""
    return f"{PREFIX}{room_id}"


def room_of(topic: str) -> UUID | None:
    """The room whose topic this is."""
    return UUID(topic.removeprefix(PREFIX)) if topic.startswith(PREFIX) else None
