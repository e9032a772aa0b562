"""The forms of the desk that take a password. They hash none themselves: the accounts check it, with its limits."""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables

from accounts.credentials import change_password
from accounts.models import User
from accounts.passwords import MAX_PASSWORD_CHARS
from foundation.errors import ChatError
from foundation.security_log import Action, Outcome, record

# The fields of the service's errors, by the fields of the form.
FIELDS = {"currentPassword": "old_password", "newPassword": "new_password2"}


class LoginForm(AdminAuthenticationForm):
    """A login that is refused unchecked says why, and keeps the error for the status of the answer."""

    refusal: ChatError | None = None

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except ChatError as error:
            self.refusal = error
            raise ValidationError(text_of(error)) from None

    def confirm_login_allowed(self, user: Any) -> None:
        try:
            super().confirm_login_allowed(user)
        except ValidationError:
            # The password is right; the page does not say so.
            record(Action.DESK_LOGIN, outcome=Outcome.REFUSED, account=user.pk, error="not_staff")
            raise


class OwnPasswordForm(PasswordChangeForm):
    """The fields of Django's form. The service checks them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.validators.append(MaxLengthValidator(MAX_PASSWORD_CHARS))

    def clean_old_password(self) -> str:
        return str(self.cleaned_data["old_password"])

    def validate_password_for_user(self, user: Any, *args: Any, **kwargs: Any) -> None:
        """The service does, on the threads for passwords."""


@method_decorator(sensitive_variables(), name="form_valid")
class OwnPassword(PasswordChangeView):
    """Staff change their own password. All their other logins end, and this cookie goes on."""

    form_class = OwnPasswordForm

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        user, given = self.request.user, form.cleaned_data
        assert isinstance(user, User)
        try:
            change_password(
                self.request,
                user_id=user.pk,
                session_id=None,
                current_password=given["old_password"],
                new_password=given["new_password1"],
            )
        except ChatError as error:
            for name, problems in (error.fields or {}).items():
                form.add_error(FIELDS.get(name), problems)
            if not error.fields:
                form.add_error(None, text_of(error))
            return with_status(self.form_invalid(form), error if not error.fields else None)
        user.refresh_from_db()
        update_session_auth_hash(self.request, user)
        return super(PasswordChangeView, self).form_valid(form)


def with_status(response: HttpResponse, refusal: ChatError | None) -> HttpResponse:
    """The page with the status of the error and, for 429, when to try again."""
    if refusal is not None:
        response.status_code = refusal.status
        if (seconds := refusal.retry_after_whole) is not None:
            response["Retry-After"] = str(seconds)
    return response


def text_of(error: ChatError) -> str:
    if (seconds := error.retry_after_whole) is None:
        return error.message
    return f"Too many attempts. Wait for {seconds} seconds."
