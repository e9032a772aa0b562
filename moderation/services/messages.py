"""Moderators act on messages, reported ones among them."""

from functools import partial
from uuid import UUID

from foundation.database import run_db
from foundation.errors import NotFound
from messaging.models import Message
from messaging.services import moderators as message_services

from .. import selectors
from ..audit import Target
from ..models import Report
from .cases import Case, carry_out
from .reports import resolve_report, resolve_reports_of
from .users import deactivate_user


async def remove_message(*, case: Case, message_id: UUID) -> None:
    """Make a message a tombstone, and resolve all open reports of it. NotFound for one that is archived."""
    message = await run_db(_get_message, message_id)
    details = {"roomId": str(message.room_id), "seq": message.seq, "authorId": str(message.sender_id)}
    target = Target("message", message_id, f"{message.room} #{message.seq}", details)
    action = partial(
        message_services.remove_message,
        message_id=message_id,
        moderator_id=case.moderator_id,
        reason=case.reason,
    )
    await carry_out(case, "remove_message", target, action)
    await run_db(resolve_reports_of, case, message_id, Report.Resolution.REMOVED)


async def remove_reported(*, case: Case, report_id: UUID) -> None:
    """Remove the reported message, and resolve all open reports of it."""
    report = await run_db(selectors.get_open_report, report_id=report_id)
    try:
        await remove_message(case=case, message_id=report.message_id)
    except NotFound:
        # Its author has deleted the message, or it was archived.
        await resolve_report(case, "resolve_report", report, Report.Resolution.REMOVED)


async def deactivate_reported(*, case: Case, report_id: UUID) -> None:
    """Deactivate the author of the reported message, and remove the message."""
    report = await run_db(selectors.get_open_report, report_id=report_id)
    await deactivate_user(case=case, user_id=report.author_id)
    await remove_reported(case=case, report_id=report_id)
    await run_db(Report.objects.filter(pk=report_id).update, resolution=Report.Resolution.DEACTIVATED)


def _get_message(message_id: UUID) -> Message:
    message = Message.objects.select_related("room").filter(pk=message_id).first()
    if message is None:
        raise NotFound("There is no such message; it may have been archived.")
    return message
