"""Identifiers: UUID version 7, which sort by the time they were made (RFC 9562)."""

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
