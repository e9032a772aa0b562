"""The REST endpoints of accounts: sign-up, login, sessions, passwords, profiles."""

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import mixins
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.throttling import BaseThrottle

from api.clients import client_address, client_network
from api.pagination import CursorPage
from api.serializers import validated
from api.throttling import check_rate
from api.views import PageQuery, ViewSet
from foundation import loop
from foundation.errors import RateLimited
from foundation.ids import parse_uuid
from foundation.limits.named import SIGNUP_IP
from foundation.security_log import Action, Outcome, record

from . import logins, selectors, services, sessions
from .authentication import session_id_of, user_of
from .credentials import change_password, check_credentials, check_refresh_token
from .models import Session, User
from .serializers import (
    LoginAnswerSerializer,
    LoginSerializer,
    MeSerializer,
    PasswordSerializer,
    ProfileSerializer,
    RefreshSerializer,
    SessionSerializer,
    SignupSerializer,
    TokensSerializer,
    UserQuery,
    UserSerializer,
)
from .tokens import TokenPair


def client_of(request: Request) -> dict[str, str]:
    return {"ip": client_address(request.META), "user_agent": request.META.get("HTTP_USER_AGENT", "")}


@extend_schema(tags=["auth"])
class TokenViewSet(ViewSet):
    """Needs no access token, and ignores one."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    error_codes = {
        "signup": ("conflict",),
        "login": ("invalid_credentials", "forbidden"),
        "refresh": ("unauthenticated", "token_expired", "token_reused", "forbidden"),
        "logout": ("unauthenticated", "token_expired"),
    }
    pagination_class = None
    queryset = User.objects.none()

    def get_serializer_class(self) -> type[BaseSerializer]:
        return {"signup": SignupSerializer, "login": LoginSerializer}.get(self.action, RefreshSerializer)

    def get_throttles(self) -> list[BaseThrottle]:
        # These count by themselves, so that they and other requests of an address do not use up each other.
        return [] if self.action in ("login", "refresh", "logout") else super().get_throttles()

    @extend_schema(summary="Create an account and log in", responses={201: LoginAnswerSerializer})
    def signup(self, request: Request) -> Response:
        body = validated(SignupSerializer, request)
        try:
            check_rate(request, SIGNUP_IP, key=client_network(request.META))
        except RateLimited:
            record(Action.SIGNUP, outcome=Outcome.LIMITED)
            raise
        login = loop.call(logins.signup(**body, **client_of(request)))
        return self._login_answer(login.user, login.tokens, status=201)

    @extend_schema(summary="Log in", responses={200: LoginAnswerSerializer})
    def login(self, request: Request) -> Response:
        body = validated(LoginSerializer, request)
        user = check_credentials(request, login=body["email"], password=body["password"])
        pair = loop.call(sessions.open_session(user=user, **client_of(request)))
        return self._login_answer(user, pair, status=200)

    @extend_schema(
        summary="Exchange a refresh token for new tokens",
        description="Each refresh token is used up by its first use. Sent again within `REFRESH_REUSE_SECONDS`, "
        "while the token that took its place was not used, it is answered with that token again. Otherwise its "
        "session ends: `token_reused`.",
        responses={200: TokensSerializer},
    )
    def refresh(self, request: Request) -> Response:
        claims = check_refresh_token(request, validated(RefreshSerializer, request)["refresh_token"])
        pair = loop.call(sessions.refresh_tokens(claims=claims, **client_of(request)))
        return Response(TokensSerializer(pair).data)

    @extend_schema(summary="Log out: end the token's session", responses={204: None})
    def logout(self, request: Request) -> Response:
        claims = check_refresh_token(request, validated(RefreshSerializer, request)["refresh_token"])
        loop.call(sessions.logout(claims=claims))
        return Response(status=204)

    def _login_answer(self, user: User, pair: TokenPair, *, status: int) -> Response:
        return Response({"user": MeSerializer(user).data, **TokensSerializer(pair).data}, status=status)


@extend_schema(tags=["auth"])
class SessionViewSet(mixins.ListModelMixin, ViewSet):
    serializer_class = SessionSerializer
    queries = {"list": PageQuery}
    queryset = Session.objects.none()

    def get_queryset(self) -> QuerySet[Session]:
        return selectors.user_sessions(user_id=user_of(self.request).pk)

    @extend_schema(summary="List my logins, newest first")
    def list(self, request: Request) -> Response:
        return super().list(request)

    @extend_schema(
        summary="End one of my logins, and close its sockets",
        parameters=[OpenApiParameter("session_id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={204: None},
    )
    def destroy(self, request: Request, session_id: str) -> Response:
        loop.call(sessions.end_session(user_id=user_of(request).pk, session_id=parse_uuid(session_id)))
        return Response(status=204)


@extend_schema(tags=["auth"])
class PasswordViewSet(ViewSet):
    serializer_class = PasswordSerializer
    error_codes = {"change": ("conflict",)}
    pagination_class = None
    queryset = User.objects.none()

    @extend_schema(summary="Change my password and end every other login", responses={204: None})
    def change(self, request: Request) -> Response:
        body, user = validated(PasswordSerializer, request), user_of(request)
        change_password(request, user_id=user.pk, session_id=session_id_of(request), **body)
        return Response(status=204)


class UserPage(CursorPage):
    ordering = "username_key"


@extend_schema(tags=["users"])
class UserViewSet(mixins.ListModelMixin, ViewSet):
    serializer_class = UserSerializer
    pagination_class = UserPage
    queries = {"list": UserQuery}
    queryset = User.objects.none()

    def get_queryset(self) -> QuerySet[User]:
        return selectors.search_users(prefix=self.query.get("search", ""))

    @extend_schema(summary="Find users by a prefix of their username or display name")
    def list(self, request: Request) -> Response:
        return super().list(request)

    @extend_schema(
        summary="Get a user",
        parameters=[OpenApiParameter("user_id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
    )
    def retrieve(self, request: Request, user_id: str) -> Response:
        return Response(UserSerializer(selectors.get_user(user_id=parse_uuid(user_id))).data)

    @extend_schema(summary="Get my profile", responses=MeSerializer)
    def me(self, request: Request) -> Response:
        return Response(MeSerializer(user_of(request)).data)

    @extend_schema(
        summary="Change my display name or picture", request=ProfileSerializer, responses=MeSerializer
    )
    def update_me(self, request: Request) -> Response:
        changes = validated(ProfileSerializer, request)
        user = loop.call(services.update_profile(user_id=user_of(request).pk, **changes))
        return Response(MeSerializer(user).data)
