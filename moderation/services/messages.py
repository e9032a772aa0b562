"""Moderators act on messages, reported ones among them."""

from functools import partial
from uuid import UUID

from accounts import selectors as accounts
from foundation.database import run_db
from foundation.errors import Conflict, NotFound
from messaging.models import Message
from messaging.services import moderators as message_services

from .. import selectors
from ..audit import Target
from ..models import Report
from .cases import Case, carry_out
from .reports import claim_report, record_lost_report, resolve_report, resolve_reports_of
from .users import deactivate_user


class Gone(Conflict):
    """The message was removed or archived before, so there is nothing to remove."""


async def remove_message(*, case: Case, message_id: UUID) -> None:
    """Make a message a tombstone, and resolve all open reports of it.

    NotFound for one that is archived, Conflict for one that is removed already.
    """
    await _remove(case, message_id)
    await run_db(resolve_reports_of, case, message_id, Report.Resolution.REMOVED)


async def remove_reported(
    *, case: Case, report_id: UUID, resolution: Report.Resolution = Report.Resolution.REMOVED
) -> None:
    """Remove the reported message, and resolve all open reports of it.

    Conflict if another moderator resolves this report at the same time, although the message is removed then.
    """
    report = await run_db(selectors.get_open_report, report_id=report_id)
    try:
        await _remove(case, report.message_id)
    except (NotFound, Gone):
        # Its author has deleted the message, another moderator has, or it was archived.
        await resolve_report(case, "resolve_report", report, resolution)
    else:
        if not await run_db(claim_report, case, report, resolution):
            await record_lost_report(case, report)
            raise Conflict("The message is removed. Another moderator resolved the report at the same time.")
    await run_db(resolve_reports_of, case, report.message_id, Report.Resolution.REMOVED)


async def deactivate_reported(*, case: Case, report_id: UUID) -> None:
    """Deactivate the author of the reported message, and remove the message. Conflict as for `remove_reported`."""
    report = await run_db(selectors.get_open_report, report_id=report_id)
    author = await run_db(accounts.get_user, user_id=report.author_id)
    if author.is_active:
        await deactivate_user(case=case, user_id=author.pk)
    await remove_reported(case=case, report_id=report_id, resolution=Report.Resolution.DEACTIVATED)


async def _remove(case: Case, message_id: UUID) -> None:
    message = await run_db(_get_message, message_id)
    details = {"roomId": str(message.room_id), "seq": message.seq, "authorId": str(message.sender_id)}
    target = Target("message", message_id, f"{message.room} #{message.seq}", details)
    await carry_out(case, "remove_message", target, partial(_make_tombstone, case, message_id))


async def _make_tombstone(case: Case, message_id: UUID) -> None:
    try:
        await message_services.remove_message(
            message_id=message_id, moderator_id=case.moderator_id, reason=case.reason
        )
    except NotFound:
        raise Gone("Somebody else removed this message at the same time.") from None


def _get_message(message_id: UUID) -> Message:
    message = Message.objects.select_related("room").filter(pk=message_id).first()
    if message is None:
        raise NotFound("There is no such message; it may have been archived.")
    if message.deleted_at is not None:
        raise Gone("This message is removed already.")
    return message
