"""Checks the invariants of a live database, and repairs the violations that can be repaired without guessing.

Each module declares and checks the rules of one noun. Everything is read in pages, so memory stays bounded for a
large log, and the log is read once. Cached heads and watermarks may be behind for LAG_SECONDS, and messages may be
archived meanwhile: a finding that such a moment could explain is looked at again before it is reported.
"""

from collections.abc import Iterator

from rooms.models import Room

from .accounts import check_accounts
from .archives import check_archive, check_folders
from .keys import check_archived_keys
from .logs import Log, check_log
from .members import check_members
from .moderation import check_moderation
from .paging import pages
from .revisions import check_revisions
from .rooms import check_room
from .rules import LAG_SECONDS, RULES, Options, Rule, Violation
from .tables import check_tables
from .uniqueness import check_unique

__all__ = ["LAG_SECONDS", "RULES", "Options", "Rule", "Violation", "check"]

# Few, because a room that was read long ago is checked against a log that has grown since.
ROOMS = 50


def check(options: Options) -> Iterator[Violation]:
    """Yield all violations, room by room, then table by table. With `repair` the safe ones are repaired first."""
    for page in pages(Room.objects.all(), "pk", size=ROOMS):
        for room in Room.objects.filter(pk__in=[pk for (pk,) in page]).order_by("pk"):
            yield from _check_room(room, options)
    yield from check_folders(options)
    yield from check_tables(options)
    yield from check_accounts(options)
    yield from check_revisions(options)
    yield from check_archived_keys(options)
    yield from check_moderation(options)
    yield from check_unique()


def _check_room(room: Room, options: Options) -> Iterator[Violation]:
    log = Log(room)
    yield from check_log(log, options)
    yield from check_room(room, log, options)
    yield from check_members(room, log, options)
    yield from check_archive(room, log, options)
