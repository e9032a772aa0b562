"""Writes to users: sign-up, login, passwords, profiles, deactivation. Writes to sessions are in `sessions`.

Services are async, take keyword arguments, and publish after the write.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from foundation.database import run_db
from foundation.errors import Conflict, Forbidden, Invalid, InvalidCredentials
from realtime.hub.hub import get_hub

from . import passwords, selectors
from .activity import activity_changed
from .models import User
from .names import fold_email, is_reserved
from .sessions import end_user_sessions, open_session
from .tokens import TokenPair
from .topics import user_address

TAKEN = "This {} is taken."
RESERVED = "This username is reserved. Choose another one."


@dataclass(frozen=True, slots=True)
class Login:
    user: User
    tokens: TokenPair


@sensitive_variables("password")
async def signup(
    *, username: str, email: str, password: str, display_name: str = "", ip: str, user_agent: str
) -> Login:
    """Create an account and open its first session. Raises Conflict, Invalid.

    A crash in between leaves an account without a session; its owner can log in.
    """
    if is_reserved(username):
        raise Invalid(fields={"username": [RESERVED]})
    user = User.objects.build(username=username, email=email, display_name=display_name)
    await run_db(_require_free, user)
    user.password = await passwords.encode(password, user=user, field="password")
    await run_db(_insert, user)
    return Login(user, await open_session(user=user, ip=ip, user_agent=user_agent))


@sensitive_variables("password")
async def login(*, email: str, password: str, ip: str, user_agent: str) -> Login:
    """Open a session. Raises InvalidCredentials, for an unknown email too, and after the same work.

    Raises Forbidden for a deactivated account, but only if the password is right.
    """
    user = await run_db(User.objects.filter(email=fold_email(email)).first)
    matches, outdated = await passwords.check(password, user.password if user else None)
    if user is None or not matches:
        raise InvalidCredentials
    if not user.is_active:
        raise Forbidden(selectors.DEACTIVATED)
    if outdated:
        await _renew_hash(user, password)
    return Login(user, await open_session(user=user, ip=ip, user_agent=user_agent))


@sensitive_variables("current_password", "new_password")
async def change_password(
    *, user_id: UUID, session_id: UUID | None, current_password: str, new_password: str
) -> None:
    """Set a new password and end every session of the user but `session_id`. Raises Invalid, Conflict.

    Sessions are ended before the write, so that a crash in between leaves nobody else logged in. They are ended
    again after the write, because some may have been opened with the old password in between; `open_session` ends
    any later ones.
    """
    user = await run_db(selectors.get_user, user_id=user_id)
    matches, _ = await passwords.check(current_password, user.password)
    if not matches:
        raise Invalid(fields={"currentPassword": ["This is not your password."]})
    encoded = await passwords.encode(new_password, user=user, field="newPassword")
    await end_user_sessions(user_id=user_id, except_session_id=session_id)
    unchanged = User.objects.filter(pk=user_id, password=user.password)
    if not await run_db(unchanged.update, password=encoded):
        raise Conflict("The password was changed elsewhere at the same time. Log in again.")
    await end_user_sessions(user_id=user_id, except_session_id=session_id)


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


async def deactivate_user(*, user_id: UUID) -> None:
    """Deactivate the account at once: its logins, tokens and sockets stop working. Safe to repeat."""
    await run_db(User.objects.filter(pk=user_id).update, is_active=False)
    get_hub().send_control([user_address(user_id)], "user:deactivated", {})
    await end_user_sessions(user_id=user_id)
    await activity_changed(user_id)


async def reactivate_user(*, user_id: UUID) -> None:
    """Let the user log in again. The old sessions stay ended. Safe to repeat."""
    await run_db(User.objects.filter(pk=user_id).update, is_active=True)
    await activity_changed(user_id)


async def record_last_seen(*, seen: Mapping[UUID, datetime]) -> None:
    """Move users' `last_seen` up to these times, never down. Safe to repeat, and to run twice at once."""
    if seen:
        await run_db(_record_last_seen, seen)


def _record_last_seen(seen: Mapping[UUID, datetime]) -> None:
    for user_id, at in seen.items():
        older = User.objects.filter(Q(last_seen=None) | Q(last_seen__lt=at), pk=user_id)
        older.update(last_seen=at)


def _require_free(user: User) -> None:
    taken = {}
    if User.objects.filter(username_key=user.username_key).exists():
        taken["username"] = [TAKEN.format("username")]
    if User.objects.filter(email=user.email).exists():
        taken["email"] = [TAKEN.format("email")]
    if taken:
        raise Conflict("There is an account with this username or email.", fields=taken)


def _insert(user: User) -> None:
    try:
        user.save(force_insert=True)
    except IntegrityError as error:
        # Another sign-up came between the check and this insert. Checked again to name the field.
        _require_free(user)
        raise Conflict("There is an account with this username or email.") from error


@sensitive_variables("password")
async def _renew_hash(user: User, password: str) -> None:
    """Replace an outdated hash, unless the password was changed since it was read."""
    old, user.password = user.password, await passwords.rehash(password)
    await run_db(User.objects.filter(pk=user.pk, password=old).update, password=user.password)
