"""Moderators act on users and their sessions.

Only a superuser acts on staff; whoever else is staff acts on users who are not.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

from accounts import selectors as accounts
from accounts import services as account_services
from accounts import sessions
from accounts.models import User
from accounts.services import PRIVILEGES
from foundation.database import run_db
from foundation.errors import Conflict, Forbidden, NotFound
from foundation.security_log import Action, recorded

from ..audit import Target
from .cases import Case, carry_out


def may_act_on(moderator: User, user: User) -> bool:
    """Whether the moderator, who is staff, may act on the account. Staff may change their own profile."""
    return moderator.is_superuser or moderator.pk == user.pk or not (user.is_staff or user.is_superuser)


async def deactivate_user(*, case: Case, user_id: UUID) -> None:
    """Lock the account at once; its sockets close with 4403.

    Forbidden for the moderator's own account, and for staff unless the moderator is a superuser. Conflict for an
    account that is deactivated already, and for the last superuser.
    """
    user = await _actionable(case, "deactivate_user", user_id, own=False)
    change = partial(account_services.deactivate_user, user_id=user_id)
    action = partial(_require_change, change, "This account is deactivated already.")
    await carry_out(case, "deactivate_user", _target(user), action)


async def reactivate_user(*, case: Case, user_id: UUID) -> None:
    """Unlock the account. Forbidden as for `deactivate_user`; Conflict for an account that is active."""
    user = await _actionable(case, "reactivate_user", user_id, own=False)
    change = partial(account_services.reactivate_user, user_id=user_id)
    action = partial(_require_change, change, "This account is active already.")
    await carry_out(case, "reactivate_user", _target(user), action)


async def end_user_sessions(*, case: Case, user_id: UUID) -> None:
    """End all sessions of the user; their sockets close with 4401. Forbidden for staff, but not for oneself."""
    user = await _actionable(case, "end_sessions", user_id)
    action = partial(sessions.end_user_sessions, user_id=user_id)
    await carry_out(case, "end_sessions", _target(user), action)


async def end_session(*, case: Case, user_id: UUID, session_id: UUID) -> None:
    """End one session of the user; its sockets close with 4401. Forbidden as for `end_user_sessions`."""
    await _actionable(case, "end_session", user_id)
    target = Target("session", session_id, details={"userId": str(user_id)})
    action = partial(sessions.end_session, user_id=user_id, session_id=session_id)
    await carry_out(case, "end_session", target, action)


async def change_account(*, case: Case, user_id: UUID, changes: dict[str, Any]) -> None:
    """Change profile and privileges. `changes` maps the name of a field to its new value.

    Forbidden for staff, but not for oneself, and for privileges, unless the moderator is a superuser. Conflict if
    somebody else changes the same at once, and for the rights of the last superuser.
    """
    user = await _actionable(case, "change_account", user_id, privileges=bool(PRIVILEGES & changes.keys()))
    target = Target("user", user_id, user.username, details={name: _shown(v) for name, v in changes.items()})
    action = partial(account_services.change_account, user_id=user_id, **changes)
    await carry_out(case, "change_account", target, action)


async def _actionable(
    case: Case, name: str, user_id: UUID, *, own: bool = True, privileges: bool = False
) -> User:
    """The user, if the moderator may act on them now; a refusal is written to the security log only."""
    users = await run_db(accounts.get_users, user_ids=[user_id, case.moderator_id])
    user, moderator = users.get(user_id), users.get(case.moderator_id)
    if user is None:
        raise NotFound(accounts.NO_USER)
    problem = None
    if moderator is None or not moderator.is_active or not moderator.is_staff:
        problem = "You are no longer staff."
    elif user.pk == moderator.pk and not own:
        problem = "You cannot do this to your own account."
    elif not may_act_on(moderator, user) or (privileges and not moderator.is_superuser):
        problem = "Only a superuser may do this to staff."
    if problem:
        with recorded(Action.STAFF_ACTION, account=user_id, actor=case.moderator_id, name=name):
            raise Forbidden(problem)
    return user


async def _require_change(change: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    if not await change():
        raise Conflict(otherwise)


def _target(user: User) -> Target:
    return Target("user", user.pk, user.username)


def _shown(value: Any) -> str:
    """For the log; of groups and permissions, their names."""
    return (
        ", ".join(map(str, value))
        if hasattr(value, "__iter__") and not isinstance(value, str)
        else str(value)
    )
