"""The moderators' pages: every model of the chat in Django's admin.

They are here and not in each app, because every action is recorded in the audit log, and the apps must not import
that (docs/decisions/0007).
"""

from . import audit, groups, messages, reports, rooms, users

__all__ = ["audit", "groups", "messages", "reports", "rooms", "users"]
