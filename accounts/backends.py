"""The backend of Django's `authenticate` and of cookies, which the desk uses."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from foundation.errors import Forbidden, InvalidCredentials
from foundation.security_log import Action

from .credentials import check_credentials
from .models import User


class LimitedBackend(ModelBackend):
    """Checks a password as the API's login does: the same limits and counts, on the same threads."""

    @sensitive_variables("password")
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The active account, or None. Raises RateLimited and Overloaded, after which nothing was checked.

        None without a request: then there is no address to count for.
        """
        if request is None or not username or password is None:
            return None
        try:
            return check_credentials(request, login=username, password=password, action=Action.DESK_LOGIN)
        except (InvalidCredentials, Forbidden):
            return None
