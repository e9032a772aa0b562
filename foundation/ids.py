"""Identifiers: UUID version 7, which sort by the time of their creation (RFC 9562)."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7 as _uuid7

from .errors import NotFound


def uuid7() -> UUID:
    return _uuid7()


def parse_uuid(text: str) -> UUID:
    """Read a UUID. Raises NotFound for malformed text, because nothing has such an id."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound from error


def first_id_at(moment: datetime) -> UUID:
    """The smallest UUID version 7 of this millisecond. No id that is created then or later is smaller."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
