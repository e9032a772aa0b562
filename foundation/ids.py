"""Identifiers: UUID version 7, which sort by the time they were made (RFC 9562)."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7 as _uuid7

from .errors import NotFound


def uuid7() -> UUID:
    return _uuid7()


def parse_uuid(text: str) -> UUID:
    """The UUID that `text` names; a malformed one cannot name anything, so it is NotFound."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound from error


def first_id_at(moment: datetime) -> UUID:
    """The smallest UUID version 7 of this millisecond: ids from it on were made then or later."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
