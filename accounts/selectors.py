"""Reads of users and sessions: keyword-only, synchronous, called through `run_db` from async code.

Must not write, and must not know requests or sockets.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from foundation import times
from foundation.errors import Forbidden, NotFound, Unauthenticated

from .models import Session, User, fold

NO_USER = "There is no such user."
DEACTIVATED = "This account is deactivated."
SESSION_ENDED = "This session has ended. Log in again."

LAST = "\U0010ffff"


def get_user(*, user_id: UUID) -> User:
    """Any user, the deactivated too: their messages stay. Raises NotFound."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound(NO_USER)
    return user


def get_users(*, user_ids: Iterable[UUID]) -> dict[UUID, User]:
    """Those of the users that exist, by id."""
    return {user.pk: user for user in User.objects.filter(pk__in=list(user_ids))}


def search_users(*, prefix: str = "") -> QuerySet[User]:
    """Active users whose username or display name starts with `prefix` in any case; all for an empty one."""
    users = User.objects.filter(is_active=True)
    key = fold(prefix.strip())
    return users.filter(name_starts_with(key)) if key else users


def name_starts_with(key: str, relation: str = "") -> Q:
    """Ranges over the keys: an index answers them on every database, which LIKE and ILIKE do not."""
    username = {f"{relation}username_key__gte": key, f"{relation}username_key__lt": key + LAST}
    display_name = {f"{relation}display_name_key__gte": key, f"{relation}display_name_key__lt": key + LAST}
    return Q(**username) | Q(**display_name)


def user_sessions(*, user_id: UUID) -> QuerySet[Session]:
    """The user's live sessions."""
    return Session.objects.filter(user_id=user_id, revoked_at=None, expires_at__gt=times.now())


def live_session(*, session_id: UUID) -> Session:
    """The session with its user, if both may act now. Raises as `require_live` does."""
    return require_live(get_sessions(session_ids=[session_id]).get(session_id))


def get_sessions(*, session_ids: Iterable[UUID]) -> dict[UUID, Session]:
    """Those of the sessions that exist, live or not, with their users, by id."""
    sessions = Session.objects.select_related("user").filter(pk__in=list(session_ids))
    return {session.pk: session for session in sessions}


def require_live(session: Session | None) -> Session:
    """The session, if it and its user may act now.

    Raises Forbidden for a deactivated account, before all else, so that its owner learns why; Unauthenticated for
    a session that is revoked, expired or unknown.
    """
    if session is None:
        raise Unauthenticated(SESSION_ENDED)
    if not session.user.is_active:
        raise Forbidden(DEACTIVATED)
    if session.revoked_at is not None or session.expires_at <= times.now():
        raise Unauthenticated(SESSION_ENDED)
    return session
