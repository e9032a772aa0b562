"""The options that the commands of archives have in common."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta

from foundation.durations import parse_seconds
from foundation.ids import read_id

GRACE = timedelta(seconds=30)
MAX_GRACE = timedelta(hours=1)


def add_rooms(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--room", type=read_id, action="append", help="only this room; may be repeated; default: all rooms"
    )


def add_archiving(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--grace",
        type=parse_grace,
        default=GRACE,
        help="seconds to wait for edits in progress before rows are removed; at most 1h",
    )
    parser.add_argument(
        "--in-memory",
        action="store_true",
        help="allow an archive on tmpfs or ramfs, which is lost when the machine or the container ends",
    )


def parse_grace(text: str) -> timedelta:
    """Read the seconds that a run waits for edits in progress."""
    grace = parse_seconds(text)
    if grace > MAX_GRACE:
        raise ArgumentTypeError("Give at most 1h.")
    return grace
