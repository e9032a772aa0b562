"""Reads of users and sessions: keyword-only and synchronous; async code calls them through `run_db`."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from foundation import times
from foundation.errors import Forbidden, NotFound, Unauthenticated

from .models import Session, User
from .names import login_key, search_key, username_key

NO_USER = "There is no such user."
DEACTIVATED = "This account is deactivated."
SESSION_ENDED = "This session has ended. Log in again."

KNOWN_SESSIONS = 100

# Sorts after every other character.
LAST = "\U0010ffff"


def get_user(*, user_id: UUID) -> User:
    """Any user, also a deactivated one, whose messages stay. Raises NotFound."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound(NO_USER)
    return user


def find_account(*, login: str) -> User | None:
    """The user with this email or username, in any case; also a deactivated one."""
    # No account has a NUL, and PostgreSQL refuses to look for one.
    return None if "\x00" in login else User.objects.filter(**login_key(login)).first()


def session_addresses(*, user_id: UUID) -> set[str]:
    """The addresses from which the user's newest sessions, live or not, were last used."""
    sessions = Session.objects.filter(user_id=user_id).order_by("-pk")
    return set(sessions.values_list("ip", flat=True)[:KNOWN_SESSIONS])


def get_users(*, user_ids: Iterable[UUID]) -> dict[UUID, User]:
    """The existing users among `user_ids`, by id."""
    return {user.pk: user for user in User.objects.filter(pk__in=list(user_ids))}


def active_users(*, user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of `user_ids` that are not deactivated."""
    ids = list(user_ids)
    return set(User.objects.filter(pk__in=ids, is_active=True).values_list("pk", flat=True)) if ids else set()


def search_users(*, prefix: str = "") -> QuerySet[User]:
    """Active users whose username or display name starts with `prefix`; all for an empty prefix.

    Case and width do not matter, nor do accents in display names.
    """
    users = User.objects.filter(is_active=True)
    prefix = prefix.strip()
    return users.filter(name_starts_with(prefix)) if prefix else users


def name_starts_with(prefix: str, relation: str = "") -> Q:
    """A filter for users whose folded names start with `prefix`; `relation` is a prefix such as `user__`."""
    found = _starts_with(f"{relation}username_key", username_key(prefix))
    key = search_key(prefix)
    return found | _starts_with(f"{relation}display_name_key", key) if key else found


def _starts_with(column: str, key: str) -> Q:
    """A range, because an index answers it on every database, unlike LIKE and ILIKE."""
    return Q(**{f"{column}__gte": key, f"{column}__lt": key + LAST})


def user_sessions(*, user_id: UUID) -> QuerySet[Session]:
    """The user's live sessions."""
    return Session.objects.filter(user_id=user_id, revoked_at=None, expires_at__gt=times.now())


def live_session(*, session_id: UUID) -> Session:
    """The session with its user, if both are valid now. Raises as `require_live` does."""
    return require_live(get_sessions(session_ids=[session_id]).get(session_id))


def get_sessions(*, session_ids: Iterable[UUID]) -> dict[UUID, Session]:
    """The existing sessions among `session_ids`, live or not, with their users, by id."""
    sessions = Session.objects.select_related("user").filter(pk__in=list(session_ids))
    return {session.pk: session for session in sessions}


def require_live(session: Session | None) -> Session:
    """The session, if it is live and its user is active.

    Raises Unauthenticated for a session that is revoked, expired or unknown, but Forbidden first for a deactivated
    account, so that its owner learns the reason.
    """
    if session is None:
        raise Unauthenticated(SESSION_ENDED)
    if not session.user.is_active:
        raise Forbidden(DEACTIVATED)
    if session.revoked_at is not None or session.expires_at <= times.now():
        raise Unauthenticated(SESSION_ENDED)
    return session
