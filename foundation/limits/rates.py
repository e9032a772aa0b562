"""A rate limit as a setting: `10/5s` is ten in five seconds."""

import re
from typing import NamedTuple

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PATTERN = re.compile(r"(\d+)/(\d*)([smhd])")


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
        if rate.events < 1 or rate.seconds < 1:
            raise ValueError(f"{text!r} is not a rate; count and period must be at least 1")
        return rate

    def __str__(self) -> str:
        return f"{self.events}/{self.seconds}s"
