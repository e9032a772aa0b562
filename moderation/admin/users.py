"""Admin pages of users and their sessions. They show no password hash and no token."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.models import Session, User
from foundation import loop

from .. import services
from .base import BaseAdmin, case_of
from .filters import MAX_MATCHES, UserFilter, matches

PRIVILEGES = ("is_staff", "is_superuser", "groups", "user_permissions")
EDITABLE = ("display_name", "avatar_url", *PRIVILEGES)


@admin.register(User)
class UserAdmin(BaseAdmin):
    list_display = ("username", "email", "display_name", "is_active", "is_staff", "created_at", "last_seen")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("username_key",)
    search_help_text = "The beginning of a username, display name or email."
    ordering = ("username_key",)
    filter_horizontal = ("groups", "user_permissions")
    readonly_fields = ("id", "username", "email", "is_active", "created_at", "last_seen", "last_login")
    fields = (
        "id", "username", "email", "display_name", "avatar_url", "is_active", *PRIVILEGES,
        "created_at", "last_seen", "last_login",
    )  # fmt: skip
    actions = ("deactivate", "reactivate", "end_sessions")
    links = (
        ("Messages", "messaging_message", "author"),
        ("Sessions", "accounts_session", "user"),
        ("Rooms", "rooms_membership", "user"),
        ("Reports of", "moderation_report", "reported"),
        ("Audit log", "moderation_auditentry", "target"),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], term: str
    ) -> tuple[QuerySet[Any], bool]:
        return (queryset.filter(matches(term)) if term.strip() else queryset), False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a superuser may change staff; staff may change their own profile."""
        allowed = super().has_change_permission(request)
        moderator = request.user
        return allowed and (
            obj is None or (isinstance(moderator, User) and services.may_act_on(moderator, obj))
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only a superuser may change privileges: staff who may change users must not promote themselves."""
        return self.readonly_fields if request.user.is_superuser else (*self.readonly_fields, *PRIVILEGES)

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        """Read permissions and the content types shown with them in one query, instead of one for each."""
        if db_field.name == "user_permissions":
            kwargs["queryset"] = Permission.objects.select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in EDITABLE}
        if changes:
            case = case_of(request, "changed on the user's page")
            loop.call(services.change_account(case=case, user_id=obj.pk, changes=changes))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Do nothing: the service has written groups and permissions with the other changes."""

    @admin.action(description="Deactivate: lock out at once", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Deactivate users",
            action=lambda user, case: services.deactivate_user(case=case, user_id=user.pk),
        )  # fmt: skip

    @admin.action(description="Reactivate", permissions=["change"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Reactivate users",
            action=lambda user, case: services.reactivate_user(case=case, user_id=user.pk),
        )  # fmt: skip

    @admin.action(description="End all sessions", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="End all sessions",
            action=lambda user, case: services.end_user_sessions(case=case, user_id=user.pk),
        )  # fmt: skip


@admin.register(Session)
class SessionAdmin(BaseAdmin):
    list_display = ("id", "user", "ip", "user_agent", "created_at", "last_used", "expires_at", "revoked_at")
    list_filter = (UserFilter, ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("ip",)
    search_help_text = "The beginning of the user's name or email, or a whole IP address."
    ordering = ("-pk",)
    fields = ("id", "user", "ip", "user_agent", "created_at", "last_used", "expires_at", "revoked_at")
    actions = ("end",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not term.strip():
            return queryset, False
        users = User.objects.filter(matches(term)).values_list("pk", flat=True)[:MAX_MATCHES]
        return queryset.filter(Q(user_id__in=list(users)) | Q(ip=term.strip())), False

    @admin.action(description="End: close its sockets at once", permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="End sessions",
            action=lambda session, case: services.end_session(
                case=case, user_id=session.user_id, session_id=session.pk
            ),
        )  # fmt: skip
