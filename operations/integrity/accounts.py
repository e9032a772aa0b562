"""Rules of users, by which they are found, and of their sessions."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from accounts.models import Session, User
from accounts.names import fold_email, search_key, username_key
from foundation import times

from .paging import pages
from .rules import Options, Rule, Violation, rule

USERNAME_KEY = rule(
    "username_key",
    "The `username_key` of a user is the folded username, by which the user is found.",
    repair="Folds the name, unless another user has it.",
)
EMAIL = rule(
    "email",
    "An email address is stored folded, as login looks for it.",
    repair="Folds the address, unless another user has it.",
)
DISPLAY_NAME_KEY = rule(
    "display_name_key", "The `display_name_key` of a user is the folded name.", repair="Folds the name."
)
SESSION_LIVE = rule(
    "session_live",
    "A deactivated user has no live session.",
    repair="Ends the session, as deactivation does.",
)


def check_accounts(options: Options) -> Iterator[Violation]:
    columns = ("pk", "username", "username_key", "email", "display_name", "display_name_key")
    for page in pages(User.objects.all(), *columns):
        for pk, username, key, email, display_name, display_key in page:
            if username is not None:
                yield from _check_key(
                    USERNAME_KEY, pk, ("username_key", key, username_key(username)), options
                )
            if email is not None:
                yield from _check_key(EMAIL, pk, ("email", email, fold_email(email)), options)
            if display_name is not None:
                wanted = search_key(display_name)
                yield from _check_key(
                    DISPLAY_NAME_KEY, pk, ("display_name_key", display_key, wanted), options
                )
    yield from _check_sessions(options)


def _check_key(broken: Rule, pk: UUID, change: tuple[str, Any, str], options: Options) -> Iterator[Violation]:
    """`change` is the column, its value, and the value that it should have."""
    column, value, wanted = change
    if value == wanted:
        return
    field = User._meta.get_field(column)
    taken = getattr(field, "unique", False) and User.objects.filter(**{column: wanted}).exists()
    repaired = options.repair and not taken
    if repaired:
        # Unless it has changed meanwhile.
        User.objects.filter(pk=pk, **{column: value}).update(**{column: wanted})
    other = ", and another user has the folded one" if taken else ""
    yield broken.broken(f"user {pk}: {column} is not folded{other}", repaired=repaired)


def _check_sessions(options: Options) -> Iterator[Violation]:
    for page in pages(User.objects.filter(is_active=False), "pk"):
        users = [pk for (pk,) in page]
        if _live(users):
            # Deactivation ends them after it.
            time.sleep(options.lag_seconds)
        for pk, user_id in _live(users):
            if options.repair:
                Session.objects.filter(pk=pk, revoked_at=None).update(revoked_at=times.now())
            yield SESSION_LIVE.broken(
                f"session {pk}: is live, and user {user_id} is deactivated", repaired=options.repair
            )


def _live(users: list[UUID]) -> list[tuple[UUID, UUID]]:
    sessions = Session.objects.filter(user_id__in=users, revoked_at=None, expires_at__gt=times.now())
    return list(sessions.values_list("pk", "user_id"))
