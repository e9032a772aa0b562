"""Every rate limit of the server, declared once.

From a declaration come the variable and its row in docs/configuration.md, the rate in `settings.RATES`, the series
of `chat_rate_limited`, the field of `ready.limits` and the key of the count. CONTRIBUTING.md has the walk.
"""

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
    """One event to count: under `key`, at most `rate`. A refusal is counted in the series of `scope`."""

    scope: str
    key: str
    rate: Rate


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
    ready_field: str | None
    while_redis_is_away: WhileRedisIsAway

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

    def of(self, owner: object) -> Count | None:
        """One event of `owner`, for example a user id. None while RATE_LIMITS is off."""
        rate = self.rate
        return None if rate is None else Count(self.scope, f"{self.name}:{owner}", rate)


MESSAGES_USER = NamedLimit(
    name="messages:user",
    variable="LIMIT_MESSAGES_USER",
    default="10/5s",
    counts="messages, edits and changes of rooms of a user, over all devices and processes",
    ready_field="messages_user",
    while_redis_is_away=WhileRedisIsAway.EACH_PROCESS_COUNTS,
)
MESSAGES_ROOM = NamedLimit(
    name="messages:room",
    variable="LIMIT_MESSAGES_ROOM",
    default="50/5s",
    counts="messages, edits and changes of a room",
    ready_field="messages_room",
    while_redis_is_away=WhileRedisIsAway.EACH_PROCESS_COUNTS,
)
EVENTS_USER = NamedLimit(
    name="events:user",
    variable="LIMIT_EVENTS_USER",
    default="250/5s",
    counts="deletions, acknowledgements, presence queries and changes of members by a user, in each process",
    ready_field="events_user",
    while_redis_is_away=WhileRedisIsAway.UNCHANGED,
)
TYPING_USER = NamedLimit(
    name="typing:user",
    variable="LIMIT_TYPING_USER",
    default="20/5s",
    counts="typing that a user begins or renews, in each process",
    ready_field="typing_user",
    while_redis_is_away=WhileRedisIsAway.UNCHANGED,
)
ROOMS_USER = NamedLimit(
    name="rooms:user",
    variable="LIMIT_ROOMS_USER",
    default="30/1m",
    counts="rooms that a user makes, also by a first message to somebody",
    ready_field="rooms_user",
    while_redis_is_away=WhileRedisIsAway.EACH_PROCESS_COUNTS,
)
FRAMES = NamedLimit(
    name="frames",
    variable="LIMIT_FRAMES",
    default="50/1s",
    counts="frames of one connection",
    ready_field="frames",
    while_redis_is_away=WhileRedisIsAway.UNCHANGED,
)
RESUMES_USER = NamedLimit(
    name="resumes:user",
    variable="LIMIT_RESUMES_USER",
    default="120/1m",
    counts="resumes of a user, over all devices and processes",
    ready_field="resumes_user",
    while_redis_is_away=WhileRedisIsAway.EACH_PROCESS_COUNTS,
)
REST_ANON = NamedLimit(
    name="rest-anon",
    variable="LIMIT_REST_ANON",
    default="100/15m",
    counts="requests without a token from an address (a /64 network for IPv6)",
    ready_field=None,
    while_redis_is_away=WhileRedisIsAway.EACH_PROCESS_COUNTS,
)
REST_USER = NamedLimit(
    name="rest-user",
    variable="LIMIT_REST_USER",
    default="1000/15m",
    counts="requests of a user",
    ready_field=None,
    while_redis_is_away=WhileRedisIsAway.EACH_PROCESS_COUNTS,
)
LOGIN_ACCOUNT = NamedLimit(
    name="login-account",
    variable="LIMIT_LOGIN_ACCOUNT",
    default="5/1m",
    counts="attempts at the password of an account",
    ready_field=None,
    while_redis_is_away=WhileRedisIsAway.EACH_PROCESS_COUNTS,
)
LOGIN_IP = NamedLimit(
    name="login-ip",
    variable="LIMIT_LOGIN_IP",
    default="20/1m",
    counts="login attempts from an address",
    ready_field=None,
    while_redis_is_away=WhileRedisIsAway.EACH_PROCESS_COUNTS,
)
SIGNUP_IP = NamedLimit(
    name="signup-ip",
    variable="LIMIT_SIGNUP_IP",
    default="10/1h",
    counts="new accounts from an address",
    ready_field=None,
    while_redis_is_away=WhileRedisIsAway.EACH_PROCESS_COUNTS,
)

LIMITS = (
    MESSAGES_USER,
    MESSAGES_ROOM,
    EVENTS_USER,
    TYPING_USER,
    ROOMS_USER,
    FRAMES,
    RESUMES_USER,
    REST_ANON,
    REST_USER,
    LOGIN_ACCOUNT,
    LOGIN_IP,
    SIGNUP_IP,
)
