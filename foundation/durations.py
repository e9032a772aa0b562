"""Durations in the arguments of commands, such as `365d`. Those in settings are read by chatproject/environment."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta

from .limits.rates import UNITS

PATTERN = re.compile(r"(\d{1,10}(?:\.\d{1,6})?)([dhms])", re.ASCII)
# A time so far from now is still a time that Python and the databases have.
MAX_DAYS = 36_500


def parse_duration(text: str) -> timedelta:
    """Read `365d`, `12h`, `30m` or `0.5s`. Raises ArgumentTypeError, also for a number without a unit."""
    if found := PATTERN.fullmatch(text):
        seconds = float(found[1]) * UNITS[found[2]]
        if seconds <= MAX_DAYS * UNITS["d"]:
            return timedelta(seconds=seconds)
    raise ArgumentTypeError(f"Give a duration such as 365d, 12h, 30m or 0s, up to {MAX_DAYS}d.")


def parse_age(text: str) -> timedelta:
    """Read the age from which something is taken. Refuses 0: a policy of 0 means "never", an age of 0 "all"."""
    if age := parse_duration(text):
        return age
    raise ArgumentTypeError("Give an age above 0, such as 365d. An age of 0 would be the age of everything.")


def parse_seconds(text: str) -> timedelta:
    """Read a duration that is in seconds if it names no unit: `30` is `30s`."""
    return parse_duration(f"{text}s" if text[-1:].isdigit() else text)
