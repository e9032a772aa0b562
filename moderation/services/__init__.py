"""What moderators do, each deed recorded before it is done, and the reports that members send them.

Keyword-only; know no request, view or admin page. The deeds themselves are services of the apps they concern,
so that every client sees them live. That the caller is a moderator is for the admin's permissions to say.
"""

from .cases import Case
from .messages import deactivate_reported, remove_message, remove_reported
from .reports import dismiss_report, report_message
from .rooms import close_room, expel_member, lock_room, set_retention, unlock_room
from .users import change_account, deactivate_user, end_session, end_user_sessions, reactivate_user

__all__ = [
    "Case",
    "change_account",
    "close_room",
    "deactivate_reported",
    "deactivate_user",
    "dismiss_report",
    "end_session",
    "end_user_sessions",
    "expel_member",
    "lock_room",
    "reactivate_user",
    "remove_message",
    "remove_reported",
    "report_message",
    "set_retention",
    "unlock_room",
]
