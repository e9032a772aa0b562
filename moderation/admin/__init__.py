"""The moderators' pages: every model of the chat in Django's admin.

They are here and not in each app, because every action is recorded in the audit log, and the apps must not import
that (docs/decisions/0007).
"""

from django.contrib import admin

from . import audit, messages, reports, rooms, users

__all__ = ["audit", "messages", "reports", "rooms", "users"]

admin.site.site_header = admin.site.site_title = "Chat moderation"
admin.site.index_title = "Models"
