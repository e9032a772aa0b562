"""How long a login of the desk lasts: ADMIN_SESSION_SECONDS at most, and ADMIN_IDLE_SECONDS without a request.

A cookie also ends with the account's password and when all its logins are ended (`accounts.models.User`).
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from foundation import times
from foundation.security_log import Action, Outcome, record

SEEN = "desk_seen_at"
# Each write of the time costs a write of the session.
WRITES_IN_IDLE_TIME = 20


def end_idle_cookies(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Middleware: logs out a cookie that was not used for ADMIN_IDLE_SECONDS. Reads nothing without a cookie."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            now = int(time.time())
            idle_seconds = now - request.session.get(SEEN, 0)
            if idle_seconds > settings.ADMIN_IDLE_SECONDS:
                logout(request)
            elif idle_seconds > settings.ADMIN_IDLE_SECONDS / WRITES_IN_IDLE_TIME:
                request.session[SEEN] = now
        return get_response(request)

    return middleware


@receiver(user_logged_in)
def begin(request: HttpRequest, **kwargs: Any) -> None:
    # A time, and not a number of seconds, which would begin anew with each write of the session.
    request.session.set_expiry(times.now() + timedelta(seconds=settings.ADMIN_SESSION_SECONDS))
    request.session[SEEN] = int(time.time())


@receiver(user_logged_out)
def end(user: Any, **kwargs: Any) -> None:
    if user is not None:
        record(Action.SESSION_END, outcome=Outcome.OK, account=user.pk, reason="desk logout")
