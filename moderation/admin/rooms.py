"""Admin pages of rooms and their members."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from foundation import loop
from foundation.folding import fold
from rooms import selectors
from rooms.models import Membership, Room

from .. import services
from .base import BaseAdmin, case_of
from .filters import RoomFilter, UserFilter, uuid_of


@admin.register(Room)
class RoomAdmin(BaseAdmin):
    list_display = ("__str__", "kind", "members", "last_seq", "last_activity_at", "locked_at", "deleted_at")
    list_filter = (
        "kind",
        ("locked_at", admin.EmptyFieldListFilter),
        ("deleted_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("name",)
    search_help_text = "Part of the name, or the id."
    ordering = ("-last_activity_at",)
    fields = (
        "id", "kind", "name", "meta", "created_by", "created_at", "members", "last_seq", "first_seq",
        "last_activity_at", "locked_at", "deleted_at", "retention_days",
    )  # fmt: skip
    readonly_fields = fields[:-1]
    actions = ("lock", "unlock", "delete_rooms")
    links = (
        ("Messages", "messaging_message", "room"),
        ("Members", "rooms_membership", "room"),
        ("Reports", "moderation_report", "room"),
        ("Audit log", "moderation_auditentry", "target"),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Without `obj`: unlike other pages, this one has a form to save, with the field for retention.
        return super().has_change_permission(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], term: str
    ) -> tuple[QuerySet[Any], bool]:
        if room_id := uuid_of(term):
            return queryset.filter(pk=room_id), False
        return (queryset.filter(search_name__contains=fold(term)) if term.strip() else queryset), False

    def prepare(self, rows: Iterable[Any]) -> None:
        rows = list(rows)
        sizes = selectors.member_counts(room_ids=[room.pk for room in rows])
        for room in rows:
            room.size = sizes.get(room.pk, 0)

    @admin.display(description="members")
    def members(self, room: Any) -> int:
        return room.size if hasattr(room, "size") else selectors.count_members(room_id=room.pk)

    def save_model(self, request: HttpRequest, obj: Room, form: Any, change: bool) -> None:
        if "retention_days" in form.changed_data:
            case, days = case_of(request, "changed on the room's page"), form.cleaned_data["retention_days"]
            loop.call(services.set_retention(case=case, room_id=obj.pk, days=days))

    @admin.action(description="Lock: nobody writes", permissions=["change"])
    def lock(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Lock rooms",
            action=lambda room, case: services.lock_room(case=case, room_id=room.pk),
        )  # fmt: skip

    @admin.action(description="Unlock", permissions=["change"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Unlock rooms",
            action=lambda room, case: services.unlock_room(case=case, room_id=room.pk),
        )  # fmt: skip

    @admin.action(description="Delete: all members lose it", permissions=["change"])
    def delete_rooms(self, request: HttpRequest, queryset: QuerySet[Room]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Delete rooms",
            action=lambda room, case: services.close_room(case=case, room_id=room.pk),
        )  # fmt: skip


@admin.register(Membership)
class MembershipAdmin(BaseAdmin):
    list_display = ("user", "room", "role", "muted_until", "joined_at", "delivered_seq", "read_seq")
    list_filter = (RoomFilter, UserFilter, "role")
    list_select_related = ("user", "room")
    ordering = ("-pk",)
    fields = ("id", "user", "room", "role", "muted_until", "joined_at", "delivered_seq", "read_seq")
    actions = ("remove",)

    @admin.action(description="Remove from the room", permissions=["change"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Membership]) -> HttpResponse | None:
        return self.act(
            request, queryset, title="Remove members",
            action=lambda member, case: services.expel_member(
                case=case, room_id=member.room_id, user_id=member.user_id
            ),
        )  # fmt: skip
