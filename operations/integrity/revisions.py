"""Rules of the earlier versions of messages."""

import time
from collections.abc import Iterator
from typing import Any

from accounts.keys import CLOCK_SKEW
from messaging.models import Message, MessageRevision

from .paging import pages
from .rules import Options, Violation, rule

STRAY_REVISION = rule(
    "stray_revision",
    "A kept version is one that its message had, or has, and is not of a time before the message.",
)

COLUMNS = ("pk", "message_id", "version", "written_at")


def check_revisions(options: Options) -> Iterator[Violation]:
    """That a revision has a message is a rule of its foreign key."""
    for page in pages(MessageRevision.objects.all(), *COLUMNS):
        stray = _stray(page)
        if stray:
            # A row that is on its way out is gone by then.
            time.sleep(options.lag_seconds)
            stray = _stray(list(MessageRevision.objects.filter(pk__in=stray).values_list(*COLUMNS)))
        for pk in stray:
            yield STRAY_REVISION.broken(f"messagerevision {pk}: is of no version of its message")


def _stray(page: list[tuple[Any, ...]]) -> list[Any]:
    messages = Message.objects.filter(pk__in={row[1] for row in page}).order_by()
    known = {pk: (version, at) for pk, version, at in messages.values_list("pk", "version", "created_at")}
    return [
        pk
        for pk, message_id, version, written_at in page
        if message_id in known
        and not (1 <= version <= known[message_id][0] and written_at >= known[message_id][1] - CLOCK_SKEW)
    ]
