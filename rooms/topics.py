"""Names of what the hub fans out for rooms."""

from uuid import UUID


def room_topic(room_id: UUID | str) -> str:
    """Heard by every socket of every member."""
    return f"room.{room_id}"
