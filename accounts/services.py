"""Writes to users: profiles, privileges, deactivation.

Services are async, take keyword arguments, and publish after the write. Sign-up and passwords are in `logins`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from foundation.database import run_db
from foundation.security_log import Action, Outcome, record
from realtime.hub.hub import get_hub

from . import selectors
from .activity import activity_changed
from .models import User
from .sessions import end_user_sessions
from .topics import user_address

# The fields of `change_account` that say what a user may do.
PRIVILEGES = {"is_staff", "is_superuser", "groups", "user_permissions"}


async def update_profile(
    *, user_id: UUID, display_name: str | None = None, avatar_url: str | None = None
) -> User:
    """Change the fields that are not None; an empty `avatar_url` removes the picture. Returns the stored user."""
    user = await run_db(selectors.get_user, user_id=user_id)
    changed = []
    if display_name is not None and display_name != user.display_name:
        user.set_display_name(display_name)
        changed += ["display_name", "display_name_key"]
    if avatar_url is not None and avatar_url != user.avatar_url:
        user.avatar_url = avatar_url
        changed += ["avatar_url"]
    if changed:
        await run_db(user.save, update_fields=changed)
    return user


async def change_account(*, user_id: UUID, **changes: Any) -> None:
    """Set the fields that the admin's form gives: profile, privileges, `groups`, `user_permissions`."""
    user = await run_db(selectors.get_user, user_id=user_id)
    await run_db(_change_account, user, changes)


def _change_account(user: User, changes: dict[str, Any]) -> None:
    columns = []
    for name, value in changes.items():
        if name in ("groups", "user_permissions"):
            getattr(user, name).set(value)
        elif name == "display_name":
            user.set_display_name(value)
            columns += ["display_name", "display_name_key"]
        else:
            setattr(user, name, value)
            columns.append(name)
    if columns:
        user.save(update_fields=columns)
    if given := PRIVILEGES & changes.keys():
        shown = {name: changes[name] for name in given if isinstance(changes[name], bool)}
        record(Action.ROLE_CHANGE, outcome=Outcome.OK, account=user.pk, fields=sorted(given), **shown)


async def deactivate_user(*, user_id: UUID) -> None:
    """Deactivate the account at once: its logins, tokens and sockets stop working. Safe to repeat."""
    await run_db(User.objects.filter(pk=user_id).update, is_active=False)
    get_hub().send_control([user_address(user_id)], "user:deactivated", {})
    await end_user_sessions(user_id=user_id, reason="deactivated")
    record(Action.ACCOUNT_CHANGE, outcome=Outcome.OK, account=user_id, is_active=False)
    await activity_changed(user_id)


async def reactivate_user(*, user_id: UUID) -> None:
    """Let the user log in again. The old sessions stay ended. Safe to repeat."""
    await run_db(User.objects.filter(pk=user_id).update, is_active=True)
    record(Action.ACCOUNT_CHANGE, outcome=Outcome.OK, account=user_id, is_active=True)
    await activity_changed(user_id)


async def record_last_seen(*, seen: Mapping[UUID, datetime]) -> None:
    """Move users' `last_seen` up to these times, never down. Safe to repeat, and to run twice at once."""
    if seen:
        await run_db(_record_last_seen, seen)


def _record_last_seen(seen: Mapping[UUID, datetime]) -> None:
    for user_id, at in seen.items():
        older = User.objects.filter(Q(last_seen=None) | Q(last_seen__lt=at), pk=user_id)
        older.update(last_seen=at)
