"""Reads for the moderators' pages."""

import pytest

from accounts.models import User
from foundation import times
from foundation.errors import Conflict, NotFound
from foundation.ids import uuid7
from moderation.models import Report
from moderation.selectors import get_open_report
from rooms.models import Room


def test_get_open_report_when_resolved_or_unknown_then_it_is_refused(root: User) -> None:
    room = Room.objects.create(name="room", created_by=root)
    report = Report.objects.create(
        message_id=uuid7(), room=room, author=root, reporter=root, seq=1, version=1, content="c", reason="r"
    )
    assert get_open_report(report_id=report.pk) == report
    Report.objects.filter(pk=report.pk).update(resolved_at=times.now())
    with pytest.raises(Conflict):
        get_open_report(report_id=report.pk)
    with pytest.raises(NotFound):
        get_open_report(report_id=uuid7())
