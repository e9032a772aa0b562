"""The moderators' desk: every model of the chat in Django's admin.

Knows services and selectors. It stands here and not in each app, because every deed is recorded, and the record
is above them all (docs/decisions/0007).
"""

from django.contrib import admin

from . import audit, messages, reports, rooms, users

__all__ = ["audit", "messages", "reports", "rooms", "users"]

admin.site.site_header = admin.site.site_title = "Chat: the moderators' desk"
admin.site.index_title = "What there is"
