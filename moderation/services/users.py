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
    """Lock the account out at once; its sockets close with 4403. Forbidden for oneself, and for superusers by
    those who are none."""
    user = await _require_judged(case, user_id)
    deed = partial(account_services.deactivate_user, user_id=user_id)
    await carry_out(case, "deactivate_user", _user_target(user), deed)


async def reactivate_user(*, case: Case, user_id: UUID) -> None:
    user = await _require_judged(case, user_id)
    deed = partial(account_services.reactivate_user, user_id=user_id)
    await carry_out(case, "reactivate_user", _user_target(user), deed)


async def end_user_sessions(*, case: Case, user_id: UUID) -> None:
    """End every login of the user; the sockets close with 4401."""
    user = await run_db(accounts.get_user, user_id=user_id)
    deed = partial(sessions.end_user_sessions, user_id=user_id)
    await carry_out(case, "end_sessions", _user_target(user), deed)


async def end_session(*, case: Case, user_id: UUID, session_id: UUID) -> None:
    deed = partial(sessions.end_session, user_id=user_id, session_id=session_id)
    await carry_out(
        case, "end_session", Target("session", session_id, details={"userId": str(user_id)}), deed
    )


async def change_account(*, case: Case, user_id: UUID, changes: dict[str, Any]) -> None:
    """Change what the admin's form may: profile and privileges. `changes` maps a field to its new value."""
    user = await run_db(accounts.get_user, user_id=user_id)
    target = Target("user", user_id, user.username, details={name: str(v) for name, v in changes.items()})
    await carry_out(
        case, "change_account", target, partial(account_services.change_account, user_id=user_id, **changes)
    )


async def _require_judged(case: Case, user_id: UUID) -> User:
    user = await run_db(accounts.get_user, user_id=user_id)
    if user.pk == case.moderator_id:
        raise Forbidden("You cannot do this to your own account.")
    if user.is_superuser and not case.is_superuser:
        raise Forbidden("Only a superuser may do this to a superuser.")
    return user


def _user_target(user: User) -> Target:
    return Target("user", user.pk, user.username)
