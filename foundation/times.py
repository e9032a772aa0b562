"""Times as the contract shows them: UTC, whole milliseconds, RFC 3339 with a `Z`.

MongoDB stores milliseconds. Times are cut to milliseconds when they are created, so that every database returns the
same time.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """The current time in UTC, cut to milliseconds."""
    return truncate(datetime.now(UTC))


def truncate(moment: datetime) -> datetime:
    """Cut to milliseconds, without rounding."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def from_timestamp(seconds: float) -> datetime:
    """The time in UTC of a Unix timestamp."""
    return truncate(datetime.fromtimestamp(seconds, UTC))


def to_wire(moment: datetime | None) -> str | None:
    """For example `2026-11-24T03:40:00.123Z`. None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
