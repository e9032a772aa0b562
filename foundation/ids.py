"""Identifiers: UUID version 7, which sort by the time of their creation (RFC 9562)."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7 as _uuid7

from .errors import NotFound

NOT_AN_ID = "Must be a valid UUID, such as 01a20bd1-bed6-707d-bd3a-71bea614e6cb."
ID_CHARS = 36
LAST_MILLISECOND = 2**48 - 1


def uuid7() -> UUID:
    return _uuid7()


def read_id(value: object) -> UUID:
    """The id that a client wrote: 8-4-4-4-12 hexadecimal digits in any case. Raises ValueError for all else.

    The only parser of ids from outside: Python's UUID also takes braces, `urn:uuid:` and hyphens at any place.
    """
    if not isinstance(value, str) or len(value) != ID_CHARS:
        raise ValueError(NOT_AN_ID)
    try:
        # Of texts this long msgspec takes no other form.
        return msgspec.convert(value, UUID)
    except msgspec.ValidationError:
        raise ValueError(NOT_AN_ID) from None


def parse_uuid(text: str) -> UUID:
    """The id in a path. Raises NotFound for malformed text, because nothing has such an id."""
    try:
        return read_id(text)
    except ValueError as error:
        raise NotFound from error


def first_id_at(moment: datetime, *, slack: timedelta = timedelta(0)) -> UUID:
    """The smallest UUID version 7 of this millisecond. No id that is created then or later is smaller.

    `slack` is added to the time, which it may take over either end.
    """
    milliseconds = int((moment.timestamp() + slack.total_seconds()) * 1000)
    return UUID(int=min(max(0, milliseconds), LAST_MILLISECOND) << 80)
