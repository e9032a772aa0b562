"""Ends the logins of an account whose password is set past the services.

`manage.py changepassword`, and `set_password` in a shell, save the user. Then Django calls `password_changed` of
each class in AUTH_PASSWORD_VALIDATORS. The services of `logins` end the logins by themselves.
"""

from typing import Any

from django.views.decorators.debug import sensitive_variables

from foundation.security_log import Action, Outcome, record

from .models import User
from .sessions import end_sessions_in_transaction


class EndsLogins:
    """A validator that accepts every password. Cookies of the desk end with the password, so they need no step."""

    @sensitive_variables()
    def validate(self, password: str, user: Any = None) -> None:
        """Accept it."""

    def get_help_text(self) -> str:
        return "A new password ends all other logins of the account."

    @sensitive_variables()
    def password_changed(self, password: str, user: User) -> None:
        record(Action.PASSWORD_CHANGE, outcome=Outcome.OK, account=user.pk, by="set_password")
        end_sessions_in_transaction(user_id=user.pk, reason="password changed")
