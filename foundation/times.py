"""Times as the contract shows them: UTC, whole milliseconds, RFC 3339 with a `Z`.

MongoDB stores milliseconds. Times are cut to milliseconds when they are created, so that every database returns the
same time.
"""

import re
from datetime import UTC, datetime

NOT_A_TIME = "Not an RFC 3339 time with an offset, from 1970 on, such as 2026-11-24T03:40:00.000Z."

# RFC 3339, 5.6; `T` and `Z` may be small letters. A datetime has no 24:00 and no leap second.
RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(\.\d+)?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
# Nothing in a chat is older, and ids begin with the milliseconds since then.
FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The current time in UTC, cut to milliseconds."""
    return truncate(datetime.now(UTC))


def truncate(moment: datetime) -> datetime:
    """Cut to milliseconds, without rounding."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def from_timestamp(seconds: float) -> datetime:
    """The time in UTC of a Unix timestamp."""
    return truncate(datetime.fromtimestamp(seconds, UTC))


def parse(text: object) -> datetime:
    """The time in UTC that a client wrote. Raises ValueError, which says what is right, for all but RFC 3339.

    The only parser of times from outside: `fromisoformat` also takes week dates, other separators and no offset.
    """
    match = RFC_3339.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(NOT_A_TIME)
    date, time, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{(fraction or '')[:7]}{offset.upper()}").astimezone(
            UTC
        )
    except (ValueError, OverflowError):
        # No such day, or beyond the year 9999 in UTC.
        raise ValueError(NOT_A_TIME) from None
    if moment < FIRST:
        raise ValueError(NOT_A_TIME)
    return moment


def to_wire(moment: datetime | None) -> str | None:
    """For example `2026-11-24T03:40:00.123Z`. None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
