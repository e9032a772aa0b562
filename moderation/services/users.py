"""Moderators act on users and their sessions."""

from functools import partial
from typing import Any
from uuid import UUID

from accounts import selectors as accounts
from accounts import services as account_services
from accounts import sessions
from accounts.models import User
from foundation.database import run_db
from foundation.errors import Forbidden

from ..audit import Target
from .cases import Case, carry_out


async def deactivate_user(*, case: Case, user_id: UUID) -> None:
    """Lock the account at once; its sockets close with 4403.

    Forbidden for the moderator's own account, and for a superuser's unless the moderator is a superuser too.
    """
    user = await _require_actionable(case, user_id)
    action = partial(account_services.deactivate_user, user_id=user_id)
    await carry_out(case, "deactivate_user", _target(user), action)


async def reactivate_user(*, case: Case, user_id: UUID) -> None:
    """Unlock the account. Forbidden as for `deactivate_user`."""
    user = await _require_actionable(case, user_id)
    action = partial(account_services.reactivate_user, user_id=user_id)
    await carry_out(case, "reactivate_user", _target(user), action)


async def end_user_sessions(*, case: Case, user_id: UUID) -> None:
    """End all sessions of the user; their sockets close with 4401."""
    user = await run_db(accounts.get_user, user_id=user_id)
    action = partial(sessions.end_user_sessions, user_id=user_id)
    await carry_out(case, "end_sessions", _target(user), action)


async def end_session(*, case: Case, user_id: UUID, session_id: UUID) -> None:
    """End one session of the user; its sockets close with 4401."""
    target = Target("session", session_id, details={"userId": str(user_id)})
    action = partial(sessions.end_session, user_id=user_id, session_id=session_id)
    await carry_out(case, "end_session", target, action)


async def change_account(*, case: Case, user_id: UUID, changes: dict[str, Any]) -> None:
    """Change profile and privileges. `changes` maps the name of a field to its new value."""
    user = await run_db(accounts.get_user, user_id=user_id)
    target = Target("user", user_id, user.username, details={name: str(v) for name, v in changes.items()})
    action = partial(account_services.change_account, user_id=user_id, **changes)
    await carry_out(case, "change_account", target, action)


async def _require_actionable(case: Case, user_id: UUID) -> User:
    user = await run_db(accounts.get_user, user_id=user_id)
    if user.pk == case.moderator_id:
        raise Forbidden("You cannot do this to your own account.")
    if user.is_superuser and not case.is_superuser:
        raise Forbidden("Only a superuser may do this to a superuser.")
    return user


def _target(user: User) -> Target:
    return Target("user", user.pk, user.username)
