"""The admin site of the chat, called the desk."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from .login import LoginForm, OwnPassword, with_status


class Desk(AdminSite):
    site_header = site_title = "Chat moderation"
    index_title = "Models"
    login_form = LoginForm

    def get_urls(self) -> list[Any]:
        """Without "view on site": no model has a page outside of the desk."""
        return [one for one in super().get_urls() if getattr(one, "name", "") != "view_on_site"]

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response = super().login(request, extra_context)
        form = (getattr(response, "context_data", None) or {}).get("form")
        return with_status(response, form.refusal) if isinstance(form, LoginForm) else response

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        request.current_app = self.name
        view = OwnPassword.as_view(
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)
