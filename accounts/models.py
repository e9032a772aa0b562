"""Users, their login sessions, and the seeds of the signing keys."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.utils.crypto import salted_hmac

from foundation import times
from foundation.errors import Invalid
from foundation.ids import uuid7
from foundation.security_log import Action, Outcome, record
from foundation.text import name_problem

from .fields import KeyField
from .names import MAX_KEY_CHARS, fold_email, login_key, search_key, username_key

MAX_DISPLAY_NAME_CHARS = MAX_KEY_CHARS
MAX_URL_CHARS = 500
MAX_USER_AGENT_CHARS = 256
MAX_IP_CHARS = 45

# ASCII only, so that two usernames that look the same are the same. Display names may have any letters.
validate_username = RegexValidator(
    r"^[A-Za-z0-9_.-]{3,32}\Z", "Use 3 to 32 of the letters a-z, digits, '_', '.' and '-'."
)
validate_web_url = URLValidator(schemes=["http", "https"], message="Give an http or https URL.")


class UserManager(BaseUserManager["User"]):
    def build(self, *, username: str, email: str, display_name: str = "", **fields: Any) -> "User":
        """A user that is not stored yet, with its key columns and an unusable password."""
        user = User(username=username, username_key=username_key(username), email=fold_email(email), **fields)
        user.set_display_name(display_name or username)
        user.set_unusable_password()
        return user

    def create_user(self, *, username: str, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.build(username=username, email=email, **fields)
        # Not `set_password`, which would end the logins of an account that has none.
        user.password = make_password(password)
        user.full_clean()
        user.save(using=self._db)
        return user

    def create_superuser(
        self, *, username: str, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        fields |= {"is_staff": True, "is_superuser": True}
        user = self.create_user(username=username, email=email, password=password, **fields)
        record(Action.ROLE_CHANGE, outcome=Outcome.OK, account=user.pk, is_staff=True, is_superuser=True)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user by email or username in any case. Django's own login forms use this."""
        return self.get(**login_key(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A user of the chat. A `*_key` column holds the folded text of the column it is named after."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")
    username = models.CharField(max_length=32, validators=[validate_username])
    username_key = KeyField(max_length=32, unique=True, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    display_name = models.CharField(max_length=MAX_DISPLAY_NAME_CHARS)
    display_name_key = KeyField(max_length=MAX_DISPLAY_NAME_CHARS, db_index=True, editable=False)
    avatar_url = models.CharField(
        max_length=MAX_URL_CHARS, blank=True, default="", validators=[validate_web_url]
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=times.now, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)
    # How often all logins were ended. The cookies of the desk are bound to it.
    login_generation = models.IntegerField(default=0, db_default=0, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["username"]

    class Meta:
        ordering = ["username_key"]

    def __str__(self) -> str:
        return self.username

    def set_display_name(self, display_name: str) -> None:
        """Set the name and its key. Raises Invalid for one that shows nothing or takes several lines."""
        if problem := name_problem(display_name):
            raise Invalid(fields={"displayName": [problem]})
        self.display_name = display_name
        self.display_name_key = search_key(display_name)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a cookie of the desk has to agree with: it ends with the password, and when all logins are ended."""
        value = f"{self.password}{self.login_generation}"
        return salted_hmac("accounts.User", value, secret=secret, algorithm="sha256").hexdigest()

    @property
    def roles(self) -> list[str]:
        held = {"user": True, "staff": self.is_staff, "superuser": self.is_superuser}
        return [role for role, has in held.items() if has]


class Session(models.Model):
    """One login on one device. Of its refresh tokens only the one with the id `refresh_jti` is valid.

    It took the place of `previous_jti` at `rotated_at`. Tokens are never stored. A session is live until
    `expires_at`, unless `revoked_at` is set.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    refresh_jti = models.CharField(max_length=32, editable=False)
    # With defaults of the database: while it is migrated, the release before inserts rows without them.
    previous_jti = models.CharField(max_length=32, default="", db_default="", editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=times.now, editable=False)
    last_used = models.DateTimeField(default=times.now, editable=False)
    expires_at = models.DateTimeField(editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    ip = models.CharField(max_length=MAX_IP_CHARS, blank=True, default="", editable=False)
    user_agent = models.CharField(max_length=MAX_USER_AGENT_CHARS, blank=True, default="", editable=False)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"session {self.pk}"


class SigningSeed(models.Model):
    """The database's half of a signing key; useless without SECRET_KEY, the other half."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")
    seed = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=times.now, editable=False)
    signs_from = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["signs_from", "pk"]

    def __str__(self) -> str:
        return f"signing seed {self.pk}"
