"""Admin page of the audit log; read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from ..models import AuditEntry
from .base import BaseAdmin
from .filters import InputFilter, UserFilter, uuid_of


class ActorFilter(UserFilter):
    title, parameter_name, field = "moderator", "actor", "actor"


class TargetFilter(InputFilter):
    title, parameter_name, placeholder = "target", "target", "id of user, room, message .."

    def condition(self, value: str) -> Q:
        return Q(target_id=uuid_of(value))


@admin.register(AuditEntry)
class AuditEntryAdmin(BaseAdmin):
    list_display = (
        "seq", "at", "actor_name", "action", "outcome", "target_kind", "target_name", "reason", "ip",
    )  # fmt: skip
    list_filter = (ActorFilter, TargetFilter)
    ordering = ("-seq",)
    fields = (
        "seq", "at", "actor", "actor_name", "action", "outcome", "target_kind", "target_id", "target_name",
        "reason", "details", "ip", "request_id", "previous", "digest",
    )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
