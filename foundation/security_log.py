"""The security log: what happened to accounts, sessions, keys and privileges, and how it ended.

Each event is one JSON record of the logger `chat.security`, and one count of `chat_security_events_total`. Alerts
rely on both names. Accounts are keyed hashes: with SECRET_KEY one finds the records of an account; a reader of the
log alone learns no email from it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac
from prometheus_client import Counter

from . import context
from .errors import ChatError, Overloaded, RateLimited

logger = logging.getLogger("chat.security")

SALT = "foundation.security_log"
HASH_CHARS = 24


class Action(StrEnum):
    """What was done or tried. A new kind of event is a new member: the metric has a series for each."""

    SIGNUP = "signup"
    LOGIN = "login"
    DESK_LOGIN = "desk_login"
    PASSWORD_CHANGE = "password_change"
    TOKEN_REUSE = "token_reuse"
    SESSION_END = "session_end"
    ROLE_CHANGE = "role_change"
    ACCOUNT_CHANGE = "account_change"
    STAFF_ACTION = "staff_action"
    KEY_ROTATION = "key_rotation"
    PRIVATE_READ = "private_read"


class Outcome(StrEnum):
    """How it ended: `refused` by a rule or a wrong password, `limited` before it was tried, `failed` by a fault."""

    OK = "ok"
    REFUSED = "refused"
    LIMITED = "limited"
    FAILED = "failed"


EVENTS = Counter("chat_security_events", "Events of the security log.", ["action", "outcome"])
# Series from the start: PromQL's `rate` does not count the first increase of a series that appears with it.
for _action in Action:
    for _outcome in Outcome:
        EVENTS.labels(_action, _outcome)


def record(
    action: Action,
    *,
    outcome: Outcome,
    account: object = "",
    ip: str | None = None,
    actor: object = "",
    **detail: Any,
) -> None:
    """Write one event, also where LOG_LEVEL hides others.

    `account` is whom it happened to, and `actor` who did it where that is somebody else: a user's id, or the email
    that was given where no account has it. Both are hashed. `ip` is by default the address of the request or
    connection. `detail` goes into the log as it is: never a secret, an email or a text of a user.
    """
    EVENTS.labels(action, outcome).inc()
    fields: dict[str, Any] = {
        "action": str(action),
        "outcome": str(outcome),
        "account": account_hash(account),
        "ip": ip or context.client_ip.get(),
        "actor": account_hash(actor),
        "detail": detail,
    }
    logger.log(
        logging.INFO if outcome is Outcome.OK else logging.WARNING,
        "security event",
        extra={name: value for name, value in fields.items() if value},
    )


@dataclass(slots=True)
class Event:
    """What is known of an event while it runs; see `record`."""

    account: object
    actor: object
    detail: dict[str, Any] = field(default_factory=dict)


@contextmanager
def recorded(action: Action, *, account: object = "", actor: object = "", **detail: Any) -> Iterator[Event]:
    """Record how the block ended, with the code of its error. The block may name the account in the event."""
    event = Event(account, actor, detail)
    outcome = Outcome.OK
    try:
        yield event
    except Exception as error:
        outcome = _outcome_of(error)
        event.detail |= {"error": error.code if isinstance(error, ChatError) else type(error).__name__}
        raise
    finally:
        record(action, outcome=outcome, account=event.account, actor=event.actor, **event.detail)


def _outcome_of(error: Exception) -> Outcome:
    if isinstance(error, RateLimited | Overloaded):
        return Outcome.LIMITED
    return Outcome.REFUSED if isinstance(error, ChatError) and not error.temporary else Outcome.FAILED


def account_hash(account: object) -> str:
    """The name of an account in the security log; empty for none. The same as long as SECRET_KEY is."""
    text = str(account or "")
    if not text:
        return ""
    return salted_hmac(SALT, text, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()[:HASH_CHARS]
