"""Model admins that use every changelist feature that makes queries."""

from django.contrib import admin

from .models import Message, Room, Tag


@admin.register(Room)
class RoomAdmin(admin.ModelAdmin):
    list_display = ("name", "slug", "rank", "open")
    list_filter = ("open", "rank")
    search_fields = ("name", "=id")


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):
    list_display = ("content", "room", "author", "at")
    list_select_related = ("room", "author")
    list_filter = ("pinned", "room", "author__is_active", ("at", admin.DateFieldListFilter))
    search_fields = ("content", "room__name", "author__username", "tags__name")
    date_hierarchy = "at"
    ordering = ("-at", "room__name")
    raw_id_fields = ("room", "author", "reply_to")
    filter_horizontal = ("tags",)


admin.site.register(Tag)
