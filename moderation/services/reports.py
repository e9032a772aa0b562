"""Members report messages, and moderators close the reports."""

from functools import partial
from uuid import UUID

from django.db import IntegrityError
from django.db.models import QuerySet

from foundation import times
from foundation.database import run_db
from foundation.errors import Conflict
from messaging.selectors import require_existing
from rooms import selectors as rooms

from .. import selectors
from ..audit import Target
from ..models import Report
from .cases import Case, carry_out


async def report_message(*, room_id: UUID, message_id: UUID, reporter_id: UUID, reason: str) -> Report:
    """Report a message as a member of its room. Conflict if this member has reported it before."""
    return await run_db(_report, room_id, message_id, reporter_id, reason)


def _report(room_id: UUID, message_id: UUID, reporter_id: UUID, reason: str) -> Report:
    room = rooms.require_member(room_id=room_id, user_id=reporter_id).room
    message = require_existing(room=room, message_id=message_id)
    try:
        return Report.objects.create(
            message_id=message_id,
            room=room,
            author_id=message.sender_id,
            reporter_id=reporter_id,
            seq=message.seq,
            version=message.version,
            content=message.content,
            reason=reason,
        )
    except IntegrityError:
        raise Conflict("You have reported this message already.") from None


async def dismiss_report(*, case: Case, report_id: UUID) -> None:
    """Close a report and leave the message as it is. Conflict for a report that is closed already."""
    report = await run_db(selectors.get_open_report, report_id=report_id)
    await resolve_report(case, "dismiss_report", report, Report.Resolution.DISMISSED)


async def resolve_report(case: Case, name: str, report: Report, resolution: Report.Resolution) -> None:
    """Record and carry out the resolution of one report. `name` is the action's name in the audit log."""
    target = Target("report", report.pk, str(report), {"messageId": str(report.message_id)})
    rows = Report.objects.filter(pk=report.pk)
    await carry_out(case, name, target, partial(run_db, _resolve, case, rows, resolution))


def resolve_reports_of(case: Case, message_id: UUID, resolution: Report.Resolution) -> None:
    """Resolve all open reports of a message; a part of the action on the message, without a record of its own."""
    _resolve(case, Report.objects.filter(message_id=message_id), resolution)


def _resolve(case: Case, reports: QuerySet[Report], resolution: Report.Resolution) -> None:
    reports.filter(resolved_at__isnull=True).update(
        resolved_at=times.now(), resolved_by_id=case.moderator_id, resolution=resolution, note=case.reason
    )
