"""Admin page of groups: Django's own, for superusers, with an entry in the audit log for each change."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from .. import services
from .base import case_of
from .lists import FilteredAdmin

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(FilteredAdmin, DjangoGroupAdmin):
    """Staff with the permission may look. Who changes a group that they are in could give themselves rights."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """No deletion of many at once: each is an entry of its own."""
        return {}

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Comes after the group is saved, in one transaction with it."""
        granted = sorted(str(permission) for permission in form.cleaned_data["permissions"])
        self._record(request, form.instance, "change_group" if change else "add_group", permissions=granted)
        super().save_related(request, form, formsets, change)

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        self._record(request, obj, "delete_group")
        super().delete_model(request, obj)

    def _record(self, request: HttpRequest, group: Group, action: str, **details: Any) -> None:
        case = case_of(request, "changed on the group's page")
        services.record_group(
            case=case, action=action, group_id=int(group.pk), name=group.name, details=details
        )
