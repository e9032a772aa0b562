"""Admin of users and sessions. Acts through the services only; shows no password hash and no token."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from realtime import loop
from realtime.errors import NotFound

from . import selectors, services, sessions
from .models import Session, User, fold, fold_email

PRIVILEGES = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ("username", "email", "display_name", "is_active", "is_staff", "created_at", "last_seen")
    list_filter = ("is_active", "is_staff", "is_superuser", "created_at")
    search_fields = ("username_key", "display_name_key", "email")
    search_help_text = "The beginning of a username, display name or email."
    filter_horizontal = ("groups", "user_permissions")
    readonly_fields = ("id", "username", "email", "is_active", "created_at", "last_seen", "last_login")
    fields = (
        "id", "username", "email", "display_name", "avatar_url", "is_active", *PRIVILEGES,
        "created_at", "last_seen", "last_login",
    )  # fmt: skip
    actions = ("deactivate", "reactivate", "end_sessions")
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, term: str
    ) -> tuple[QuerySet, bool]:
        return (queryset.filter(matches(term)) if term.strip() else queryset), False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only a superuser gives privileges: staff who may change users must not make themselves more."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else fields + PRIVILEGES

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.set_display_name(obj.display_name)
        obj.save(update_fields=["display_name", "display_name_key", "avatar_url", "is_staff", "is_superuser"])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # by sign-up, or `manage.py createsuperuser`

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # their messages stay; deactivate them

    @admin.action(description="Deactivate: lock out at once", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user_id in queryset.values_list("pk", flat=True):
            loop.call(services.deactivate_user(user_id=user_id))
        messages.success(request, "Deactivated; their sockets are closed.")

    @admin.action(description="Reactivate", permissions=["change"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user_id in queryset.values_list("pk", flat=True):
            loop.call(services.reactivate_user(user_id=user_id))
        messages.success(request, "Reactivated; they can log in again.")

    @admin.action(description="End all sessions", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user_id in queryset.values_list("pk", flat=True):
            loop.call(sessions.end_user_sessions(user_id=user_id))
        messages.success(request, "Their sessions have ended.")


@admin.register(Session)
class SessionAdmin(admin.ModelAdmin):
    list_display = ("id", "user", "ip", "user_agent", "created_at", "last_used", "expires_at", "revoked_at")
    list_filter = ("created_at", "last_used", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("user__username_key", "ip")
    search_help_text = "The beginning of its user's username, display name or email; or its whole IP address."
    fields = ("id", "user", "ip", "user_agent", "created_at", "last_used", "expires_at", "revoked_at")
    readonly_fields = fields
    actions = ("end",)
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, term: str
    ) -> tuple[QuerySet, bool]:
        if not term.strip():
            return queryset, False
        users = list(User.objects.filter(matches(term)).values_list("pk", flat=True)[:1000])
        return queryset.filter(Q(user_id__in=users) | Q(ip=term.strip())), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return super().has_change_permission(request, obj) and obj is None  # the list's action, no form

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return False

    @admin.action(description="End: close its sockets at once", permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        for session in queryset:
            try:
                loop.call(sessions.end_session(user_id=session.user_id, session_id=session.pk))
            except NotFound:
                pass  # ended already
        messages.success(request, "Ended.")


def matches(term: str) -> Q:
    email = fold_email(term)
    return selectors.name_starts_with(fold(term.strip())) | Q(
        email__gte=email, email__lt=email + selectors.LAST
    )
