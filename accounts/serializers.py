"""The bodies of account requests and answers."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from api.schema import example
from api.serializers import ModelSerializer, Serializer
from api.text import NameField, TextField
from api.views import PageQuery

from .authentication import session_id_of
from .models import (
    MAX_DISPLAY_NAME_CHARS,
    MAX_URL_CHARS,
    Session,
    User,
    validate_username,
    validate_web_url,
)
from .names import fold_email
from .passwords import MAX_PASSWORD_CHARS
from .tokens import MAX_TOKEN_CHARS


class AddressField(TextField, serializers.EmailField):
    """An email address, folded to the form in which it is stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return fold_email(super().to_internal_value(data))


class PasswordField(TextField):
    """Keeps blanks at both ends. Bounded, because the cost of hashing grows with the length."""

    def __init__(self, **kwargs: Any) -> None:
        style = {"input_type": "password"}
        super().__init__(
            max_length=MAX_PASSWORD_CHARS, trim_whitespace=False, write_only=True, style=style, **kwargs
        )


class UserSerializer(ModelSerializer):
    """A user as everybody sees it. Who is staff is not among that: it would name the accounts worth attacking."""

    class Meta:
        model = User
        fields: tuple[str, ...] = (
            "id", "username", "display_name", "avatar_url", "created_at", "last_seen",
        )  # fmt: skip
        read_only_fields = fields


class MeSerializer(UserSerializer):
    """A user as the user itself sees it."""

    roles = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "roles", "email")
        read_only_fields = fields


class SessionSerializer(ModelSerializer):
    """A login. `current` is true for the login that sent this request."""

    current = serializers.SerializerMethodField()

    class Meta:
        model = Session
        fields = ("id", "created_at", "last_used", "ip", "user_agent", "current")
        read_only_fields = fields

    def get_current(self, session: Session) -> bool:
        return session.pk == session_id_of(self.context["request"])


@example(username="carol", email="carol@example.com", password="a long phrase of mine", displayName="Carol")
class SignupSerializer(Serializer):
    """A new account. Without `displayName` the username is shown."""

    username = TextField(validators=[validate_username])
    # Django's validator takes domains beyond ASCII that IDNA refuses. `fold_email` leaves those as they are.
    email = AddressField(validators=[RegexValidator(r"^[\x00-\x7f]*\Z", "Enter a valid email address.")])
    password = PasswordField()
    display_name = NameField(max_length=MAX_DISPLAY_NAME_CHARS, required=False)


@example(email="carol@example.com", password="a long phrase of mine")
class LoginSerializer(Serializer):
    """Email address and password."""

    email = AddressField()
    password = PasswordField()


@example(refreshToken="eyJhbGciOiJIUzI1NiIs..")
class RefreshSerializer(Serializer):
    """The refresh token from the latest answer that contained one."""

    refresh_token = TextField(max_length=MAX_TOKEN_CHARS)


@example(currentPassword="a long phrase of mine", newPassword="another long phrase")
class PasswordSerializer(Serializer):
    """The current and the new password."""

    current_password = PasswordField()
    new_password = PasswordField()


@example(displayName="Carol C.", avatarUrl="https://example.com/carol.png")
class ProfileSerializer(Serializer):
    """The fields to change. Fields that are left out stay as they are."""

    display_name = NameField(max_length=MAX_DISPLAY_NAME_CHARS, required=False)
    avatar_url = TextField(
        required=False, allow_blank=True, max_length=MAX_URL_CHARS, validators=[validate_web_url]
    )


class UserQuery(PageQuery):
    search = TextField(
        required=False,
        allow_blank=True,
        max_length=MAX_DISPLAY_NAME_CHARS,
        help_text="The beginning of a username or display name. Case and width do not matter, nor do accents in "
        "display names. Without it, all users are listed.",
    )


class TokensSerializer(Serializer):
    """A short-lived access token, and a refresh token that can be exchanged once for the next pair."""

    access_token = serializers.CharField()
    refresh_token = serializers.CharField()


class LoginAnswerSerializer(TokensSerializer):
    """The user who is now logged in, and the tokens."""

    user = MeSerializer()
