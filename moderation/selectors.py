"""Reads for the moderators' pages."""

from uuid import UUID

from foundation.errors import Conflict, NotFound

from .models import Report


def get_open_report(*, report_id: UUID) -> Report:
    """Return a report that nobody has resolved. Conflict for one that is resolved: another moderator was faster."""
    report = Report.objects.filter(pk=report_id).first()
    if report is None:
        raise NotFound("There is no such report.")
    if report.resolved_at is not None:
        raise Conflict("This report is resolved already.")
    return report
