"""Actions of moderators, each recorded in the audit log before it is carried out, and reports from members.

The writes themselves are services of the apps they concern, so every client sees them live. The permissions of the
admin site say which pages a moderator may use; these services say on which accounts they may act.
"""

from .cases import Case
from .groups import record_group
from .messages import deactivate_reported, remove_message, remove_reported
from .reading import record_reading
from .reports import dismiss_report, report_message
from .rooms import close_room, expel_member, lock_room, set_retention, unlock_room
from .users import (
    change_account,
    deactivate_user,
    end_session,
    end_user_sessions,
    may_act_on,
    reactivate_user,
)

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
    "may_act_on",
    "reactivate_user",
    "record_group",
    "record_reading",
    "remove_message",
    "remove_reported",
    "report_message",
    "set_retention",
    "unlock_room",
]
