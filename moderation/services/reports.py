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

from .. import audit, selectors
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
    """Record and carry out the resolution of one report. `name` is the action's name in the audit log.

    Of two moderators one resolves it. The other gets Conflict, and `failed` is recorded with their reason.
    """
    await carry_out(case, name, _target(report), partial(_resolve, case, report, resolution))


async def _resolve(case: Case, report: Report, resolution: Report.Resolution) -> None:
    if not await run_db(claim_report, case, report, resolution):
        raise Conflict("Another moderator resolved this report at the same time.")


def claim_report(case: Case, report: Report, resolution: Report.Resolution) -> bool:
    """Resolve the report as a part of another action. False if it is resolved already."""
    return bool(_resolve_open(Report.objects.filter(pk=report.pk), case, resolution))


async def record_lost_report(case: Case, report: Report) -> None:
    """Record that the action was carried out and another moderator resolved the report."""
    await run_db(
        audit.record,
        actor_id=case.moderator_id,
        actor_name=case.moderator_name,
        action="resolve_report",
        target=_target(report),
        reason=case.reason,
        outcome="failed",
    )


def resolve_reports_of(case: Case, message_id: UUID, resolution: Report.Resolution) -> None:
    """Resolve all open reports of a message; a part of the action on the message, without a record of its own."""
    _resolve_open(Report.objects.filter(message_id=message_id), case, resolution)


def _resolve_open(reports: QuerySet[Report], case: Case, resolution: Report.Resolution) -> int:
    """Resolve those that are open; returns their number."""
    return reports.filter(resolved_at__isnull=True).update(
        resolved_at=times.now(), resolved_by_id=case.moderator_id, resolution=resolution, note=case.reason
    )


def _target(report: Report) -> Target:
    return Target("report", report.pk, str(report), {"messageId": str(report.message_id)})
