"""Reads for the moderators' desk: keyword-only, synchronous; must not write."""

from uuid import UUID

from foundation.errors import Conflict, NotFound

from .models import Report


def get_open_report(*, report_id: UUID) -> Report:
    """A report nobody has resolved yet. Conflict for one that is: another moderator was faster."""
    report = Report.objects.filter(pk=report_id).first()
    if report is None:
        raise NotFound("There is no such report.")
    if report.resolved_at is not None:
        raise Conflict("This report is resolved already.")
    return report
