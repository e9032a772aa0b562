"""Admin page of reports: a queue of the open ones, oldest first."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from .. import services
from ..models import Report
from .base import BaseAdmin, link
from .filters import InputFilter, RoomFilter, UserFilter, uuid_of


class QueueFilter(admin.SimpleListFilter):
    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("resolved", "Resolved"), ("all", "All")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        unset, *others = super().choices(changelist)
        yield {**unset, "display": "Open"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset.filter(resolved_at__isnull=True)
        return queryset.filter(resolved_at__isnull=False) if self.value() == "resolved" else queryset


class ReportedFilter(UserFilter):
    title, parameter_name, field = "author", "reported", "author"


class ReporterFilter(UserFilter):
    title, parameter_name, field = "reporter", "reporter", "reporter"


class MessageFilter(InputFilter):
    title, parameter_name, placeholder = "message", "message", "id"

    def condition(self, value: str) -> Q:
        return Q(message_id=uuid_of(value))


@admin.register(Report)
class ReportAdmin(BaseAdmin):
    list_display = ("created_at", "room", "author", "text", "reason", "reporter", "resolution", "resolved_at")
    list_display_links = ("created_at", "text")
    list_filter = (QueueFilter, RoomFilter, ReportedFilter, ReporterFilter, MessageFilter)
    list_select_related = ("room", "author", "reporter")
    ordering = ("created_at",)
    fields = (
        "id", "message", "room", "author", "reporter", "created_at", "reason", "content", "version",
        "resolved_at", "resolved_by", "resolution", "note",
    )  # fmt: skip
    actions = ("dismiss", "remove_message", "deactivate_author")
    links = (("Audit log", "moderation_auditentry", "target"),)

    @admin.display(description="message")
    def message(self, report: Report) -> SafeString:
        return link("messaging_message", report.message_id, f"{report.room} #{report.seq}")

    @admin.display(description="text")
    def text(self, report: Report) -> str:
        return Truncator(report.content).chars(120)

    @admin.action(description="Dismiss: nothing wrong", permissions=["change"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[Report]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Dismiss reports",
            action=lambda report, case: services.dismiss_report(case=case, report_id=report.pk),
        )  # fmt: skip

    @admin.action(description="Remove the message", permissions=["change"])
    def remove_message(self, request: HttpRequest, queryset: QuerySet[Report]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Remove reported messages",
            action=lambda report, case: services.remove_reported(case=case, report_id=report.pk),
        )  # fmt: skip

    @admin.action(description="Remove the message and deactivate its author", permissions=["change"])
    def deactivate_author(self, request: HttpRequest, queryset: QuerySet[Report]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Deactivate reported authors",
            action=lambda report, case: services.deactivate_reported(case=case, report_id=report.pk),
        )  # fmt: skip
