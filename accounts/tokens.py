"""Access and refresh tokens: those of simplejwt, signed by a named key.

Nothing here reads the database, so a token of a revoked session is still valid for these functions.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from django.views.decorators.debug import sensitive_variables
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenBackendError, TokenError

from foundation import times
from foundation.errors import TokenExpired, Unauthenticated
from realtime.session.connection import Identity

from .keys import get_key_ring
from .models import Session

ALGORITHM = "HS256"
MAX_TOKEN_CHARS = 2048
NOT_VALID = "The token is not valid. Log in again."
REFRESH_EXPIRED = "The refresh token has expired. Log in again."


class KeyRingBackend(TokenBackend):
    """Signs with the active key of the ring and names it in `kid`. Accepts the keys of the ring only."""

    def encode(self, payload: dict[str, Any]) -> str:
        key = get_key_ring().active
        return jwt.encode(payload, key.secret, algorithm=self.algorithm, headers={"kid": key.kid})

    def get_verifying_key(self, token: Any) -> bytes:
        key = get_key_ring().by_kid.get(jwt.get_unverified_header(token).get("kid", ""))
        if key is None:
            raise TokenBackendError("Unknown kid")
        return key.secret


class AccessToken(simplejwt.AccessToken):
    _token_backend = KeyRingBackend(ALGORITHM)

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]
        return timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)


class RefreshToken(simplejwt.RefreshToken):
    _token_backend = KeyRingBackend(ALGORITHM)
    access_token_class = AccessToken

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]
        return timedelta(seconds=settings.REFRESH_TOKEN_SECONDS)


@dataclass(frozen=True, slots=True)
class TokenPair:
    access_token: str
    refresh_token: str

    def __repr__(self) -> str:
        return "TokenPair(..)"


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    user_id: UUID
    session_id: UUID
    jti: str


def new_refresh_token() -> RefreshToken:
    """A refresh token without a user. Its `jti` and `exp` are stored before it is handed out."""
    return RefreshToken()


def refresh_token_of(session: Session) -> RefreshToken:
    """The one refresh token of the session that is not used up, made again from the stored session."""
    refresh = RefreshToken()
    refresh["jti"], refresh["exp"] = session.refresh_jti, int(session.expires_at.timestamp())
    return refresh


def refresh_expiry(token: RefreshToken) -> datetime:
    return times.from_timestamp(token["exp"])


def token_pair(refresh: RefreshToken, session: Session) -> TokenPair:
    """The refresh token and an access token for the session's user, as text."""
    refresh["sub"], refresh["sid"] = str(session.user_id), str(session.pk)
    return TokenPair(access_token=str(refresh.access_token), refresh_token=str(refresh))


@sensitive_variables()
def verify_access(token: str) -> Identity:
    """The identity in the access token, by signature, type and expiry alone.

    Raises Unauthenticated, TokenExpired.
    """
    claims = _verify(AccessToken, token, TokenExpired())
    user_id, session_id = _owner(claims)
    return Identity(user_id=user_id, session_id=session_id, expires_at=times.from_timestamp(claims["exp"]))


@sensitive_variables()
def verify_refresh(token: str) -> RefreshClaims:
    """The claims of the refresh token, by signature, type and expiry alone.

    Raises Unauthenticated, TokenExpired.
    """
    claims = _verify(RefreshToken, token, TokenExpired(REFRESH_EXPIRED))
    user_id, session_id = _owner(claims)
    return RefreshClaims(user_id=user_id, session_id=session_id, jti=str(claims["jti"]))


@sensitive_variables()
def _verify(kind: Any, token: str, expired: TokenExpired) -> dict[str, Any]:
    # The bound keeps a header of nested brackets from exhausting the JSON decoder before the signature is checked.
    if not token.isascii() or len(token) > MAX_TOKEN_CHARS:
        raise Unauthenticated(NOT_VALID)
    try:
        return kind(token).payload
    except ExpiredTokenError:
        raise expired from None
    except (TokenError, TokenBackendError, RecursionError, ValueError, TypeError):
        raise Unauthenticated(NOT_VALID) from None


def _owner(claims: dict[str, Any]) -> tuple[UUID, UUID]:
    try:
        return UUID(claims["sub"]), UUID(claims["sid"])
    except (KeyError, ValueError, AttributeError, TypeError):
        raise Unauthenticated(NOT_VALID) from None
