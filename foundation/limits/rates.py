"""A rate limit as a setting: `10/5s` is ten in five seconds."""

import re
from typing import NamedTuple

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PATTERN = re.compile(r"(\d{1,7})/(\d{0,9})([smhd])", re.ASCII)
# Times in Redis have three digits after the millisecond (gcra.lua): more events in a second would not be counted.
MAX_EVENTS = 1_000_000
MAX_SECONDS = 31 * 86400


class Rate(NamedTuple):
    """At most `events` in `seconds`. A tuple, because django-ratelimit takes a tuple."""

    events: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Read `10/5s`, `100/15m` or `5/h`. Raises ValueError."""
        match = PATTERN.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a rate; write count/period, for example 10/5s, 100/15m or 5/h")
        rate = cls(int(match[1]), int(match[2] or 1) * UNITS[match[3]])
        if not (1 <= rate.events <= MAX_EVENTS and 1 <= rate.seconds <= MAX_SECONDS):
            raise ValueError(f"{text!r} is not a rate from 1/31d to {MAX_EVENTS}/1s")
        return rate

    def __str__(self) -> str:
        return f"{self.events}/{self.seconds}s"
