"""Members report messages, and moderators close reports."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from foundation import times
from foundation.database import run_db
from foundation.errors import Conflict
from messaging.selectors import require_existing
from rooms import selectors as rooms

from .. import selectors
from ..audit import Target
from ..models import Report
from .cases import Case, Deed, carry_out


async def report_message(*, room_id: UUID, message_id: UUID, reporter_id: UUID, reason: str) -> Report:
    """Tell the moderators of a message, as a member of its room. Conflict for a second report of the same."""
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
    """Close a report without doing anything about the message. Conflict for one that is closed."""
    report = await run_db(selectors.get_open_report, report_id=report_id)
    await carry_out(case, "dismiss_report", report_target(report), resolving(case, report, "DISMISSED"))


def resolving(case: Case, report: Report, resolution: str) -> Deed[int]:
    return partial(run_db, resolve, case, {"pk": report.pk}, Report.Resolution[resolution])


def resolve(case: Case, which: dict[str, Any], resolution: Report.Resolution) -> int:
    return Report.objects.filter(**which, resolved_at__isnull=True).update(
        resolved_at=times.now(), resolved_by_id=case.moderator_id, resolution=resolution, note=case.reason
    )


def report_target(report: Report) -> Target:
    return Target("report", report.pk, str(report), {"messageId": str(report.message_id)})
