"""Admin pages of messages and their earlier versions."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib import messages as notices
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from foundation import times
from foundation.folding import fold
from foundation.ids import first_id_at
from messaging.models import ArchivedKey, Message, MessageRevision

from .. import services
from .base import BaseAdmin, link
from .filters import AuthorFilter, RoomFilter, SinceFilter, UntilFilter, uuid_of

SEARCHED_HOURS = 24
NARROWING = ("room", "author", "since")
VERSION = '<p><b>{}</b> of {} by {}</p><pre class="version">{}</pre>'


@admin.register(Message)
class MessageAdmin(BaseAdmin):
    list_display = ("created_at", "room", "seq", "sender", "text", "edited_at", "deleted_at")
    list_display_links = ("created_at", "text")
    list_filter = (RoomFilter, AuthorFilter, SinceFilter, UntilFilter)
    list_select_related = ("room", "sender")
    search_fields = ("content",)
    search_help_text = (
        "Part of the text, or the id. Choose a room, an author or a time as well:"
        f" otherwise the last {SEARCHED_HOURS} hours are searched."
    )
    fields = (
        "id", "room", "seq", "sender", "created_at", "type", "content", "meta", "in_reply_to",
        "client_message_id", "version", "edited_at", "edited_by", "deleted_at", "deleted_by", "delete_reason",
        "versions",
    )  # fmt: skip
    actions = ("remove",)
    links = (("Reports", "moderation_report", "message"), ("Audit log", "moderation_auditentry", "target"))

    def room_ids(self, rows: Iterable[Message]) -> set[UUID]:
        return {message.room_id for message in rows}

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first: by the index of the room's log if one room is chosen, and by the primary key otherwise."""
        return ("-seq",) if uuid_of(request.GET.get("room", "")) else ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not term.strip():
            return queryset, False
        if message_id := uuid_of(term):
            return queryset.filter(pk=message_id), False
        if not any(request.GET.get(name) for name in NARROWING):
            queryset = queryset.filter(pk__gte=first_id_at(times.now() - timedelta(hours=SEARCHED_HOURS)))
            notices.info(request, f"Only the last {SEARCHED_HOURS} hours were searched.")
        return queryset.filter(search_text__contains=fold(term)), False

    @admin.display(description="text")
    def text(self, message: Message) -> str:
        return "(removed)" if message.deleted_at else Truncator(message.content).chars(120)

    @admin.display(description="in reply to")
    def in_reply_to(self, message: Message) -> SafeString | str:
        return link("messaging_message", message.reply_to, message.reply_to) if message.reply_to else "-"

    @admin.display(description="earlier versions")
    def versions(self, message: Message) -> SafeString | str:
        revisions = MessageRevision.objects.select_related("written_by").filter(message=message)
        rows = [(r.version, r.written_at, r.written_by, r.content) for r in revisions]
        return format_html_join("", VERSION, rows) or "none"

    @admin.action(description="Remove, with a reason", permissions=["change"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Message]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Remove messages",
            action=lambda message, case: services.remove_message(case=case, message_id=message.pk),
        )  # fmt: skip


@admin.register(MessageRevision)
class MessageRevisionAdmin(BaseAdmin):
    """Earlier versions of messages that were edited or removed, newest first."""

    list_display = ("written_at", "message", "version", "written_by", "text")
    list_select_related = ("message", "written_by")
    ordering = ("-pk",)
    fields = ("id", "message", "version", "written_by", "written_at", "content", "meta")

    def room_ids(self, rows: Iterable[MessageRevision]) -> set[UUID]:
        return {revision.message.room_id for revision in rows}

    @admin.display(description="text")
    def text(self, revision: MessageRevision) -> str:
        return Truncator(revision.content).chars(120)


@admin.register(ArchivedKey)
class ArchivedKeyAdmin(BaseAdmin):
    list_display = ("id", "message_id", "seq", "created_at", "deleted_at")
    ordering = ("-pk",)
    fields = ("id", "message_id", "seq", "created_at", "deleted_at", "fingerprint")
