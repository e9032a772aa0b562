"""Writes to users: profiles, privileges, deactivation.

Services are async, take keyword arguments, and publish after the write. Sign-up and passwords are in `logins`.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q

from foundation.database import run_db
from foundation.errors import Conflict
from foundation.security_log import Action, Outcome, record, recorded
from realtime.hub.hub import get_hub

from . import selectors
from .activity import activity_changed
from .models import User
from .sessions import end_user_sessions
from .superusers import keep_one_superuser
from .topics import user_address

# The fields of `change_account` that say what a user may do.
PRIVILEGES = {"is_staff", "is_superuser", "groups", "user_permissions"}
RELATIONS = {"groups", "user_permissions"}


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
    """Set the fields that the admin's form gives: profile, privileges, `groups`, `user_permissions`.

    Raises Conflict if one of them is changed by somebody else at the same time, and for the rights of the last
    superuser.
    """
    user = await run_db(selectors.get_user, user_id=user_id)
    given = PRIVILEGES & changes.keys()
    shown = {name: changes[name] for name in given if isinstance(changes[name], bool)}
    action = Action.ROLE_CHANGE if given else Action.ACCOUNT_CHANGE
    with recorded(action, account=user.pk, fields=sorted(changes), **shown):
        await run_db(_change_account, user, changes)


def _change_account(user: User, changes: dict[str, Any]) -> None:
    columns = {name: value for name, value in changes.items() if name not in RELATIONS}
    present = {name: getattr(user, name) for name in columns}
    if "display_name" in columns:
        user.set_display_name(columns["display_name"])
        columns["display_name_key"] = user.display_name_key
    unchanged = User.objects.filter(pk=user.pk, **present)
    if columns and not keep_one_superuser(user, columns, partial(unchanged.update, **columns)):
        raise Conflict("Somebody else changed this account at the same time. Look at it again.")
    for name in RELATIONS & changes.keys():
        getattr(user, name).set(changes[name])


async def deactivate_user(*, user_id: UUID) -> bool:
    """Deactivate the account at once: its logins, tokens and sockets stop working. False if it was before.

    Safe to repeat. Raises Conflict for the last superuser.
    """
    with recorded(Action.ACCOUNT_CHANGE, account=user_id, is_active=False):
        changed = await run_db(_deactivate, user_id)
    get_hub().send_control([user_address(user_id)], "user:deactivated", {})
    await end_user_sessions(user_id=user_id, reason="deactivated")
    await activity_changed(user_id)
    return changed


def _deactivate(user_id: UUID) -> bool:
    active = User.objects.filter(pk=user_id, is_active=True)
    change = {"is_active": False}
    user = selectors.get_user(user_id=user_id)
    return bool(keep_one_superuser(user, change, partial(active.update, **change)))


async def reactivate_user(*, user_id: UUID) -> bool:
    """Let the user log in again. The old sessions stay ended. False if they could before. Safe to repeat."""
    changed = await run_db(User.objects.filter(pk=user_id, is_active=False).update, is_active=True)
    record(Action.ACCOUNT_CHANGE, outcome=Outcome.OK, account=user_id, is_active=True)
    await activity_changed(user_id)
    return bool(changed)


async def record_last_seen(*, seen: Mapping[UUID, datetime]) -> None:
    """Move users' `last_seen` up to these times, never down. Safe to repeat, and to run twice at once."""
    if seen:
        await run_db(_record_last_seen, seen)


def _record_last_seen(seen: Mapping[UUID, datetime]) -> None:
    for user_id, at in seen.items():
        older = User.objects.filter(Q(last_seen=None) | Q(last_seen__lt=at), pk=user_id)
        older.update(last_seen=at)
