"""Records which rooms a moderator reads. Every room is private: only members and moderators see its messages."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from foundation import times
from foundation.ids import first_id_at
from foundation.security_log import Action, Outcome
from foundation.security_log import record as record_event
from rooms.models import Room

from .. import audit
from ..audit import Target
from ..models import AuditEntry
from .cases import Case

READ_ROOM = "read_room"
# One entry for a moderator and room in this time, however many pages are opened.
READING = timedelta(minutes=15)
# Entries of other processes, whose clocks may differ a little.
SLACK = timedelta(minutes=1)


def record_reading(*, case: Case, room_ids: Iterable[UUID]) -> None:
    """Record that a page with messages of these rooms is shown. Before it is: raises Unavailable if it cannot be.

    Runs in a database thread.
    """
    read = set(room_ids)
    new = read - _read_lately(case.moderator_id, read) if read else read
    if not new:
        return
    rooms = Room.objects.filter(pk__in=list(new)).order_by("pk")
    targets = [Target("room", room.pk, str(room)) for room in rooms]
    audit.record_all(
        actor_id=case.moderator_id,
        actor_name=case.moderator_name,
        action=READ_ROOM,
        targets=targets,
        reason=case.reason,
    )
    for target in targets:
        record_event(Action.PRIVATE_READ, outcome=Outcome.OK, actor=case.moderator_id, room=str(target.id))


def _read_lately(moderator_id: UUID, room_ids: set[UUID]) -> set[UUID]:
    since = times.now() - READING
    lately = AuditEntry.objects.filter(
        pk__gte=first_id_at(since, slack=-SLACK),
        at__gte=since,
        actor_id=moderator_id,
        action=READ_ROOM,
        target_id__in=list(room_ids),
    )
    return set(lately.order_by().values_list("target_id", flat=True))
