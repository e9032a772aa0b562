"""What a rate limit consists of. The limits themselves are declared in named.py."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from django.conf import settings

from .rates import Rate


class WhileRedisIsAway(Enum):
    """How a limit works until Redis answers again; the text is shown in docs/configuration.md."""

    EACH_PROCESS_COUNTS = "While Redis is away, each process counts for itself"
    UNCHANGED = "Works without Redis"


class Count(NamedTuple):
    """Events to count together: under `key`, at most `rate`. A refusal is counted in the series of `scope`."""

    scope: str
    key: str
    rate: Rate
    events: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLimit:
    """The declaration of a limit. Only limits in `LIMITS` have a rate; others raise LookupError when used.

    `name` is `scope` or `scope:detail`; limits of one scope share a series of `chat_rate_limited`.
    `ready_field` names the field of `ready.limits` in Python's spelling. It is None for a limit of REST alone,
    which clients of a socket never reach.
    """

    name: str
    variable: str
    default: str
    counts: str
    ready_field: str | None = None
    while_redis_is_away: WhileRedisIsAway = WhileRedisIsAway.EACH_PROCESS_COUNTS

    @property
    def scope(self) -> str:
        """The label of `chat_rate_limited`; dashboards and alerts rely on it."""
        return self.name.partition(":")[0]

    @property
    def configured(self) -> Rate:
        """The rate of the settings, also while RATE_LIMITS is off."""
        rate: Rate = settings.RATES[self.variable]
        return rate

    @property
    def rate(self) -> Rate | None:
        """The rate that is in force, or None while RATE_LIMITS is off."""
        return self.configured if settings.RATE_LIMITS else None

    def of(self, owner: object, *, events: int = 1) -> Count | None:
        """Events of `owner`, for example a user id. None while RATE_LIMITS is off, or if there are no events.

        More events than the rate has in a period are refused however long one waits: check that first.
        """
        rate = self.rate
        return Count(self.scope, f"{self.name}:{owner}", rate, events) if rate and events else None
