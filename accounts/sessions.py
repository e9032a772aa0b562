"""Writes to login sessions: open, refresh, end.

Services are async, take keyword arguments, and publish after the write. docs/decisions/0002 says why sessions
are stored and tokens are not.
"""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from foundation import loop, times
from foundation.database import run_db
from foundation.errors import Forbidden, InvalidCredentials, NotFound, TokenReused, Unauthenticated
from foundation.security_log import Action, Outcome, record
from realtime.hub.hub import get_hub

from . import keys, selectors, tokens
from .models import MAX_IP_CHARS, MAX_USER_AGENT_CHARS, Session, User
from .tokens import RefreshClaims, TokenPair
from .topics import session_address


async def open_session(*, user: User, ip: str, user_agent: str) -> TokenPair:
    """Open a session for a user whose password was just checked.

    Raises InvalidCredentials if the password was changed since.
    """
    await keys.refresh()
    return await run_db(_open, user, _client(ip, user_agent))


async def refresh_tokens(*, claims: RefreshClaims, ip: str, user_agent: str) -> TokenPair:
    """Exchange the refresh token with these claims for a new pair.

    A token that was used up before is answered with its successor, the same for everybody who asks, within
    REFRESH_REUSE_SECONDS and while the successor was not used: an answer was lost, or two tabs refreshed at once.
    After that it raises TokenReused and ends the session: either the owner or a thief has the newer token, and the
    server cannot tell which. Raises Unauthenticated, Forbidden. A retry is safe for REFRESH_REUSE_SECONDS.
    """
    await keys.refresh()
    try:
        return await run_db(_rotate, claims, _client(ip, user_agent))
    except TokenReused:
        if await _end(Session.objects.filter(pk=claims.session_id), "token reused"):
            record(Action.TOKEN_REUSE, outcome=Outcome.REFUSED, account=claims.user_id)
        raise


async def logout(*, claims: RefreshClaims) -> None:
    """End the session of the refresh token with these claims. Safe to repeat."""
    await _end(Session.objects.filter(pk=claims.session_id), "logout")


async def end_session(*, user_id: UUID, session_id: UUID) -> None:
    """End one live session of the user. Raises NotFound for any other session."""
    if not await _end(selectors.user_sessions(user_id=user_id).filter(pk=session_id), "ended by id"):
        raise NotFound("There is no such session of yours.")


async def end_user_sessions(
    *, user_id: UUID, except_session_id: UUID | None = None, reason: str = "all ended"
) -> None:
    """End all sessions of the user, or all but one, and the cookies of the desk. Safe to repeat."""
    await run_db(User.objects.filter(pk=user_id).update, login_generation=F("login_generation") + 1)
    sessions = Session.objects.filter(user_id=user_id)
    await _end(sessions.exclude(pk=except_session_id) if except_session_id else sessions, reason)


def end_sessions_in_transaction(*, user_id: UUID, reason: str) -> None:
    """End all sessions of the user from a database thread; their sockets close after the commit."""
    if live := _revoke(Session.objects.filter(user_id=user_id)):
        transaction.on_commit(lambda: loop.call(_tell_in_loop(live, reason)))


async def _tell_in_loop(ended: dict[UUID, UUID], reason: str) -> None:
    _tell(ended, reason)


async def _end(sessions: QuerySet[Session], reason: str) -> int:
    """Revoke the live sessions of a user and close their sockets in every process; returns their number."""
    if ended := await run_db(_revoke, sessions):
        _tell(ended, reason)
    return len(ended)


def _tell(ended: dict[UUID, UUID], reason: str) -> None:
    addresses = [session_address(session_id) for session_id in ended]
    get_hub().send_control(addresses, "session:ended", {})
    (user_id, *_) = ended.values()
    record(Action.SESSION_END, outcome=Outcome.OK, account=user_id, sessions=len(ended), reason=reason)


def _revoke(sessions: QuerySet[Session]) -> dict[UUID, UUID]:
    """Revokes the live sessions, and returns the user's id for each."""
    live = dict(sessions.filter(revoked_at=None).values_list("pk", "user_id"))
    Session.objects.filter(pk__in=list(live), revoked_at=None).update(revoked_at=times.now())
    return live


def _open(user: User, client: dict[str, str]) -> TokenPair:
    refresh = tokens.new_refresh_token()
    session = Session.objects.create(
        user=user, refresh_jti=refresh["jti"], expires_at=tokens.refresh_expiry(refresh), **client
    )
    # A password change ends the sessions that it finds. If it came before this insert, it did not find this one,
    # but its new password is found here.
    if not User.objects.filter(pk=user.pk, password=user.password).exists():
        _revoke(Session.objects.filter(pk=session.pk))
        raise InvalidCredentials
    return tokens.token_pair(refresh, session)


def _rotate(claims: RefreshClaims, client: dict[str, str]) -> TokenPair:
    session = _refreshable(claims)
    if session.refresh_jti == claims.jti:
        refresh = tokens.new_refresh_token()
        now, expires_at = times.now(), tokens.refresh_expiry(refresh)
        current = Session.objects.filter(pk=session.pk, refresh_jti=claims.jti, revoked_at=None)
        changes = {"refresh_jti": refresh["jti"], "previous_jti": claims.jti, "rotated_at": now}
        if current.update(**changes, last_used=now, expires_at=expires_at, **client):
            return tokens.token_pair(refresh, session)
        # The token was used, or its session ended, since the read.
        session = _refreshable(claims)
    return _successor(session, claims)


def _refreshable(claims: RefreshClaims) -> Session:
    session = Session.objects.select_related("user").filter(pk=claims.session_id).first()
    if session is None:
        raise Unauthenticated(selectors.SESSION_ENDED)
    if not session.user.is_active:
        raise Forbidden(selectors.DEACTIVATED)
    if session.refresh_jti == claims.jti and session.revoked_at is not None:
        raise Unauthenticated(selectors.SESSION_ENDED)
    return session


def _successor(session: Session, claims: RefreshClaims) -> TokenPair:
    """The pair that the used-up token was exchanged for. Raises TokenReused if that cannot be a repetition."""
    grace = timedelta(seconds=settings.REFRESH_REUSE_SECONDS)
    if (
        session.revoked_at is not None
        or session.previous_jti != claims.jti
        or session.rotated_at is None
        or session.rotated_at + grace <= times.now()
    ):
        raise TokenReused
    record(Action.TOKEN_REUSE, outcome=Outcome.OK, account=claims.user_id)
    return tokens.token_pair(tokens.refresh_token_of(session), session)


def _client(ip: str, user_agent: str) -> dict[str, str]:
    printable = "".join(character for character in user_agent if character.isprintable())
    return {"ip": ip[:MAX_IP_CHARS], "user_agent": printable[:MAX_USER_AGENT_CHARS]}
