"""Writes around a password: sign-up, its check, and its change.

Services are async and take keyword arguments. Limits are counted before them, in `credentials` and `views`.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError
from django.views.decorators.debug import sensitive_variables

from foundation.database import run_db
from foundation.errors import Conflict, Forbidden, Invalid, InvalidCredentials
from foundation.security_log import Action, recorded

from . import passwords, selectors
from .models import User
from .names import is_reserved
from .sessions import end_user_sessions, open_session
from .tokens import TokenPair

TAKEN = "This {} is taken."
RESERVED = "This username is reserved. Choose another one."
CHANGED = "password changed"


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
    with recorded(Action.SIGNUP) as event:
        if is_reserved(username):
            raise Invalid(fields={"username": [RESERVED]})
        user = User.objects.build(username=username, email=email, display_name=display_name)
        await run_db(_require_free, user)
        user.password = await passwords.encode(password, user=user, field="password")
        await run_db(_insert, user)
        event.account = user.pk
    return Login(user, await open_session(user=user, ip=ip, user_agent=user_agent))


@sensitive_variables("password")
async def verify_password(*, user: User | None, password: str) -> User:
    """The user, if this is their password. Raises InvalidCredentials, without a user too, and after the same work.

    Raises Forbidden for a deactivated account, but only if the password is right. Renews an outdated hash.
    """
    matches, outdated = await passwords.check(password, user.password if user else None)
    if user is None or not matches:
        raise InvalidCredentials
    if not user.is_active:
        raise Forbidden(selectors.DEACTIVATED)
    if outdated:
        await _renew_hash(user, password)
    return user


@sensitive_variables("current_password", "new_password")
async def change_password(
    *, user_id: UUID, session_id: UUID | None, current_password: str, new_password: str
) -> None:
    """Set a new password and end every session of the user but `session_id`. Raises Invalid, Conflict, Overloaded.

    Sessions are ended before the write, so that a crash in between leaves nobody else logged in. They are ended
    again after the write, because some may have been opened with the old password in between; `open_session` ends
    any later ones.
    """
    with recorded(Action.PASSWORD_CHANGE, account=user_id):
        await _change_password(user_id, session_id, current_password, new_password)


@sensitive_variables("current_password", "new_password")
async def _change_password(
    user_id: UUID, session_id: UUID | None, current_password: str, new_password: str
) -> None:
    user = await run_db(selectors.get_user, user_id=user_id)
    matches, _ = await passwords.check(current_password, user.password)
    if not matches:
        raise Invalid(fields={"currentPassword": ["This is not your password."]})
    encoded = await passwords.encode(new_password, user=user, field="newPassword")
    await end_user_sessions(user_id=user_id, except_session_id=session_id, reason=CHANGED)
    unchanged = User.objects.filter(pk=user_id, password=user.password)
    if not await run_db(unchanged.update, password=encoded):
        raise Conflict("The password was changed elsewhere at the same time. Log in again.")
    await end_user_sessions(user_id=user_id, except_session_id=session_id, reason=CHANGED)


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
