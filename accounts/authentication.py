"""Authenticates REST requests by a Bearer access token with a live session. One query for each request."""

from typing import Any
from uuid import UUID

from django.views.decorators.debug import sensitive_variables
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from api.throttling import check_refused_token
from foundation import context
from foundation.errors import ChatError
from realtime.session.connection import Identity

from . import keys, selectors
from .models import User
from .tokens import verify_access


class SessionJWTAuthentication(BaseAuthentication):
    """Sets `request.user`, and `request.auth` to the token's Identity."""

    @sensitive_variables("token")
    def authenticate(self, request: Request) -> tuple[User, Identity] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = token.strip()
        try:
            return self._identify(token)
        except ChatError as error:
            # DRF notes a failed authentication only for its own errors. Without the note, the browsable API would
            # authenticate again while it shows this error, and fail again.
            request._not_authenticated()  # type: ignore[attr-defined]
            if not error.temporary:
                check_refused_token(request, token, error)
            raise

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'

    @sensitive_variables("token")
    def _identify(self, token: str) -> tuple[User, Identity]:
        keys.get_seeds().reread()
        identity = verify_access(token)
        session = selectors.live_session(session_id=identity.session_id)
        context.user_id.set(str(session.user_id))
        return session.user, identity


def user_of(request: Request) -> User:
    """The user of the request; for views that need authentication."""
    assert isinstance(request.user, User)
    return request.user


def session_id_of(request: Request) -> UUID | None:
    """The session of the request's token; None in the browsable API, which uses a cookie."""
    return request.auth.session_id if isinstance(request.auth, Identity) else None


class SessionJWTScheme(OpenApiAuthenticationExtension):
    target_class = SessionJWTAuthentication
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
